"""Which names the endpoint answers to, and which pages may send requests to it.

The Host check keeps a page out whose own name was made to lead here (DNS rebinding), the Origin
check a page that sends requests with whatever the browser adds by itself: nothing for a bearer
token, but behind Cloudflare Access its cookie, which becomes a valid assertion on the way.
"""

from urllib.parse import urlsplit

from dome_mcp.http_settings import HttpSettings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ANY = "*"
_PORT_DIGITS = 5


class Hosts:
    """The names of the endpoint: those of loopback with any port, the settings', the public one."""

    def __init__(self, http: HttpSettings, public_url: str | None) -> None:
        public = urlsplit(public_url) if public_url else None
        names = [*http.allowed_hosts, *([public.netloc.lower()] if public else [])]
        self._hosts = {_split(name) for name in names}
        self._public_origin = f"{public.scheme}://{public.netloc}".lower() if public else None
        self._origins = frozenset(origin.lower() for origin in http.allowed_origins)

    def admits_host(self, host: str) -> bool:
        """Whether a Host header names this endpoint."""
        name, port = _split(host.lower())
        if port and not (port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS):
            return False
        if name in _LOOPBACK:
            return True
        if (name, port) in self._hosts or (name, _ANY) in self._hosts:
            return True
        # A name without a port stands for the default ones, which some proxies spell out.
        return port in _DEFAULT_PORTS.values() and (name, "") in self._hosts

    def admits_origin(self, origin: str, *, host: str, scheme: str) -> bool:
        """Whether a page of this origin may send a request to a host that `admits_host`.

        Its own pages may, those of the settings, and on loopback those of loopback. `null`, which
        a sandboxed page has, names nobody.
        """
        origin = origin.lower()
        if origin == self._public_origin or self.is_listed(origin):
            return True
        its_scheme, _, its_host = origin.partition("://")
        if its_scheme not in _DEFAULT_PORTS:
            return False
        name, port = _split(host.lower())
        its_name, its_port = _split(its_host)
        if name in _LOOPBACK and its_name in _LOOPBACK:
            return True
        default = _DEFAULT_PORTS[its_scheme]
        is_same_host = (its_name, its_port or default) == (name, port or default)
        return its_scheme == scheme and is_same_host

    def is_listed(self, origin: str) -> bool:
        """Whether the settings name this origin: its pages may also read the answers (CORS)."""
        return origin.lower() in self._origins


def _split(host: str) -> tuple[str, str]:
    """The name and the port, which is empty where there is none."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        return host, ""
    return name, port

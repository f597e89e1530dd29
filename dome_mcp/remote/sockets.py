"""The sockets the endpoint listens on, and what has to be right before it does."""

import importlib
import os
import socket

from dome_mcp.core.errors import ConfigurationError
from dome_mcp.http_settings import HttpSettings
from dome_mcp.settings import Settings

_ANY_V6 = "::"
_BACKLOG = 1_024
_OPEN_FILES = 8_192


def check(settings: Settings) -> None:
    """Does nothing where the settings can be served safely.

    Raises:
        ConfigurationError: with every reason why they cannot.
    """
    http = settings.http
    problems: list[str] = []
    if not (http.is_loopback or http.allowed_hosts or settings.public_url):
        problems.append(
            f"DOME_HTTP_HOST {http.http_host} lets other machines connect, so DOME_ALLOWED_HOSTS "
            "(or DOME_PUBLIC_URL) must name what they call this one, such as dome.example.org"
        )
    if http.oidc_issuer and not (http.oidc_audience or settings.public_url):
        problems.append(
            "DOME_OIDC_ISSUER needs DOME_OIDC_AUDIENCE or DOME_PUBLIC_URL, so that a token for "
            "another service is not taken here"
        )
    if http.http_workers > 1 and os.name == "nt":
        problems.append("DOME_HTTP_WORKERS must be 1 on Windows")
    if problems:
        raise ConfigurationError(problems)


def warnings(settings: Settings) -> list[str]:
    """What works but should be known."""
    if settings.http.is_loopback or settings.public_url:
        return []
    return [
        "other machines can connect, and nothing here speaks TLS: put a reverse proxy or a tunnel "
        "in front, and set DOME_PUBLIC_URL to its https address"
    ]


def listen(http: HttpSettings) -> list[socket.socket]:
    """Sockets that listen at every address of the settings' host; port 0 takes a free one.

    Raises:
        ConfigurationError: the host is unknown, or the port is another program's.
    """
    listeners: list[socket.socket] = []
    port = http.http_port
    try:
        found = socket.getaddrinfo(
            http.http_host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, *_, address in dict.fromkeys(found):
            listeners.append(_listen(family, str(address[0]), port))
            port = port_of(listeners)
    except OSError as error:
        for each in listeners:
            each.close()
        where = f"{http.http_host} port {port}"
        raise ConfigurationError([f"{where} cannot be listened on: {_why(error)}"]) from error
    return listeners


def port_of(listeners: list[socket.socket]) -> int:
    """The port they listen on."""
    return int(listeners[0].getsockname()[1])


def address_of(http: HttpSettings, listeners: list[socket.socket]) -> str:
    """The URL under which this machine reaches the sockets."""
    is_any = http.http_host in ("0.0.0.0", _ANY_V6)  # noqa: S104  compared with, not bound to
    host = "127.0.0.1" if is_any else http.http_host
    return f"http://{f'[{host}]' if ':' in host else host}:{port_of(listeners)}"


def raise_file_limit() -> None:
    """Lets the process have as many open files as it may, up to what it can use."""
    if os.name == "nt":
        return
    # Only there on POSIX.
    resource = importlib.import_module("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(family: int, host: str, port: int) -> socket.socket:
    # `::` is to mean every address of the machine, as it does for most servers.
    is_dual = host == _ANY_V6 and socket.has_dualstack_ipv6()
    listener = socket.create_server(
        (host, port),
        family=socket.AddressFamily(family),
        backlog=_BACKLOG,
        dualstack_ipv6=is_dual,
    )
    listener.setblocking(False)
    return listener


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    reason = (error.strerror or type(error).__name__).lower()
    return f"{reason}; DOME_HTTP_PORT or --port chooses another"

"""The settings of the remote endpoint, `dome-mcp serve --http`; `settings.py` reads them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from dome_mcp import setting_values as parse
from dome_mcp.core.access import Scope, parse_scopes
from dome_mcp.core.errors import InvalidInput

LogFormat = Literal["text", "json"]

HTTP_NAMES = (
    "http_host",
    "http_port",
    "http_workers",
    "allowed_hosts",
    "allowed_origins",
    "trusted_proxies",
    "max_body_mb",
    "rate_per_minute",
    "max_concurrent",
    "log_format",
    "oidc_issuer",
    "oidc_audience",
    "oidc_jwks_url",
    "oidc_header",
    "oidc_user_claim",
    "oidc_default_scopes",
    "oidc_signup",
)

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5}|:\*)?|\[[0-9A-Fa-f:]+\](:\d{1,5}|:\*)?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.\[\]:-]+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_CLAIM = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How the remote endpoint is reached, whom it believes, and what it allows.

    `rate_per_minute` and `max_concurrent` hold for each token in each worker process.
    """

    http_host: str = "127.0.0.1"
    http_port: int = 8765
    http_workers: int = 1
    allowed_hosts: tuple[str, ...] = ()
    """Values of the Host header, `name`, `name:port` or `name:*`, besides those of loopback."""
    allowed_origins: tuple[str, ...] = ()
    """Values of the Origin header that browsers may come with, besides the endpoint's own."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and -Proto are believed."""
    max_body_mb: int = 8
    """The largest body of a request that is not a file."""
    rate_per_minute: int = 600
    max_concurrent: int = 32
    log_format: LogFormat = "text"
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    """What a token's `aud` must hold; None is the address of `/mcp` under DOME_PUBLIC_URL."""
    oidc_jwks_url: str | None = None
    """Where the issuer's keys are; None is what its discovery document says."""
    oidc_header: str = "Authorization"
    """The header that carries the issuer's token: for Cloudflare Access
    `Cf-Access-Jwt-Assertion`."""
    oidc_user_claim: str = "sub"
    """The claim that names the user, as `dome-mcp user add --identity` has it."""
    oidc_default_scopes: frozenset[Scope] = frozenset()
    """What a token without any scope of ours may do: for issuers that know no scopes."""
    oidc_signup: bool = False
    """Whether an identity that nobody added becomes a new user of its own."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.http_host in LOOPBACK


class Read(Protocol):
    """Reads one setting by name, or notes what is wrong with it and gives the default."""

    def __call__(self, name: str, parse: Callable[[str], Any], *, default: Any) -> Any: ...


def read_http(read: Read) -> HttpSettings:
    """The settings of the remote endpoint."""
    parsers: dict[str, Callable[[str], Any]] = {
        "http_host": host_name,
        "http_port": parse.whole(0, 65_535),
        "http_workers": parse.whole(1, 64),
        "allowed_hosts": _listed(allowed_host),
        "allowed_origins": _listed(allowed_origin),
        "trusted_proxies": _listed(network),
        "max_body_mb": parse.whole(1, 100),
        "rate_per_minute": parse.whole(1, 1_000_000),
        "max_concurrent": parse.whole(1, 10_000),
        "log_format": lambda text: parse.choice(text.lower(), ("text", "json")),
        "oidc_issuer": issuer,
        "oidc_audience": str,
        "oidc_jwks_url": issuer,
        "oidc_header": parse.matching(_HEADER, "the name of a header"),
        "oidc_user_claim": parse.matching(_CLAIM, "the name of a claim"),
        "oidc_default_scopes": parse_scopes,
        "oidc_signup": parse.boolean,
    }
    default = HttpSettings()
    values = {
        name: read(name, parsers[name], default=getattr(default, name)) for name in HTTP_NAMES
    }
    return HttpSettings(**values)


def host_name(text: str) -> str:
    """An address or a name to listen at."""
    try:
        return str(ip_address(text))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", text):
            raise InvalidInput(f"{text!r} is not an address or a host's name") from None
    return text


def allowed_host(text: str) -> str:
    """A value of the Host header, perhaps with `:*` for any port."""
    if not _HOST.fullmatch(text):
        raise InvalidInput(f"{text!r} is not a host such as dome.example.org or dome.local:*")
    return text.lower()


def allowed_origin(text: str) -> str:
    """A value of the Origin header."""
    if not _ORIGIN.fullmatch(text):
        raise InvalidInput(f"{text!r} is not an origin such as https://dome.example.org")
    return text


def network(text: str) -> str:
    """An address, or a network in CIDR notation."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise InvalidInput(f"{text!r} is not an address or a network such as 10.0.0.0/8") from None


def issuer(text: str) -> str:
    """An https URL as the issuer writes it, or http on this machine."""
    parts = urlsplit(text)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise InvalidInput(f"{text!r} is not an https URL such as https://login.example.org")
    if parts.username or parts.password or parts.fragment:
        raise InvalidInput("the URL must hold no password and no fragment")
    return text


def _listed(each: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Several values with commas or spaces between them."""
    return lambda text: tuple(each(part) for part in text.replace(",", " ").split())

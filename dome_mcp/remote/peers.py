"""Who is at the other end of a connection, where proxies may stand between.

A trusted proxy's X-Forwarded-For is read from the right, because each proxy appends whom it saw:
the first address that is no trusted proxy is the client. What stands further left the client may
have written itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

_SCHEMES = frozenset({"http", "https"})
_HOUSEHOLD_BITS = 64
"""What of an IPv6 address a provider gives to one customer, who has all the rest."""

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Peer:
    """The client's address, empty where there is none (a Unix socket), and the scheme it used."""

    address: str
    scheme: str


class Proxies:
    """The proxies that are believed about whom they speak for."""

    def __init__(self, trusted: Sequence[str]) -> None:
        networks = [ip_network(each) for each in trusted]
        self._networks: list[IPv4Network | IPv6Network] = networks

    def peer_of(self, scope: Scope, headers: Headers) -> Peer:
        """Who sent the request, and by which scheme."""
        client = scope.get("client")
        address = _plain(client[0]) if client else ""
        scheme: str = scope.get("scheme", "http")
        if not self._trusts(address):
            return Peer(address, scheme)
        claimed = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        return Peer(self._client_of(address, headers), claimed if claimed in _SCHEMES else scheme)

    def _client_of(self, proxy: str, headers: Headers) -> str:
        found = proxy
        for line in reversed(headers.getlist("x-forwarded-for")):
            for part in reversed(line.split(",")):
                address = _plain(_without_port(part.strip()))
                if not address:
                    return found
                found = address
                if not self._trusts(address):
                    return found
        return found

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def household_of(address: str) -> str:
    """What failures are counted by: an IPv4 address, or the /64 that an IPv6 address is in."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), _HOUSEHOLD_BITS), strict=False))
    return address


@lru_cache(maxsize=1024)
def _parsed(address: str) -> _Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _plain(address: str) -> str:
    """The one way to write an address; empty where it is none."""
    parsed = _parsed(address)
    return "" if parsed is None else str(parsed)


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text

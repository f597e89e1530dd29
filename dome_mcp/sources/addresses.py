"""Which internet addresses DOME connects to on a caller's word, and finding a host's addresses."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import anyio

from dome_mcp.core.errors import BackendUnavailable, Forbidden, InvalidInput

Address = IPv4Address | IPv6Address
Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""A host name to its addresses, best first; raises as `resolve` does."""

# Not public although Python's `is_global` says so, in some of its versions at least.
# Source: https://www.iana.org/assignments/iana-ipv4-special-registry (2026-11), and for
# 168.63.129.16 https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16.
_CLOSED_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; one cloud's metadata is at .192
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("168.63.129.16/32"),  # one cloud's host agent
)
# All that is allotted to the public IPv6 Internet, and what inside it is not public.
# Source: https://www.iana.org/assignments/ipv6-unicast-address-assignments (2026-11).
_PUBLIC_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = (IPv6Network("2001::/23"), IPv6Network("3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """True for an address of the public Internet.

    False for private, loopback, link-local, shared (carrier NAT), multicast, reserved and cloud
    metadata addresses, and for an IPv6 form that leads to such an IPv4 address.
    """
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address not in _PUBLIC_V6 or any(address in network for network in _CLOSED_V6):
            return False
    elif any(address in network for network in _CLOSED_V4):
        return False
    return address.is_global and not address.is_multicast


def literal(host: str) -> Address | None:
    """The address a host part spells out, in any form a browser takes; None for a name.

    `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1.

    Raises:
        InvalidInput: it ends like a number, but is not an address.
    """
    try:
        return ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
    if not (last.isdigit() or last.startswith("0x")):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError as error:
        raise InvalidInput(f"{host!r} is not an internet address.", "Check the URL.") from error


async def resolve(host: str) -> Sequence[str]:
    """The addresses of a name, in the order to try them.

    Raises:
        InvalidInput: there is no such name.
        BackendUnavailable: no name server answers.
    """
    try:
        found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
            raise InvalidInput(f"There is no host {host!r}.", "Check the URL.") from error
        raise BackendUnavailable(
            "web", "resolve", f"The address of {host!r} could not be looked up.", "Try again."
        ) from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def permitted(host: str, resolver: Resolver, *, allow_private: bool) -> Sequence[Address]:
    """The addresses of a host part, looked up once, every one of them allowed.

    Raises:
        Forbidden: one of them is not public. One is enough, so that a name cannot slip a private
            address in behind a public one.
        InvalidInput, BackendUnavailable: as for `resolve`.
    """
    spelt = literal(host)
    addresses = [spelt] if spelt else [ip_address(text) for text in await resolver(host)]
    if not addresses:
        raise InvalidInput(f"The host {host!r} has no address.", "Check the URL.")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise Forbidden(
            f"{host!r} is not on the public Internet.",
            "To read pages of your own network, set DOME_ALLOW_PRIVATE_URLS=true.",
        )
    return addresses


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 form stands for: mapped, 6to4, NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour

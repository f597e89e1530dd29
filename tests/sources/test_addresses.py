"""Which addresses are public, and what a host part stands for."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from dome_mcp.core.errors import Forbidden, InvalidInput
from dome_mcp.sources.addresses import is_public, literal, permitted, resolve

pytestmark = pytest.mark.anyio


def answering(*addresses: str):
    async def resolver(host: str) -> Sequence[str]:
        return addresses

    return resolver


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - asked about, not bound
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_of_a_machine_or_network_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
    ],
)
def test_every_spelling_of_loopback_is_understood(host: str) -> None:
    assert literal(host) == ip_address("127.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "localhost", "1.example", "0x7f.example", "a.b.c"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["256.1.1.1", "1.2.3.4.5", "99999999999", "0xzz", "example.1"])
def test_what_ends_like_a_number_and_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="not an internet address"):
        literal(host)


async def test_a_public_name_is_permitted_with_its_addresses_in_order() -> None:
    found = await permitted("a.example", answering("8.8.8.8", "1.1.1.1"), allow_private=False)
    assert [str(address) for address in found] == ["8.8.8.8", "1.1.1.1"]


async def test_one_private_address_is_enough_to_refuse_a_name() -> None:
    with pytest.raises(Forbidden, match="not on the public Internet") as caught:
        await permitted("a.example", answering("8.8.8.8", "10.1.2.3"), allow_private=False)
    assert "DOME_ALLOW_PRIVATE_URLS" in caught.value.hint
    assert "10.1.2.3" not in str(caught.value)


async def test_a_private_name_is_permitted_when_the_settings_say_so() -> None:
    found = await permitted("nas.example", answering("192.168.1.9"), allow_private=True)
    assert found == [ip_address("192.168.1.9")]


async def test_a_name_without_an_address_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        await permitted("a.example", answering(), allow_private=True)


async def test_the_machines_own_name_resolves_to_loopback() -> None:
    addresses = await resolve("localhost")
    assert set(addresses) <= {"127.0.0.1", "::1"}
    assert addresses


async def test_a_name_that_cannot_exist_is_the_callers_error() -> None:
    # A label of more than 63 letters fails in the system's resolver, before any network.
    with pytest.raises(InvalidInput, match="no host"):
        await resolve("a" * 64 + ".example")

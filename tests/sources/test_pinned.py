"""The transport below every fetch, used as a client of its own."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from dome_mcp.sources import pinned
from dome_mcp.sources.pinned import PinnedTransport, direct_transport
from tests.sources.certificates import Certificates
from tests.sources.fetching import LOOPBACK, Names
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def machine_trusts(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Certificates]:
    """The certificates, put into the machine's own store."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    pinned._trusted.cache_clear()
    yield certificates
    pinned._trusted.cache_clear()


async def test_a_certificate_of_the_machines_own_store_is_trusted_for_its_host_alone(
    machine_trusts: Certificates, start_server: Callable[..., WebServer]
) -> None:
    """The second host is at the same address, where a kept connection would still be open."""
    server = start_server(machine_trusts.serving)
    server.pages["/"] = Page(b"x")
    names = Names(pages=[[LOOPBACK]], other=[[LOOPBACK]])
    transport = PinnedTransport(direct_transport(), names, allow_private=True)
    async with httpx.AsyncClient(transport=transport, timeout=5) as client:
        answer = await client.get(server.url("/", host="pages.example", scheme="https"))
        assert answer.content == b"x"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(server.url("/", host="other.example", scheme="https"))


async def test_every_request_is_looked_up_anew(server: WebServer) -> None:
    server.pages["/"] = Page(b"x")
    names = Names(pages=[[LOOPBACK]])
    transport = PinnedTransport(direct_transport(), names, allow_private=True)
    async with httpx.AsyncClient(transport=transport, timeout=5) as client:
        for _ in range(2):
            await client.get(server.url("/", host="pages.example"))
    assert names.asked == ["pages.example", "pages.example"]

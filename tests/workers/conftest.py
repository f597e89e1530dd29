"""One local Cloudflare for the session, and ways to it."""

import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.workers.local_cloudflare.embedder_server import embedder_server
from tests.workers.local_cloudflare.running import (
    ACCOUNT_ID,
    TOKEN,
    LocalCloudflare,
    local_cloudflare,
)


@pytest.fixture(scope="session")
def cloudflare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloudflare]:
    folder = tmp_path_factory.mktemp("cloudflare")
    with embedder_server() as embedder, local_cloudflare(folder, embedder=embedder) as running:
        yield running


@pytest.fixture
def transport() -> httpx.AsyncHTTPTransport:
    """Connections without TLS: to read the authorities for each client is most of a short test."""
    return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture
async def api(
    cloudflare: LocalCloudflare, transport: httpx.AsyncHTTPTransport
) -> AsyncIterator[CloudflareApi]:
    async with CloudflareApi.open(cloudflare.account, transport=transport) as opened:
        yield opened


@pytest.fixture
async def client(cloudflare: LocalCloudflare) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the token, whose paths start after the account."""
    root = f"{cloudflare.url}/client/v4/accounts/{ACCOUNT_ID}/"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=root, headers=headers, timeout=30) as opened:
        yield opened


@pytest.fixture
def d1_path(cloudflare: LocalCloudflare) -> str:
    """The path of an empty D1 database."""
    return f"d1/database/{cloudflare.lend_database()}"

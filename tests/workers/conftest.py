"""One local Cloudflare for the session, and ways to it."""

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.workers.local_cloudflare.embedder_server import embedder_server
from tests.workers.local_cloudflare.running import (
    LocalCloudflare,
    for_tests,
    local_cloudflare,
)


@pytest.fixture(scope="session")
def model_address() -> Iterator[str]:
    """Where the embedding model listens."""
    with embedder_server() as address:
        yield address


@pytest.fixture(scope="session")
def cloudflare(
    tmp_path_factory: pytest.TempPathFactory, model_address: str
) -> Iterator[LocalCloudflare]:
    """The account that most tests share."""
    folder = tmp_path_factory.mktemp("cloudflare")
    with local_cloudflare(folder, embedder=model_address, resources=for_tests()) as running:
        yield running


@pytest.fixture
def new_account(tmp_path: Path, model_address: str) -> Iterator[LocalCloudflare]:
    """An account in which nothing was made yet."""
    folder = tmp_path / "cloudflare"
    folder.mkdir()
    with local_cloudflare(folder, embedder=model_address) as running:
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
    async with cloudflare.client() as opened:
        yield opened


@pytest.fixture
def d1_path(cloudflare: LocalCloudflare) -> str:
    """The path of an empty D1 database."""
    return f"d1/database/{cloudflare.lend_database()}"

"""The services on D1, Vectorize and R2, with the small embedder of their tests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_access import access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.core.ports import Ports
from dome_mcp.store.schema import migrate
from tests.services.conftest import WordEmbedder
from tests.workers.indexes import vectorize_index, vectors_on
from tests.workers.local_cloudflare.running import TOKEN, TOKEN_ID, LocalCloudflare


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
async def index(api: CloudflareApi, embedder: WordEmbedder) -> AsyncIterator[VectorizeIndex]:
    async with vectorize_index(api, dimensions=embedder.dimensions) as name:
        yield VectorizeIndex(api, name)


@pytest.fixture
async def ports(
    cloudflare: LocalCloudflare,
    api: CloudflareApi,
    transport: httpx.AsyncHTTPTransport,
    index: VectorizeIndex,
    embedder: WordEmbedder,
) -> AsyncIterator[Ports]:
    database = D1Database(api, cloudflare.lend_database())
    await migrate(database)
    vectors = vectors_on(index, database, model=embedder.model, dimensions=embedder.dimensions)
    key = access_key(TOKEN_ID, TOKEN)
    bucket = Bucket(cloudflare.s3_endpoint, cloudflare.lend_bucket(), key)
    async with R2Blobs.open(bucket, transport=transport) as blobs:
        yield Ports(database, vectors, blobs, embedder)

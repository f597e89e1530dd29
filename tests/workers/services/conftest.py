"""The services on D1, Vectorize and R2, with the small embedder of their tests; and, as a `site`,
on nothing but Cloudflare, with a Vectorize that lags."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

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
from tests.services.clouds import LAG_SECONDS, MODEL, NewSite, Place, Site
from tests.services.conftest import WordEmbedder
from tests.workers.indexes import vectorize_index, vectors_on
from tests.workers.local_cloudflare.running import QUEUES, TOKEN, TOKEN_ID, LocalCloudflare


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


@dataclass(frozen=True, slots=True)
class LocalSite:
    """An empty DOME on the local Cloudflare (see `Site`)."""

    cloudflare: LocalCloudflare
    place: Place

    def let_the_lag_pass(self) -> None:
        self.cloudflare.delay_mutations(self.place.index, 0)

    def lag_again(self) -> None:
        self.cloudflare.delay_mutations(self.place.index, int(LAG_SECONDS * 1000))


def _without_tls() -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture
def new_site(cloudflare: LocalCloudflare, api: CloudflareApi) -> NewSite:
    """A way to empty DOMEs, each with a database, a bucket and an index of its own."""

    @asynccontextmanager
    async def made() -> AsyncIterator[LocalSite]:
        async with vectorize_index(api, dimensions=MODEL.dimensions) as name:
            await VectorizeIndex(api, name).info()  # its metadata indexes take effect
            place = Place(
                account=cloudflare.account,
                database_id=cloudflare.lend_database(),
                index=name,
                bucket=Bucket(
                    cloudflare.s3_endpoint, cloudflare.lend_bucket(), access_key(TOKEN_ID, TOKEN)
                ),
                queue_id=QUEUES[2],  # where a companion that dies may leave messages
                transport=_without_tls,
                clock=lambda: datetime.now(UTC),
            )
            site = LocalSite(cloudflare, place)
            site.lag_again()
            yield site

    return made


@pytest.fixture
async def site(new_site: NewSite) -> AsyncIterator[Site]:
    async with new_site() as made:
        yield made

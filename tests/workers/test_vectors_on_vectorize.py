"""The vector suite over Vectorize and a real D1, and what Vectorize's delay must not show."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import VectorizeIndex
from dome_mcp.store.schema import migrate
from tests.conformance.vector_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.vector_suite import DIMENSIONS, found, store
from tests.workers.indexes import settled, vectorize_index, vectors_on
from tests.workers.local_cloudflare.running import LocalCloudflare

AN_HOUR_MS = 3_600_000


@pytest.fixture
async def database(cloudflare: LocalCloudflare, api: CloudflareApi) -> D1Database:
    """A database with the tables."""
    made = D1Database(api, cloudflare.lend_database())
    await migrate(made)
    return made


@pytest.fixture
async def index_name(api: CloudflareApi) -> AsyncIterator[str]:
    async with vectorize_index(api, dimensions=DIMENSIONS) as name:
        yield name


@pytest.fixture
def index(api: CloudflareApi, database: D1Database, index_name: str) -> VectorizeVectors:
    """An empty index."""
    return vectors_on(
        VectorizeIndex(api, index_name), database, model="test-model/fp32", dimensions=DIMENSIONS
    )


async def test_what_vectorize_has_not_taken_in_yet_is_found_and_counted(
    cloudflare: LocalCloudflare, database: D1Database, index: VectorizeVectors, index_name: str
) -> None:
    cloudflare.delay_mutations(index_name, AN_HOUR_MS)
    await store(database, index, near=10, far=80)
    assert await index.settle() == 2
    assert await index.settle() == 2
    assert await found(index, 0) == ["near", "far"]
    cloudflare.delay_mutations(index_name, 0)
    await settled(index)
    assert await found(index, 0) == ["near", "far"]


async def test_what_vectorize_still_has_is_not_found_any_more(
    cloudflare: LocalCloudflare, database: D1Database, index: VectorizeVectors, index_name: str
) -> None:
    await store(database, index, goes=0, moves=5, stays=10)
    await settled(index)
    cloudflare.delay_mutations(index_name, AN_HOUR_MS)
    await database.batch(index.unstage(["goes"]))
    await store(database, index, other=170)
    assert await index.settle() > 0
    assert await found(index, 0) == ["moves", "stays", "other"]
    cloudflare.delay_mutations(index_name, 0)
    await settled(index)
    assert await found(index, 0) == ["moves", "stays", "other"]


async def test_a_search_among_many_settled_vectors_asks_vectorize(
    database: D1Database, index: VectorizeVectors, index_name: str, api: CloudflareApi
) -> None:
    angles = {f"c{number:03}": number * 0.4 for number in range(300)}
    await store(database, index, **angles)
    await settled(index)
    info = await VectorizeIndex(api, index_name).info()
    assert info.vectors == 300
    calls = api.calls
    assert await found(index, 0, limit=5) == ["c000", "c001", "c002", "c003", "c004"]
    assert api.calls - calls <= 2

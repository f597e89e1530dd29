"""The vector suite over a Vectorize index and a D1 of the account.

One index serves all tests, although each has a database of its own: what Vectorize still holds of
an earlier test must never be found by a later one.
"""

from collections.abc import AsyncIterator

import anyio
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.provisioning import Resource, index_metadata
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.conformance.vector_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.vector_suite import (
    DIMENSIONS,
    found,
    store,
    test_settling_can_be_repeated_and_leaves_nothing_in_the_end,
)
from tests.live.marks import LIVE
from tests.live.resources import made

pytestmark = LIVE

del test_settling_can_be_repeated_and_leaves_nothing_in_the_end  # at once; below it waits

PATIENCE_SECONDS = 300
PAUSE_SECONDS = 3


@pytest.fixture
async def database(api: CloudflareApi, database_resource: Resource) -> D1Database:
    """A database with the tables."""
    opened = D1Database(api, database_resource.key)
    await migrate(opened)
    return opened


@pytest.fixture(scope="module")
async def index_name(api: CloudflareApi) -> AsyncIterator[str]:
    async with made(api, "index", dimensions=DIMENSIONS) as resource:
        await index_metadata(api, resource, METADATA_INDEXES)
        yield resource.name


@pytest.fixture
def index(api: CloudflareApi, database: D1Database, index_name: str) -> VectorizeVectors:
    """An index with nothing of this database in it."""
    return VectorizeVectors(
        VectorizeIndex(api, index_name),
        database,
        ledger=vector_ledger,
        score=matrix_scores,
        model="test-model/fp32",
        dimensions=DIMENSIONS,
    )


async def test_what_is_staged_is_settled_within_minutes_and_found_all_the_time(
    database: D1Database, index: VectorizeVectors
) -> None:
    await store(database, index, there=0, goes=1)
    await database.batch(index.unstage(["goes"]))
    with anyio.fail_after(PATIENCE_SECONDS):
        while await index.settle():
            assert await found(index, 0) == ["there"]
            await anyio.sleep(PAUSE_SECONDS)
    assert await found(index, 0) == ["there"]

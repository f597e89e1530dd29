"""The vector suite over every driver, and over every way a database may bind a number."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors, WatchedDatabase
from dome_mcp.core.ports import Statement, VectorIndex
from dome_mcp.store import vector_ledger
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate
from tests.conformance.vector_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.vector_suite import DIMENSIONS
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.vectorize import INDEX_NAME, VectorizeSimulator

MODEL = "test-model/fp32"


@pytest.fixture(params=["embedded", "vectorize"])
async def index(
    request: pytest.FixtureRequest, database: WatchedDatabase
) -> AsyncIterator[VectorIndex]:
    """An empty index."""
    await migrate(database)
    if request.param == "vectorize":
        account = SimulatedAccount()
        simulator = VectorizeSimulator(delay_seconds=0)
        simulator.create(DIMENSIONS).metadata_indexes.update(METADATA_INDEXES)
        account.register("vectorize", simulator)
        async with CloudflareApi.open(account.account, transport=account.transport) as api:
            yield VectorizeVectors(
                VectorizeIndex(api, INDEX_NAME),
                database,
                ledger=vector_ledger,
                score=matrix_scores,
                model=MODEL,
                dimensions=DIMENSIONS,
            )
        return
    await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
    yield SqliteVectors(database, model=MODEL, dimensions=DIMENSIONS, eligible=eligible_notes)

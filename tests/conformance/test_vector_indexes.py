"""The vector suite over every driver, and over every way a database may bind a number."""

import pytest

from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors, WatchedDatabase
from dome_mcp.core.ports import Statement, VectorIndex
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate
from tests.conformance.vector_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.conformance.vector_suite import DIMENSIONS


@pytest.fixture
async def index(database: WatchedDatabase) -> VectorIndex:
    """An empty index."""
    await migrate(database)
    await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
    return SqliteVectors(
        database, model="test-model/fp32", dimensions=DIMENSIONS, eligible=eligible_notes
    )

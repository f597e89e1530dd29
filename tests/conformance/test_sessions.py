"""The session suite over the rows of every database."""

import pytest

from dome_mcp.core.ports import Database
from dome_mcp.services.sessions import RowSessions
from dome_mcp.store.schema import migrate
from tests.conformance.session_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
def users() -> tuple[str, str]:
    return "ann", "bob"


@pytest.fixture
async def sessions(database: Database) -> RowSessions:
    await migrate(database)
    return RowSessions(database)

"""The database suite over every driver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Database
from tests.conformance.conftest import BINDINGS
from tests.conformance.database_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.opening import open_d1


@pytest.fixture(params=[*BINDINGS, "d1"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database."""
    if request.param == "d1":
        async with open_d1(SimulatedAccount(), D1Simulator()) as opened:
            yield opened
        return
    path = None if request.param == "memory" else tmp_path / "dome.db"
    async with SqliteDatabase.open(path, bind=BINDINGS[request.param]) as opened:
        yield opened

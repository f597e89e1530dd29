"""The application on drivers in memory, and a web server to read pages from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import settings_in
from tests.sources.conftest import server, start_server

__all__ = ["dome", "server", "start_server"]


@pytest.fixture
async def dome(tmp_path: Path) -> AsyncIterator[Dome]:
    """Reads files of `tmp_path` and pages of this machine."""
    settings = settings_in(tmp_path / "home", allow_private_urls=True)
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, settings.home, WordEmbedder())
        yield Dome.of_owner(settings, ports, holder="test")

"""A server on the real embedded drivers, as the tests of tools, resources and protocol use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from dome_mcp.app import Dome, Door, Opener
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.background import running
from dome_mcp.dome_server import DomeServer
from dome_mcp.server import OFFER, build_server
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports

ERAS = ("auto", "legacy")
"""The stateless protocol of 2026-07-28, and the handshake of 2025-11-25."""

OFFERED = replace(OFFER, tools=cache(OFFER.tools))
"""What a server offers. To make the tools takes longer than most tests, and they hold nothing."""

LISBON = (
    "Trip to Lisbon. Anna booked the hotel Miramar for the second week of May. "
    "The flight leaves at nine from gate twelve."
)
BREAD = "Sourdough bread. Feed the starter with rye flour the evening before baking."


@dataclass
class Serving:
    """A server, the door it stands behind, and how often the door was opened."""

    door: Door
    server: DomeServer
    opened: list[Dome] = field(default_factory=list)

    @property
    def dome(self) -> Dome:
        """The application as the door hands it out."""
        return replace(self.opened[-1], feed=self.door.feed)


def settings_in(home: Path, **changes: Any) -> Settings:
    """The data folder is `home`; files may be read from the folder it is in."""
    zone = ZoneInfo("Europe/Berlin")
    return Settings(home=home, timezone=zone, allowed_roots=(home.parent,), **changes)


@asynccontextmanager
async def serving(
    home: Path, *, embedder: WordEmbedder | None = None, opener: Opener | None = None
) -> AsyncIterator[Serving]:
    """A server over a data folder; without an embedder it has one that knows words only."""
    opened: list[Dome] = []

    @asynccontextmanager
    async def open_here(settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, settings.home, embedder or WordEmbedder())
            opened.append(Dome.of_owner(settings, ports, holder="test"))
            yield opened[-1]

    door = Door(settings_in(home), opener or open_here)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, running)
        yield Serving(door, build_server(door, offer=OFFERED), opened)
        tasks.cancel_scope.cancel()


@pytest.fixture(params=ERAS)
async def client(request: pytest.FixtureRequest, served: Serving) -> AsyncIterator[Client]:
    """A client of the server, in each era of the protocol."""
    async with Client(served.server, mode=request.param) as connected:
        yield connected


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    """A server without any notes."""
    async with serving(tmp_path / "home") as running_server:
        yield running_server


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured content of a call that has to succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The text of a call that has to fail."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    """The one text block of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text

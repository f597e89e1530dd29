"""What the server says of itself, when it opens the application, and how that may fail."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client

from dome_mcp import __version__
from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.server import INSTRUCTIONS, build_server
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import ERAS, LISBON, Serving, call, refused, serving, settings_in

pytestmark = pytest.mark.anyio


async def test_the_server_introduces_itself(client: Client) -> None:
    assert client.server_info.name == "dome"
    assert client.server_info.version == __version__
    assert client.instructions == INSTRUCTIONS


def test_the_instructions_fit_what_clients_keep() -> None:
    assert len(INSTRUCTIONS.encode()) < 2_000


async def test_changes_of_resources_are_announced_in_both_eras(client: Client) -> None:
    capabilities = client.server_capabilities
    assert capabilities.resources is not None
    assert capabilities.resources.list_changed
    assert capabilities.resources.subscribe
    assert capabilities.completions is not None
    assert capabilities.prompts is not None


async def test_lists_that_never_change_may_be_kept(served: Serving) -> None:
    async with Client(served.server) as client:
        tools = await client.list_tools()
        resources = await client.list_resources()
    assert (tools.ttl_ms, tools.cache_scope) == (600_000, "public")
    assert (resources.ttl_ms, resources.cache_scope) == (0, "private")


async def test_tools_are_listed_in_the_same_order_every_time(tmp_path: Path) -> None:
    orders = []
    for _ in range(2):
        async with Client(build_server(Door(settings_in(tmp_path)))) as client:
            orders.append([tool.name for tool in (await client.list_tools()).tools])
    assert orders[0] == orders[1]


class Opening:
    """An opener that is never done; `begun` is set when somebody wants it to open."""

    def __init__(self) -> None:
        self.begun = anyio.Event()

    @asynccontextmanager
    async def __call__(self, settings: Settings) -> AsyncIterator[Dome]:
        self.begun.set()
        await anyio.sleep_forever()
        yield Dome.of_owner(settings, Ports(None, None, None, None), holder="test")


async def test_the_application_opens_after_the_first_answer_without_being_asked(
    tmp_path: Path,
) -> None:
    opening = Opening()
    async with serving(tmp_path, opener=opening) as served, Client(served.server) as client:
        # The client has its answer to server/discover by now.
        assert not opening.begun.is_set()
        await client.list_tools()
        with anyio.fail_after(10):
            await opening.begun.wait()
        # And nothing that needs no application waits for it.
        assert (await client.list_prompts()).prompts
        assert (await client.list_resource_templates()).resource_templates


async def test_a_handshake_opens_the_application(tmp_path: Path) -> None:
    opening = Opening()
    async with serving(tmp_path, opener=opening) as served, Client(served.server, mode="legacy"):
        with anyio.fail_after(10):
            await opening.begun.wait()


@pytest.mark.parametrize("era", ERAS)
async def test_an_application_that_does_not_open_is_an_error_until_it_does(
    tmp_path: Path, era: str
) -> None:
    failures = [BackendUnavailable("sqlite", "open", "The disk is full.", "Free some space.")]

    @asynccontextmanager
    async def open_at_last(settings: Settings) -> AsyncIterator[Dome]:
        if failures:
            raise failures[0]
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, settings.home, WordEmbedder())
            yield Dome.of_owner(settings, ports, holder="test")

    async with (
        serving(tmp_path, opener=open_at_last) as served,
        Client(served.server, mode=era) as client,
    ):
        with anyio.fail_after(10):
            assert await refused(client, "list_notes") == "The disk is full. Free some space."
            failures.clear()
            assert (await call(client, "list_notes"))["notes"] == []


async def test_a_cancelled_ingest_leaves_no_half_note(served: Serving) -> None:
    async with Client(served.server) as client:
        await call(client, "list_notes")
        database = served.dome.ports.database
        query = database.query

        async def cancel_here(statement: Statement) -> Sequence[Row]:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
            return await query(statement)

        with anyio.CancelScope() as scope:
            database.query = cancel_here
            await client.call_tool("ingest", {"text": LISBON})
        database.query = query
        assert scope.cancelled_caught
        assert (await call(client, "list_notes"))["notes"] == []
        assert not (await call(client, "ingest", text=LISBON))["duplicate"]

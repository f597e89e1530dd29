"""A running application follows its vectors to another model or index, without a restart."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint

from dome_mcp.app import Dome, Door, opened
from dome_mcp.backends.embedded.models import CARRIED_FOLDER
from dome_mcp.background import keep_indexed, running
from dome_mcp.cli import main
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.model import SearchResult
from dome_mcp.core.ports import Ports
from dome_mcp.services.ingest import ingest
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.settings import Settings, load
from dome_mcp.store import meta
from tests.cli.simulated_cloud import SimulatedCloud, simulated_cloud
from tests.server.processes import COMMAND, environment, started
from tests.services.notes_for_tests import NOW, draft

pytestmark = pytest.mark.anyio

TOMATOES = "Tomatoes need sun."
OTHER = str(CARRIED_FOLDER)
"""The carried model under another name, as far as DOME can tell."""
OTHER_ON_CLOUDFLARE = "@cf/qwen/qwen3-embedding-0.6b"
PATIENCE_SECONDS = 30.0


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with simulated_cloud() as cloud:
        yield cloud


@asynccontextmanager
async def open_door(settings: Settings) -> AsyncIterator[Door]:
    """A door kept open with the work that goes on beside the calls."""
    door = Door(settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, running)
        with anyio.fail_after(PATIENCE_SECONDS):
            yield door
        tasks.cancel_scope.cancel()


async def until_another(door: Door, before: Dome) -> Dome:
    """The application that the door has opened in place of the one of before."""
    while (dome := await door.dome()).ports is before.ports:
        await anyio.wait_all_tasks_blocked()
    return dome


async def meaning_of(dome: Dome, query: str, mode: str = "semantic") -> SearchResult:
    request = SearchRequest(query, limit=1, mode="semantic" if mode == "semantic" else "hybrid")
    return await search(request, dome.ports, user_id=dome.user_id)


async def move(environ: dict[str, str], model: str) -> None:
    """`reindex --to`, by somebody else."""
    argv = ["reindex", "--to", model]
    assert await anyio.to_thread.run_sync(lambda: main(argv, environ=environ)) == 0


@pytest.mark.parametrize("backend", ["embedded", "cloudflare"])
async def test_an_open_application_follows_a_move_and_answers_by_keyword_until_it_has(
    backend: str, tmp_path: Path, cloud: SimulatedCloud
) -> None:
    there = dict(cloud.settings) if backend == "cloudflare" else {}
    environ = {"DOME_HOME": str(tmp_path), "DOME_TIMEZONE": "UTC", **there}
    async with open_door(load(environ)) as door:
        before = await door.dome()
        await ingest(draft(TOMATOES), before.ports, user_id=before.user_id, now=NOW)
        await move(environ, OTHER_ON_CLOUDFLARE if there else OTHER)
        still = await meaning_of(before, "tomatoes", "hybrid")
        assert [passage.text for passage in still.passages] == [TOMATOES]
        assert "only keyword search works" in (still.index.note or "")
        before.pending.ring()
        after = await until_another(door, before)
        found = await meaning_of(after, "tomatoes")
        assert [passage.text for passage in found.passages] == [TOMATOES]
        assert found.index.note is None
        # A call that came before the switch ends on what it began with.
        late = await meaning_of(before, "tomatoes", "hybrid")
        assert [passage.text for passage in late.passages] == [TOMATOES]


async def test_a_setting_that_names_the_old_model_keeps_it_and_is_opened_once_more_only(
    tmp_path: Path,
) -> None:
    environ = {"DOME_HOME": str(tmp_path), "DOME_TIMEZONE": "UTC"}
    settings = load({**environ, "DOME_EMBEDDING_MODEL": "all-MiniLM-L6-v2"})
    async with open_door(settings) as door:
        before = await door.dome()
        await ingest(draft(TOMATOES), before.ports, user_id=before.user_id, now=NOW)
        await move(environ, OTHER)
        before.pending.ring()
        after = await until_another(door, before)
        assert after.ports.embedder is not None
        assert after.ports.embedder.model == "all-MiniLM-L6-v2/int8"
        after.pending.ring()
        await anyio.wait_all_tasks_blocked()
        assert not after.outdated.is_set()


async def test_vectors_that_the_settings_do_not_reach_are_told_to_whoever_asks(
    tmp_path: Path,
) -> None:
    settings = load({"DOME_HOME": str(tmp_path), "DOME_TIMEZONE": "UTC"})
    async with open_door(settings) as door:
        before = await door.dome()
        await before.ports.database.query(meta.set_fact(meta.VECTOR_PLACE, "vectorize/dome"))
        before.pending.ring()
        with pytest.raises(ConfigurationError, match="vectorize/dome"):
            await until_another(door, before)


@pytest.mark.parametrize(
    "name", [meta.EMBEDDING_MODEL, meta.EMBEDDING_SHAPE, meta.VECTOR_PLACE, meta.VECTOR_INDEX]
)
async def test_the_background_work_ends_when_the_database_says_something_else_of_its_vectors(
    name: str, tmp_path: Path
) -> None:
    settings = load({"DOME_HOME": str(tmp_path), "DOME_TIMEZONE": "UTC"})
    async with opened(settings) as dome, anyio.create_task_group() as tasks:
        tasks.start_soon(keep_indexed, dome)
        await anyio.wait_all_tasks_blocked()
        assert not dome.outdated.is_set()
        await dome.ports.database.query(meta.set_fact(name, "another"))
        dome.pending.ring()
        with anyio.fail_after(PATIENCE_SECONDS):
            await dome.outdated.wait()


async def test_who_still_uses_the_application_of_before_is_not_cut_off(tmp_path: Path) -> None:
    closed: list[str] = []
    opened_names = iter(["one", "two"])

    @asynccontextmanager
    async def open_next(settings: Settings) -> AsyncIterator[Dome]:
        name = next(opened_names)
        ports = Ports(None, None, None, None)  # pyright: ignore[reportArgumentType]  no port is used
        try:
            yield Dome.of_owner(settings, ports, holder=name)
        finally:
            closed.append(name)

    @asynccontextmanager
    async def nothing(dome: Dome) -> AsyncIterator[None]:
        yield
        closed.append(f"work of {dome.holder}")

    door = Door(load({"DOME_HOME": str(tmp_path)}), open_next)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, nothing)
        with anyio.fail_after(5):
            one = await door.dome()
            one.outdated.set()
            while (two := await door.dome()).holder == "one":
                await checkpoint()
        assert replace(two, holder="one") != one
        assert closed == ["work of one"]
        tasks.cancel_scope.cancel()
    assert sorted(closed) == ["one", "two", "work of one"]


async def test_a_server_follows_a_move_that_another_process_makes(tmp_path: Path) -> None:
    """Two processes of the program, and nothing between them but the data folder."""
    settings = {"DOME_EMBEDDING_MODEL": "", "DOME_TIMEZONE": "UTC"}
    async with started(tmp_path, **settings) as server:
        await server.shake_hands()
        await server.call("ingest", text=TOMATOES)
        found = await server.call("search", query="gardening", mode="semantic")
        assert found["passages"][0]["text"] == TOMATOES
        ran = await anyio.run_process(
            [*COMMAND, "reindex", "--to", OTHER], env=environment(tmp_path, **settings)
        )
        assert ran.returncode == 0
        until_followed = await server.call("search", query="tomatoes")
        assert until_followed["passages"][0]["text"] == TOMATOES
        assert "keyword" in until_followed["index_state"]
        # Whatever is stored wakes the background work at once, which looks every 20 s else.
        await server.call("ingest", text="The boiler is old.")
        while (found := await server.call("search", query="gardening"))["index_state"] != "ready":
            await checkpoint()
        assert found["passages"][0]["text"] == TOMATOES

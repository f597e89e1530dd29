"""The door to the application, and the bell for its background work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dome_mcp.app import Bell, Dome, Door
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Ports
from dome_mcp.settings import Settings, load

pytestmark = pytest.mark.anyio


class Opener:
    """Opens an application without ports; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.opened = 0
        self.closed = 0

    @asynccontextmanager
    async def __call__(self, settings: Settings) -> AsyncIterator[Dome]:
        if self.failures:
            self.failures -= 1
            raise BackendUnavailable("sqlite", "open", "The database is busy.")
        self.opened += 1
        try:
            yield dome_of(settings)
        finally:
            self.closed += 1


def dome_of(settings: Settings) -> Dome:
    ports = Ports(None, None, None, None)  # pyright: ignore[reportArgumentType]  no port is used
    return Dome.of_owner(settings, ports, holder="test")


@asynccontextmanager
async def nothing(dome: Dome) -> AsyncIterator[None]:
    del dome
    yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"DOME_HOME": str(tmp_path)})


async def test_all_who_wait_get_the_same_application_opened_once(settings: Settings) -> None:
    opener = Opener()
    door = Door(settings, opener)
    domes: list[Dome] = []

    async def ask() -> None:
        domes.append(await door.dome())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.keep, nothing)
            async with anyio.create_task_group() as asking:
                for _ in range(3):
                    asking.start_soon(ask)
            domes.append(await door.dome())
            tasks.cancel_scope.cancel()
    assert len(domes) == 4
    assert all(dome is domes[0] for dome in domes)
    assert (opener.opened, opener.closed) == (1, 1)


async def test_nothing_is_opened_before_it_is_wanted(settings: Settings) -> None:
    opener = Opener()
    door = Door(settings, opener)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, nothing)
        await anyio.wait_all_tasks_blocked()
        assert opener.opened == 0
        door.knock()
        await anyio.wait_all_tasks_blocked()
        assert opener.opened == 1
        tasks.cancel_scope.cancel()


async def test_a_failure_is_told_and_the_next_to_ask_tries_again(settings: Settings) -> None:
    door = Door(settings, Opener(failures=1))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.keep, nothing)
            with pytest.raises(BackendUnavailable, match="busy"):
                await door.dome()
            assert (await door.dome()).holder == "test"
            tasks.cancel_scope.cancel()


async def test_background_work_that_fails_closes_the_application_and_the_next_call_opens_it(
    settings: Settings,
) -> None:
    opener = Opener()
    door = Door(settings, opener)
    fail = anyio.Event()

    @asynccontextmanager
    async def failing(dome: Dome) -> AsyncIterator[None]:
        async def work() -> None:
            await fail.wait()
            raise ValueError("a defect")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            yield
            tasks.cancel_scope.cancel()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.keep, failing)
            await door.dome()
            fail.set()
            while not opener.closed:
                await checkpoint()
            fail = anyio.Event()
            await door.dome()
            assert opener.opened == 2
            tasks.cancel_scope.cancel()


async def test_an_unattended_door_has_the_application_made_when_it_is_wanted_and_then_keeps_it(
    settings: Settings,
) -> None:
    made: list[Dome] = []

    async def make() -> Dome:
        if not made:
            made.append(dome_of(settings))
            raise BackendUnavailable("d1", "query", "The database is away.")
        made.append(dome_of(settings))
        return made[-1]

    door = Door.unattended(settings, make)
    assert made == []
    with pytest.raises(BackendUnavailable):
        await door.dome()
    assert await door.dome() is await door.dome()
    assert len(made) == 2
    assert (await door.dome()).feed is door.feed


async def test_a_ring_while_the_listener_is_busy_is_not_lost() -> None:
    bell = Bell()
    assert not bell.has_rung
    bell.ring()
    assert bell.has_rung
    with anyio.fail_after(5):
        await bell.wait(60)


async def test_a_bell_that_nobody_rings_stops_waiting() -> None:
    with anyio.fail_after(5):
        await Bell().wait(0.01)

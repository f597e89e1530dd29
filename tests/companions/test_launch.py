"""A companion that is started for the user: once, detached, and outliving whoever started it."""

import os
import signal
from collections.abc import AsyncIterator

import anyio
import pytest

from dome_mcp.app import Dome
from dome_mcp.companion_launch import LOG_FILE, companion_kept, ensure_running
from dome_mcp.services.companions import CompanionState, beat, companion_state
from dome_mcp.settings import Settings, load
from tests.companions.conftest import Stage, until
from tests.companions.processes import ELSEWHERE, end_all, is_over, pids, wait_for_end

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="a process is ended by a signal"),
]


@pytest.fixture
async def settings(stage: Stage) -> AsyncIterator[Settings]:
    """Settings under which a companion may be started; it is gone after the test."""
    yield load({"DOME_HOME": str(stage.home), "DOME_TIMEZONE": "Asia/Tokyo"})
    await end_all(stage.database)


async def state(stage: Stage) -> CompanionState:
    return await companion_state(stage.database, now=stage.clock())


async def is_running(stage: Stage) -> bool:
    return (await state(stage)).is_running


async def ensure(settings: Settings, stage: Stage, holder: str = "a") -> bool:
    return await ensure_running(settings, stage.database, holder=holder, now=stage.clock())


async def test_it_is_started_once_in_a_session_of_its_own(settings: Settings, stage: Stage) -> None:
    await stage.remind("Renew the passport", at="+52w")
    assert await ensure(settings, stage)
    assert not await ensure(settings, stage, "b")
    await until(lambda: is_running(stage))
    assert not await ensure(settings, stage, "b")
    (pid,) = await pids(stage.database)
    assert os.getsid(pid) not in (os.getsid(0), 0)
    assert os.getpgid(pid) != os.getpgid(0)
    log = stage.home / LOG_FILE
    assert log.stat().st_mode & 0o777 == 0o600
    assert "is running" in log.read_text(encoding="utf-8")


async def test_it_ends_in_good_order_when_it_is_told_to(settings: Settings, stage: Stage) -> None:
    await stage.remind("Renew the passport", at="+52w")
    await ensure(settings, stage)
    await until(lambda: is_running(stage))
    (pid,) = await pids(stage.database)
    os.kill(pid, signal.SIGTERM)
    await wait_for_end(pid)
    assert await pids(stage.database) == []
    assert "has ended" in (stage.home / LOG_FILE).read_text(encoding="utf-8")


async def test_none_is_started_where_the_settings_say_so(stage: Stage) -> None:
    await stage.remind("Renew the passport", at="+52w")
    settings = load({"DOME_HOME": str(stage.home), "DOME_COMPANION": "off"})
    assert not await ensure(settings, stage)
    assert not (await state(stage)).is_starting


async def test_none_is_started_beside_another(settings: Settings, stage: Stage) -> None:
    await stage.remind("Renew the passport", at="+52w")
    await beat(stage.database, ELSEWHERE, now=stage.clock(), details={})
    assert not await ensure(settings, stage)


async def test_a_server_starts_one_as_soon_as_there_is_something_to_fire(
    settings: Settings, stage: Stage
) -> None:
    dome = Dome.of_owner(settings, stage.ports, holder="server")
    async with companion_kept(dome):
        await anyio.wait_all_tasks_blocked()
        assert not (await state(stage)).is_starting
        await stage.remind("Renew the passport", at="+52w")
        dome.companion.ring()
        await until(lambda: is_running(stage))
    # The server has gone; the companion has not.
    (pid,) = await pids(stage.database)
    assert not is_over(pid)

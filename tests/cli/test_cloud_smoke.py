"""What is looked at after Workers were deployed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.commands.cloud_smoke import CRON, await_api, await_beat
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Database
from dome_mcp.services.companions import beat
from dome_mcp.store.schema import migrate
from tests.simulators.cloudflare.loopback import on_loopback

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = 0.02
PATIENCE = 10.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with SqliteDatabase.open(tmp_path / "dome.db") as opened:
        await migrate(opened)
        yield opened


async def test_an_address_that_is_not_known_yet_is_asked_again() -> None:
    statuses = iter([404, 503, 200])

    async def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/healthz"
        return httpx.Response(next(statuses))

    with on_loopback(answer) as url, anyio.fail_after(PATIENCE):
        assert await await_api(url, seconds=PATIENCE, again_seconds=SOON) == "it answers"


async def test_an_api_that_does_not_answer_in_time_is_named_with_what_it_said() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    with on_loopback(answer) as url, pytest.raises(BackendUnavailable, match=r"status 503"):
        await await_api(url, seconds=0.5, again_seconds=SOON)


@asynccontextmanager
async def cron_running(database: Database, errors: list[str]) -> AsyncIterator[None]:
    """Beats, a minute later each time, while the block runs."""

    async def run() -> None:
        for minute in count(1):
            at = NOON + timedelta(minutes=minute)
            await beat(database, CRON, now=at, details={"errors": errors})
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield
        tasks.cancel_scope.cancel()


async def test_a_run_is_seen_by_a_beat_that_is_newer_than_the_last_one(database: Database) -> None:
    await beat(database, CRON, now=NOON, details={})
    with pytest.raises(BackendUnavailable, match="companion status"):
        await await_beat(database, seconds=0.2, again_seconds=SOON)
    with anyio.fail_after(PATIENCE):
        async with cron_running(database, errors=[]):
            assert await await_beat(database, seconds=PATIENCE, again_seconds=SOON) == "it has"


async def test_a_run_that_fails_is_told_with_its_error(database: Database) -> None:
    async with cron_running(database, errors=["D1 failed."]):
        with pytest.raises(BackendUnavailable, match=r"D1 failed\."):
            await await_beat(database, seconds=0.5, again_seconds=SOON)

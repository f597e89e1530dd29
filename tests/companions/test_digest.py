"""A companion's day: it sends the digest by a real webhook, and forgets what is past its time."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, timedelta
from typing import cast

import anyio
import pytest

from dome_mcp.companion_wiring import open_agenda
from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Statement
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.core.timestamps import from_ms
from dome_mcp.services.channels import add_channel
from dome_mcp.services.digest import set_digest
from dome_mcp.services.housekeeping import last_kept
from dome_mcp.services.tasks import complete_task, create_task
from dome_mcp.store.notes import to_int
from tests.companions.conftest import Stage, until
from tests.simulators.webhook_sink import WebhookSink, running_webhook_sink
from worker_companions.health import Health
from worker_companions.loops import Companion
from worker_companions.upkeep import keep_house

pytestmark = pytest.mark.anyio

ZONE = "Europe/Berlin"
_AUDIT = """
INSERT INTO audit (at_ms, user_id, credential, source, action, target, outcome, times)
VALUES (1000, 'me', '', '', '', '', 'ok', 1)"""
_DIGEST = "SELECT due_at_ms FROM reminders WHERE kind = 'digest'"
_OPEN = "SELECT 1 FROM deliveries WHERE state IN ('PENDING', 'SENDING')"


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as running:
        yield running


@pytest.fixture
async def task_id(stage: Stage, sink: WebhookSink) -> str:
    """A task that is overdue, of a user whose webhook sends a digest in an hour, and daily then."""
    daily = Channel("daily", "me", "webhook", sink.url("/daily"))
    await add_channel(daily, stage.ports, user_id="me", now=stage.clock(), allow_private=True)
    at = (stage.clock() + timedelta(hours=1)).astimezone(UTC)
    await set_digest(
        "daily", f"{at:%H:%M}", stage.ports, user_id="me", now=stage.clock(), zone="UTC"
    )
    day = stage.clock().astimezone(stage.settings.timezone).date() - timedelta(days=2)
    new = NewTask("Pay the rent", due=day.isoformat())
    made = await create_task(new, stage.ports, user_id="me", now=stage.clock(), zone=ZONE)
    return made.task.task_id


@pytest.fixture
async def companion(stage: Stage, task_id: str) -> AsyncIterator[Companion]:
    """A companion with all that it has on a machine, but for the clock."""
    async with open_agenda(stage.settings) as agenda, anyio.create_task_group() as tasks:
        companion = Companion(agenda, stage.clock, pid=1)
        tasks.start_soon(companion.run)
        yield companion
        companion.stop()


async def test_the_digest_is_sent_on_each_day_that_has_something(
    stage: Stage, sink: WebhookSink, task_id: str, companion: Companion
) -> None:
    del companion  # at work

    async def rests() -> bool:
        """Whether the digest waits for its next day, and nothing of it is on its way."""
        (row,) = await stage.database.query(Statement(_DIGEST))
        is_fired = from_ms(to_int(row["due_at_ms"])) > stage.clock()
        return is_fired and not await stage.database.query(Statement(_OPEN))

    for day in range(3):
        stage.clock.advance(hours=24 if day else 1)
        await until(rests)
        assert len(sink.posted) == min(day + 1, 2)
        if day == 1:
            await complete_task(task_id, stage.ports, user_id="me", now=stage.clock())
    for posted in sink.posted:
        assert (posted.path, posted.json["type"]) == ("/daily", "digest")
        assert (posted.json["text"], posted.json["actions"]) == ("Today: 1 overdue", [])
        assert "- Pay the rent (since " in posted.json["snippet"]


async def test_what_is_past_its_time_goes_soon_after_a_companion_has_come_up(stage: Stage) -> None:
    await stage.database.query(Statement(_AUDIT))

    async def is_forgotten() -> bool:
        return not await stage.database.query(Statement("SELECT 1 FROM audit"))

    async with stage.running():
        await until(is_forgotten)
    assert await last_kept(stage.database) is not None


async def test_what_cannot_be_forgotten_is_told_of_and_stops_no_reminder(stage: Stage) -> None:
    database = stage.database
    await database.query(Statement("ALTER TABLE exchanges RENAME TO elsewhere"))
    await stage.remind("Call Anna")
    async with stage.running():
        stage.clock.advance(minutes=2)
        await stage.mailbox.wait_for(1)
    now = stage.clock() + timedelta(days=1)
    health = Health(now, pid=1)
    await keep_house(database, health, now=now)
    (told,) = cast("list[str]", health.details(now)["errors"])
    assert "Old sessions are left for another day" in told

"""Digests on real rows: turned on and off, fired, made of the day, and sent once."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import InvalidInput, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.services.agenda_archive import all_reminders, to_record, to_reminder
from dome_mcp.services.channels import add_channel, list_channels, remove_channel
from dome_mcp.services.digest import end_digest, set_digest
from dome_mcp.services.reminders import create_reminder, inbox, update_reminder
from dome_mcp.services.tasks import create_task
from tests.services.conftest import make_ports
from tests.services.crashing import Crash, Fuse, Moment
from tests.services.dispatching import BERLIN, HOOK, NOW, USER, Companion, all_deliveries, busy

pytestmark = pytest.mark.anyio

DIGEST_AT = NOW + timedelta(hours=1)
"""Ten o'clock in Berlin; it is nine."""
DAY = timedelta(days=1)


@pytest.fixture
async def companion(ports: Ports) -> Companion:
    """A companion of a user whose one channel sends a digest at ten."""
    await add_channel(HOOK, ports, user_id=USER, now=NOW, allow_private=False)
    await turn_on(ports, "10:00")
    return Companion(ports.database)


async def turn_on(ports: Ports, at: str, *, now: datetime = NOW) -> str:
    digest = await set_digest("hook", at, ports, user_id=USER, now=now, zone=BERLIN)
    return digest.reminder_id


async def add_task(ports: Ports, text: str, due: str, *, reminder: str | None = None) -> None:
    new = NewTask(text, due=due, remind=(reminder,) if reminder else ())
    await create_task(new, ports, user_id=USER, now=NOW, zone=BERLIN)


async def remind(ports: Ports, text: str, at: str) -> None:
    await create_reminder(NewReminder(text, at=at), ports, user_id=USER, now=NOW, zone=BERLIN)


async def test_it_tells_of_the_day_and_of_nothing_else(companion: Companion, ports: Ports) -> None:
    await add_task(ports, "Pay the rent", "2026-02-27")
    await add_task(ports, "Call the plumber", "2026-03-02T14:00", reminder="-1h")
    await add_task(ports, "Tomorrow's task", "2026-03-03T00:00")
    await remind(ports, "Water the plants", "+30m")
    await remind(ports, "Take the bins out", "2026-03-02T18:00")
    await remind(ports, "Tomorrow's reminder", "2026-03-03T00:00")
    await set_digest("desktop", "18:30", ports, user_id=USER, now=NOW, zone=BERLIN)
    await companion.run(NOW + timedelta(minutes=30))
    await companion.run(DIGEST_AT)
    told = [notice for notice in companion.sink.notices if notice.kind == "digest"]
    assert [notice.snippet.splitlines() for notice in told] == [
        [
            "Overdue:",
            "- Pay the rent (since Friday, 27 February 2026)",
            "Due today:",
            "- 14:00 Call the plumber",
            "Reminders today:",
            "- 18:00 Take the bins out",
            "Not acknowledged:",
            "- Water the plants (since Monday, 2 March 2026)",
        ]
    ]
    assert [each.firing.due_at for each in await inbox(ports, user_id=USER, now=DIGEST_AT)] == [
        NOW + timedelta(minutes=30)
    ]


async def test_on_a_day_that_has_nothing_nothing_is_sent_and_on_the_next_it_is(
    companion: Companion, ports: Ports
) -> None:
    await add_task(ports, "Call the plumber", "2026-03-03T14:00")
    assert await companion.run(DIGEST_AT) == [None]
    assert companion.sink.received == []
    assert await companion.run(DIGEST_AT + DAY) == ["DELIVERED"]
    assert [notice.text for notice in companion.sink.notices] == ["Today: 1 due"]


async def test_two_companions_send_it_once_a_day(companion: Companion, ports: Ports) -> None:
    await add_task(ports, "Pay the rent", "2026-02-27")
    other = Companion(ports.database, queue=companion.queue, sink=companion.sink)
    for day in range(3):
        async with anyio.create_task_group() as tasks:
            for each in (companion, other):
                tasks.start_soon(each.run, DIGEST_AT + day * DAY)
    assert len(companion.sink.keys) == len(set(companion.sink.keys)) == 3


async def test_a_notice_that_nobody_acknowledged_is_told_of_for_a_week(
    companion: Companion, ports: Ports
) -> None:
    await remind(ports, "Water the plants", "+30m")
    await companion.run(NOW + timedelta(minutes=30))
    assert await companion.run(DIGEST_AT + 6 * DAY) == ["DELIVERED"]
    assert await companion.run(DIGEST_AT + 7 * DAY) == [None]


@asynccontextmanager
async def due_digest(folder: Path) -> AsyncIterator[Companion]:
    """A companion with a digest that is due and has something to tell."""
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, folder, None)
        await add_channel(HOOK, ports, user_id=USER, now=NOW, allow_private=False)
        await turn_on(ports, "10:00")
        await add_task(ports, "Pay the rent", "2026-02-27")
        yield Companion(database)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_companion_that_dies_anywhere_still_sends_it_once(
    tmp_path: Path, moment: Moment
) -> None:
    async with due_digest(tmp_path) as whole:
        await whole.run(DIGEST_AT)
    # As for a reminder (next, due, record, claim, send, next; begin, notify, settle), and the day.
    assert whole.fuse.calls == 10
    for call in range(whole.fuse.calls):
        async with due_digest(tmp_path) as companion:
            with pytest.raises(Crash):
                await replace(companion, fuse=Fuse(call, moment)).run(DIGEST_AT)
            for minutes in (0, 2, 4):
                await companion.run(DIGEST_AT + timedelta(minutes=minutes))
            assert len(companion.sink.notices) == 1, f"{moment} {call}"


async def test_a_machine_that_was_off_sends_that_days_and_not_those_before(
    companion: Companion, ports: Ports
) -> None:
    await add_task(ports, "Pay the rent", "2026-02-27")
    early_on_wednesday = DIGEST_AT + 2 * DAY - timedelta(hours=4)
    assert await companion.run(early_on_wednesday) == [None]
    late_on_thursday = DIGEST_AT + 3 * DAY + timedelta(hours=5)
    assert await companion.run(late_on_thursday) == ["DELIVERED"]
    (notice,) = companion.sink.notices
    assert (notice.when[:8], notice.late) == ("Thursday", "5 hours late.")


async def test_one_that_is_refused_is_tried_again_until_its_day_is_over(
    companion: Companion, ports: Ports
) -> None:
    await add_task(ports, "Pay the rent", "2026-02-27")
    companion.sink.answers = [busy(), busy()]
    assert await companion.run(DIGEST_AT) == ["PENDING"]
    assert await companion.run(DIGEST_AT + timedelta(seconds=5)) == ["PENDING"]
    assert (await companion.run(DIGEST_AT + DAY - timedelta(minutes=1))) == [None]
    assert companion.sink.received == []


async def test_it_is_moved_turned_off_and_on_again_and_listed_with_its_channel(
    companion: Companion, ports: Ports
) -> None:
    async def listed() -> list[str | None]:
        found = await list_channels(ports, user_id=USER)
        return [each.digest and each.digest.isoformat("minutes") for each in found]

    await add_task(ports, "Pay the rent", "2026-02-27")
    assert await listed() == ["10:00"]
    await turn_on(ports, "11:00")
    assert await listed() == ["11:00"]
    assert (await companion.tick(DIGEST_AT)).next_due == DIGEST_AT + timedelta(hours=1)
    assert await end_digest(" Hook", ports, user_id=USER, now=NOW) == "hook"
    assert await listed() == [None]
    assert (await companion.tick(DIGEST_AT + DAY)).next_due is None
    await turn_on(ports, "10:00", now=NOW + DAY)
    assert await companion.run(DIGEST_AT + DAY) == ["DELIVERED"]


async def test_one_that_is_on_its_way_when_it_is_turned_off_is_not_sent(
    companion: Companion, ports: Ports
) -> None:
    await add_task(ports, "Pay the rent", "2026-02-27")
    await companion.tick(DIGEST_AT)
    await end_digest("hook", ports, user_id=USER, now=DIGEST_AT)
    assert await companion.work(DIGEST_AT) == [None]
    assert companion.sink.received == []


async def test_it_goes_with_its_channel(companion: Companion, ports: Ports) -> None:
    assert await remove_channel("hook", ports, user_id=USER, now=NOW) == 0
    assert (await companion.tick(DIGEST_AT)).next_due is None


async def test_it_is_cancelled_as_a_reminder_is(companion: Companion, ports: Ports) -> None:
    digest_id = await turn_on(ports, "10:00")
    cancel = ReminderAction("cancel")
    await update_reminder(digest_id, cancel, ports, user_id=USER, now=NOW, zone=BERLIN)
    assert await companion.run(DIGEST_AT) == []
    assert await all_deliveries(ports.database, digest_id) == []


async def test_it_is_turned_on_for_a_channel_there_is_and_at_a_time_of_day(
    companion: Companion, ports: Ports
) -> None:
    del companion  # its user has one channel
    with pytest.raises(InvalidInput):
        await turn_on(ports, "half past nine")
    for name, user_id in (("phone", USER), ("hook", "you")):
        with pytest.raises(NotFound):
            await set_digest(name, "10:00", ports, user_id=user_id, now=NOW, zone=BERLIN)
    await set_digest("desktop", "10:00", ports, user_id=USER, now=NOW, zone=BERLIN)


async def test_an_export_knows_what_is_a_digest_and_an_older_one_has_none(
    companion: Companion, ports: Ports
) -> None:
    del companion
    (digest,) = [each async for each in all_reminders(ports, user_id=USER)]
    record = json.loads(json.dumps(to_record(digest)))
    assert to_reminder(record, user_id=USER) == digest
    del record["kind"]
    assert to_reminder(record, user_id=USER).kind == "reminder"

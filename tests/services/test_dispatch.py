"""A tick: what it fires, what it records and claims, and how much of it at a time."""

from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest

from dome_mcp.core.agenda import DeliveryPolicy, Firing
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Database, Ports, Row, Statement
from dome_mcp.services.dispatch import BATCH_FIRINGS, tick
from tests.services.dispatching import (
    NOW,
    POLICY,
    USER,
    Companion,
    MemoryQueue,
    all_deliveries,
    firings,
    later,
    only_delivery,
    reminder,
    store,
    stored,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def companion(ports: Ports) -> Companion:
    return Companion(ports.database)


# What fires


async def test_nothing_fires_before_its_time(companion: Companion):
    await store(companion.database, reminder(at=later(60)))
    ticked = await companion.tick()
    assert (ticked.fired, ticked.claimed, ticked.next_due) == (0, 0, later(60))
    assert companion.queue.bodies == []


async def test_an_empty_agenda_has_no_next_time(companion: Companion):
    assert (await companion.tick()).next_due is None


async def test_a_reminder_that_comes_once_is_delivered_and_finished(companion: Companion):
    await store(companion.database, reminder())
    ticked = await companion.tick()
    assert (ticked.fired, ticked.claimed) == (1, 1)
    assert await companion.work() == ["DELIVERED"]
    done = await stored(companion.database)
    assert (done.state, done.due_at, done.next_at, done.revision) == ("finished", None, None, 2)
    (firing,) = await firings(companion.database)
    assert firing == Firing("r1", USER, due_at=NOW, occurrence_at=NOW, fired_at=NOW)
    ((key, notice),) = companion.sink.received
    assert key == f"r1:{int(NOW.timestamp() * 1000)}:hook"
    assert (notice.text, notice.when) == ("r1", "Monday 2 March 2026, 09:00 (Europe/Berlin)")
    assert (await only_delivery(companion.database)).receipt == "webhook 1"


async def test_a_year_of_a_weekly_series_with_months_of_silence_is_one_notice_with_its_count(
    companion: Companion,
):
    await store(companion.database, reminder(rule="FREQ=WEEKLY"))
    await companion.run(NOW)
    for hours in range(3, 6):
        await companion.run(NOW + timedelta(weeks=26, hours=hours))
    for week in range(27, 53):
        await companion.run(NOW + timedelta(weeks=week))
    notices = companion.sink.notices
    assert len(notices) == 1 + 1 + 26
    # 26 weeks on it is summer, and nine o'clock in Berlin is an hour earlier by UTC.
    assert notices[1].when == "Monday 31 August 2026, 09:00 (Europe/Berlin)"
    assert notices[1].late == "4 hours late. 25 earlier ones were missed."
    assert not any("missed" in notice.late for notice in notices[2:])


async def test_each_missed_occurrence_fires_where_each_is_wanted(companion: Companion):
    await store(companion.database, reminder(rule="FREQ=DAILY", catch_up="all"))
    await companion.run(NOW + timedelta(days=4, hours=1))
    assert [firing.due_at for firing in await firings(companion.database)] == [
        NOW + timedelta(days=day) for day in range(5)
    ]
    assert len(companion.sink.notices) == 5


async def test_missed_occurrences_that_are_passed_over_are_counted_in_the_next_notice(
    companion: Companion,
):
    await store(companion.database, reminder(rule="FREQ=DAILY", catch_up="skip"))
    await companion.run(NOW + timedelta(days=2, hours=1))
    assert companion.sink.notices == []
    assert (await stored(companion.database)).missed == 3
    await companion.run(NOW + timedelta(days=3))
    assert [each.late for each in companion.sink.notices] == ["3 earlier ones were missed."]
    assert (await stored(companion.database)).missed == 0


async def test_a_clock_that_jumps_back_fires_nothing_twice(companion: Companion):
    await store(companion.database, reminder(rule="FREQ=DAILY"), reminder("r2"))
    await companion.run(NOW + timedelta(days=1))
    fired = await firings(companion.database, "r1", "r2")
    for hours in (0, 3, 23, 24):
        await companion.run(NOW + timedelta(hours=hours))
    assert await firings(companion.database, "r1", "r2") == fired
    assert len(companion.sink.received) == len(fired) == 2


async def test_a_snoozed_occurrence_fires_again_and_leaves_the_series_alone(companion: Companion):
    tomorrow, hour = NOW + timedelta(days=1), later(3600)
    snoozed = reminder(
        rule="FREQ=DAILY", next_at=tomorrow, snooze_at=hour, snooze_of=NOW, due_at=hour
    )
    await store(companion.database, snoozed)
    await companion.run(hour)
    after = await stored(companion.database)
    assert (after.due_at, after.next_at, after.snooze_at) == (tomorrow, tomorrow, None)
    assert companion.sink.notices[0].when.endswith("10:00 (Europe/Berlin), moved from 09:00")
    assert (await firings(companion.database))[0].occurrence_at == NOW


# Beside others, and in what portions


async def test_two_ticks_at_once_fire_and_claim_once(companion: Companion):
    names = [f"r{n}" for n in range(20)]
    await store(companion.database, *map(reminder, names))
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(companion.tick)
    assert len(companion.queue.bodies) == 20
    async with anyio.create_task_group() as tasks:
        for body in companion.queue.take() * 2:
            tasks.start_soon(companion.attempt, body)
    assert len(await firings(companion.database, *names)) == 20
    assert sorted(notice.text for _, notice in companion.sink.received) == sorted(names)


@pytest.mark.parametrize("changed", ["revision", "due_at_ms"])
async def test_a_change_between_reading_and_recording_wins_and_disturbs_no_other(
    changed: str, companion: Companion
):
    database = companion.database
    await store(database, reminder("r1"), reminder("r2"))
    overtaken = Companion(Overtaken(database, changed))
    ticked = await overtaken.tick()
    assert (ticked.fired, ticked.claimed) == (1, 1)
    assert [firing.reminder_id for firing in await firings(database, "r1", "r2")] == ["r2"]
    assert [each.reminder_id for each in await all_deliveries(database, "r1", "r2")] == ["r2"]
    assert (await stored(database, "r1")).state == "active"


class Overtaken:
    """The database of a tick that a user's change overtakes, after it read what is due."""

    def __init__(self, inner: Database, changed: str) -> None:
        self.inner = inner
        self.change = f"UPDATE reminders SET {changed} = {changed} + 1 WHERE reminder_id = 'r1'"  # noqa: S608  a column's name

    async def query(self, statement: Statement) -> Sequence[Row]:
        rows = await self.inner.query(statement)
        if "default_channels" in statement.sql:
            await self.inner.query(Statement(self.change))
        return rows

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self.inner.batch(statements)


async def test_a_tick_does_one_batch_and_says_that_more_is_due(companion: Companion):
    companion.policy = DeliveryPolicy(batch=2)
    await store(companion.database, *(reminder(f"r{n}", later(n)) for n in range(5)))
    ticks = [await companion.tick(later(10)) for _ in range(4)]
    assert [(each.fired, each.claimed) for each in ticks] == [(2, 2), (2, 2), (1, 1), (0, 0)]
    assert [each.next_due for each in ticks[:2]] == [later(2), later(4)]
    assert ticks[2].next_due == later(10 + companion.policy.claim_seconds)


async def test_a_tick_claims_no_more_than_a_batch_of_what_waits(companion: Companion):
    companion.policy = DeliveryPolicy(batch=2)
    await store(companion.database, reminder(channels=("hook", "mail", "phone")))
    assert [await companion.claims(NOW) for _ in range(3)] == [2, 1, 0]


async def test_firings_are_recorded_in_transactions_of_a_bounded_size(companion: Companion):
    names = [f"r{n}" for n in range(25)]
    made = [reminder(name, rule="FREQ=DAILY", catch_up="all") for name in names]
    await store(companion.database, *made)
    counted = Counted(companion.database)
    ticked = await tick(counted, MemoryQueue(), POLICY, now=NOW + timedelta(days=150))
    assert ticked.fired == 2500
    assert counted.firings == [BATCH_FIRINGS, 2 * BATCH_FIRINGS, 2500]


class Counted:
    """A database that notes how many firings there are after each batch."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.query = inner.query
        self.firings: list[int] = []

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        results = await self.inner.batch(statements)
        (row,) = await self.inner.query(Statement("SELECT count(*) AS n FROM firings"))
        self.firings.append(int(row["n"] or 0))
        return results


async def test_a_queue_that_fails_loses_nothing(companion: Companion):
    class Down:
        async def send(self, bodies: Sequence[str]) -> None:
            raise BackendUnavailable("queue", "send", "The queue is down.")

    await store(companion.database, reminder())
    with pytest.raises(BackendUnavailable):
        await tick(companion.database, Down(), POLICY, now=NOW)
    await companion.run_until_quiet()
    assert len(companion.sink.received) == 1

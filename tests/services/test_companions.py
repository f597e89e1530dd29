"""Heartbeats: who runs, who is late, who is missing, and who may start one."""

from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import Reminder, Schedule
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services.companions import (
    FRESH,
    WORKER_BEAT_SECONDS,
    CompanionState,
    beat,
    companion_state,
    end_beat,
    may_start,
)
from dome_mcp.store import reminders
from tests.services.crashing import Fuse, database_with_fuse

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def database(ports: Ports) -> Database:
    return ports.database


async def add_reminder(database: Database) -> None:
    """Something to fire, next year."""
    due_at = NOW + timedelta(days=365)
    reminder = Reminder(
        "R1", "anna", "Renew the passport", Schedule(due_at.replace(tzinfo=None), "UTC"),
        "active", NOW, NOW, 1, due_at=due_at, next_at=due_at,
    )  # fmt: skip
    await database.query(reminders.insert_reminder(reminder))


async def test_without_a_heartbeat_nothing_runs(database: Database) -> None:
    assert await companion_state(database, now=NOW) == CompanionState(is_running=False)


async def test_the_state_costs_one_request_of_the_database(database: Database) -> None:
    fuse = Fuse()
    await companion_state(database_with_fuse(database, fuse), now=NOW)
    assert fuse.calls == 1


async def test_a_companion_runs_while_its_heart_beats(database: Database) -> None:
    await beat(database, "one", now=NOW, details={"lag_seconds": 2.5, "errors": ["no route"]})
    state = await companion_state(database, now=NOW + FRESH)
    assert (state.is_running, state.last_beat) == (True, NOW)
    assert (state.lag_seconds, state.last_errors) == (2.5, ("no route",))


async def test_a_companion_that_fell_silent_does_not_run(database: Database) -> None:
    await beat(database, "one", now=NOW, details={"lag_seconds": 2.5, "errors": ["no route"]})
    state = await companion_state(database, now=NOW + FRESH + SECOND)
    assert (state.is_running, state.last_beat, state.lag_seconds) == (False, NOW, 0.0)
    assert state.last_errors == ("no route",)


async def test_the_state_is_that_of_all_that_run(database: Database) -> None:
    await beat(database, "gone", now=NOW - timedelta(hours=1), details={"errors": ["old"]})
    await beat(database, "one", now=NOW - SECOND, details={"errors": ["a", "b"]})
    await beat(database, "two", now=NOW, details={"lag_seconds": 9, "errors": ["b"]})
    state = await companion_state(database, now=NOW)
    assert (state.last_beat, state.lag_seconds, state.last_errors) == (NOW, 9.0, ("b", "a"))


async def test_a_companion_that_ends_takes_its_heartbeat_along(database: Database) -> None:
    await beat(database, "one", now=NOW, details={})
    await end_beat(database, "one")
    assert not (await companion_state(database, now=NOW)).is_running


async def test_a_heartbeat_from_far_ahead_counts_for_nothing(database: Database) -> None:
    await beat(database, "one", now=NOW + timedelta(days=300), details={})
    assert not (await companion_state(database, now=NOW)).is_running


async def test_heartbeats_of_a_week_ago_are_forgotten(database: Database) -> None:
    await beat(database, "old", now=NOW - timedelta(days=8), details={})
    await beat(database, "new", now=NOW, details={})
    await end_beat(database, "new")
    assert (await companion_state(database, now=NOW)).last_beat is None


async def test_a_problem_is_named_only_where_there_is_something_to_fire(
    database: Database,
) -> None:
    assert (await companion_state(database, now=NOW)).problem(NOW) is None
    await add_reminder(database)
    problem = (await companion_state(database, now=NOW)).problem(NOW)
    assert problem is not None
    assert problem.startswith("No companion runs")
    assert "dome-mcp companion install" in problem
    await beat(database, "one", now=NOW, details={})
    assert (await companion_state(database, now=NOW)).problem(NOW) is None
    later = NOW + timedelta(minutes=12)
    assert "for 12 min" in str((await companion_state(database, now=later)).problem(later))


async def test_one_asker_alone_may_start_a_companion(database: Database) -> None:
    await add_reminder(database)
    assert await may_start(database, "a", now=NOW)
    assert not await may_start(database, "b", now=NOW + SECOND)
    assert not await may_start(database, "a", now=NOW + SECOND)
    state = await companion_state(database, now=NOW + SECOND)
    assert state.is_starting
    assert state.problem(NOW + SECOND) is None


async def test_another_may_start_one_when_the_first_came_to_nothing(database: Database) -> None:
    await add_reminder(database)
    assert await may_start(database, "a", now=NOW)
    assert await may_start(database, "b", now=NOW + timedelta(minutes=1))


async def test_nobody_starts_a_companion_beside_one_that_runs(database: Database) -> None:
    await add_reminder(database)
    await beat(database, "one", now=NOW, details={})
    assert not await may_start(database, "a", now=NOW)


async def test_nobody_starts_a_companion_with_nothing_to_fire(database: Database) -> None:
    assert not await may_start(database, "a", now=NOW)


async def test_a_worker_runs_while_it_misses_no_more_beats_than_a_companion(
    database: Database,
) -> None:
    every = timedelta(seconds=WORKER_BEAT_SECONDS)
    await beat(database, "worker", now=NOW, details={"every_seconds": WORKER_BEAT_SECONDS})
    state = await companion_state(database, now=NOW + 3 * every)
    assert (state.is_running, state.is_worker_alone) == (True, True)
    assert not (await companion_state(database, now=NOW + 3 * every + SECOND)).is_running


async def test_a_companion_may_start_beside_a_worker_that_runs_alone(database: Database) -> None:
    await add_reminder(database)
    await beat(database, "worker", now=NOW, details={"every_seconds": WORKER_BEAT_SECONDS})
    assert (await companion_state(database, now=NOW)).problem(NOW) is None
    assert await may_start(database, "a", now=NOW)
    await beat(database, "one", now=NOW, details={})
    assert not (await companion_state(database, now=NOW)).is_worker_alone
    assert not await may_start(database, "b", now=NOW + timedelta(seconds=30))

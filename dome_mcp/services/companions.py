"""Whether somebody fires the reminders: the heartbeats of the companions, written and read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from dome_mcp.core.ports import Database, Row
from dome_mcp.core.timestamps import from_ms
from dome_mcp.store import companions, deliveries, leases, waiting
from dome_mcp.store.notes import to_int

BEAT_SECONDS = 15.0
WORKER_BEAT_SECONDS = 60.0
"""A Worker runs once a minute; it says so in its beats, as `every_seconds`."""
_BEATS_MISSED = 3
FRESH = timedelta(seconds=_BEATS_MISSED * BEAT_SECONDS)
"""A companion whose last beat is older has stopped, or its machine sleeps."""

_BEAT = timedelta(seconds=BEAT_SECONDS)
_FORGET_AFTER = timedelta(days=7)
_START_LEASE = "companion-start"
_STARTING = timedelta(seconds=20)
_FUTURE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CompanionState:
    """How the companions do. `lag_seconds` is how late what they have to do next already is.

    `is_starting`: none runs yet, but somebody started one a few seconds ago. `is_needed`: there
    is something to fire or to deliver, some day.
    """

    is_running: bool
    last_beat: datetime | None = None
    lag_seconds: float = 0.0
    last_errors: tuple[str, ...] = ()
    is_starting: bool = False
    is_needed: bool = False
    is_worker_alone: bool = False
    """All that runs is a Worker, which has no desktop and reaches no mail server."""

    def problem(self, now: datetime) -> str | None:
        """What the user should know, in words; None while whatever there is to fire will fire."""
        if self.is_running or self.is_starting or not self.is_needed:
            return None
        since = "No companion runs, so no reminder fires."
        if self.last_beat is not None:
            minutes = max(1, round((now - self.last_beat).total_seconds() / 60))
            since = f"No companion has run for {minutes} min, so no reminder fires."
        return f"{since} Run `dome-mcp companion install`, or `dome-mcp companion run`."


@dataclass(frozen=True, slots=True)
class Unserved:
    """Notices of one channel that no companion can send that runs; `reason` says which could."""

    channel: str
    reason: str
    deliveries: int


async def unserved(database: Database, *, user_id: str) -> tuple[Unserved, ...]:
    """What of the user's the companions that run cannot send, by channel."""
    rows = await database.query(waiting.unserved(user_id))
    return tuple(
        Unserved(str(row["channel"]), str(row["last_error"]), to_int(row["deliveries"]))
        for row in rows
    )


async def release_unserved(database: Database, *, now: datetime) -> None:
    """Has what the others could not send tried at once; for a companion that has just come up."""
    await database.query(waiting.release_unserved(now))


async def beat(
    database: Database, name: str, *, now: datetime, details: Mapping[str, object]
) -> None:
    """Records that the companion `name` is alive.

    `details` may hold `lag_seconds`, `errors`, and `every_seconds`, where that is not BEAT_SECONDS.
    """
    await database.batch(
        [
            companions.beat(name, now=now, details=json.dumps(details)),
            companions.forget_beats_before(now - _FORGET_AFTER),
        ]
    )


async def end_beat(database: Database, name: str) -> None:
    """Records that the companion `name` has ended in good order."""
    await database.query(companions.forget_beat(name))


async def companion_state(database: Database, *, now: datetime) -> CompanionState:
    """How the companions do, by their heartbeats."""
    rows, starting, times = await database.batch(
        [
            companions.latest_beats(),
            leases.live_lease(_START_LEASE, now=now),
            deliveries.next_times(),
        ]
    )
    # A beat from the future was made before the clock was set back; nobody knows how old it is.
    known = [row for row in rows if _at(row) <= now + _FUTURE]
    fresh = [row for row in known if now - _at(row) <= _BEATS_MISSED * _every(row)]
    details = [_details(row) for row in fresh or known[:1]]
    return CompanionState(
        is_running=bool(fresh),
        last_beat=max(map(_at, known), default=None),
        lag_seconds=max((_lag(each) for each in details if fresh), default=0.0),
        last_errors=tuple(dict.fromkeys(error for each in details for error in _errors(each))),
        is_starting=not fresh and bool(starting),
        is_needed=deliveries.to_next_time(times[0]) is not None,
        is_worker_alone=bool(fresh) and all(_every(row) > _BEAT for row in fresh),
    )


async def may_start(database: Database, holder: str, *, now: datetime) -> bool:
    """Whether the caller is to start a companion: it is needed, and neither runs nor is starting.

    A Worker alone is none: some channels are served by a companion of a machine only. Whoever is
    told so has some seconds in which nobody else is.
    """
    state = await companion_state(database, now=now)
    # A lease can be taken again by its holder, so that alone would not do.
    is_served = state.is_running and not state.is_worker_alone
    if is_served or state.is_starting or not state.is_needed:
        return False
    lease = leases.take_lease(_START_LEASE, holder, now=now, duration=_STARTING)
    return bool(await database.query(lease))


def _at(row: Row) -> datetime:
    return from_ms(to_int(row["at_ms"]))


def _every(row: Row) -> timedelta:
    """How often this companion beats."""
    seconds = _details(row).get("every_seconds", BEAT_SECONDS)
    return timedelta(seconds=seconds) if isinstance(seconds, int | float) else _BEAT


def _details(row: Row) -> Mapping[str, object]:
    return cast("Mapping[str, object]", json.loads(str(row["details"])))


def _lag(details: Mapping[str, object]) -> float:
    lag = details.get("lag_seconds", 0.0)
    return float(lag) if isinstance(lag, int | float) else 0.0


def _errors(details: Mapping[str, object]) -> Sequence[str]:
    return [str(error) for error in cast("Sequence[object]", details.get("errors", ()))]

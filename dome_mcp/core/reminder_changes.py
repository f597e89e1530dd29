"""What a user does to a reminder: snooze, reschedule, acknowledge, cancel, resume.

Each change is a function from the reminder as it is to the reminder as it shall be. A change to
one occurrence leaves the schedule's rule alone: the occurrence is excepted from it and takes the
place of a snooze.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Firing, Reminder, Schedule
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import (
    checked,
    first_at,
    next_at,
    passed,
    restarted,
    skipping,
    upcoming,
)
from dome_mcp.core.timestamps import local_iso
from dome_mcp.core.when import parse_duration, shifted
from dome_mcp.core.zones import instant_of, wall_of

NEXT_FIRES = 3
_COUNT = re.compile(r"(?<=COUNT=)\d+")


def timed(
    reminder: Reminder,
    *,
    next_at: datetime | None,
    snooze_at: datetime | None = None,
    snooze_of: datetime | None = None,
) -> Reminder:
    """The reminder with these times, and the due time and state that follow from them."""
    times = [at for at in (next_at, snooze_at) if at is not None]
    return replace(
        reminder,
        next_at=next_at,
        snooze_at=snooze_at,
        snooze_of=snooze_of,
        due_at=min(times, default=None),
        state="active" if times or awaits_completion(reminder.schedule) else "finished",
    )


def awaits_completion(schedule: Schedule) -> bool:
    """Whether each next occurrence counts from when the last one was completed."""
    return schedule.rule is not None and schedule.anchor == "completion"


def next_fires(reminder: Reminder) -> tuple[datetime, ...]:
    """The next times the reminder fires, at most three, the soonest first.

    Of a reminder that counts from completion only the next one is known.
    """
    times = {at for at in (reminder.next_at, reminder.snooze_at) if at is not None}
    if reminder.next_at is not None:
        times.update(upcoming(reminder.schedule, reminder.next_at, NEXT_FIRES - 1))
    return tuple(sorted(times)[:NEXT_FIRES])


def stopped(reminder: Reminder) -> Reminder:
    """The reminder without anything to come; it may be resumed."""
    return replace(
        reminder, state="finished", due_at=None, next_at=None, snooze_at=None, snooze_of=None
    )


def cancelled(reminder: Reminder) -> Reminder:
    """The reminder stopped by the user, which nothing but resuming it brings back."""
    return replace(stopped(reminder), state="cancelled")


def resumed(reminder: Reminder, *, now: datetime) -> Reminder:
    """The reminder at its next future occurrence; finished where it has none."""
    if reminder.state == "active":
        return reminder
    following = next_at(reminder.schedule, now)
    if following is None and awaits_completion(reminder.schedule):
        return _restarted(reminder, now)
    return timed(reminder, next_at=following)


def acknowledged(reminder: Reminder, *, now: datetime) -> Reminder:
    """The reminder after the user has seen it: one that counts from completion starts again."""
    waits = reminder.state == "active" and reminder.due_at is None
    if not waits or not awaits_completion(reminder.schedule):
        return reminder
    return _restarted(reminder, now)


def postponed(reminder: Reminder, at: datetime, *, fired: Firing | None) -> Reminder:
    """The reminder with one occurrence at another time, and its schedule otherwise as it was.

    The occurrence is the one of `fired`, where one is given, else the next to come.

    Raises:
        InvalidInput: there is no occurrence to move, or another one is moved already.
    """
    if fired is not None:
        _require_free(reminder, fired.occurrence_at)
        return timed(
            reminder, next_at=reminder.next_at, snooze_at=at, snooze_of=fired.occurrence_at
        )
    if reminder.due_at is None:
        raise InvalidInput(
            "This reminder has nothing to come that could be moved.",
            "Reschedule it with scope series and at, or create a new one.",
        )
    if reminder.due_at == reminder.snooze_at:
        return timed(reminder, next_at=reminder.next_at, snooze_at=at, snooze_of=reminder.snooze_of)
    _require_free(reminder, reminder.due_at)
    schedule = skipping(reminder.schedule, reminder.due_at)
    following = None if awaits_completion(schedule) else next_at(schedule, reminder.due_at)
    return timed(
        replace(reminder, schedule=schedule),
        next_at=following,
        snooze_at=at,
        snooze_of=reminder.due_at,
    )


def skipped(reminder: Reminder, due_at: datetime) -> Reminder:
    """The reminder without what comes next, an occurrence or a snooze, which is at `due_at`."""
    if due_at == reminder.snooze_at:
        return timed(reminder, next_at=reminder.next_at)
    if awaits_completion(reminder.schedule):
        return _restarted(reminder, due_at)
    schedule = skipping(reminder.schedule, due_at)
    return timed(
        replace(reminder, schedule=schedule),
        next_at=next_at(schedule, due_at),
        snooze_at=reminder.snooze_at,
        snooze_of=reminder.snooze_of,
    )


def rescheduled(reminder: Reminder, start: datetime, *, now: datetime) -> Reminder:
    """The reminder with its schedule from another first wall time on; its rule stays.

    What a rule with a COUNT has used up stays used up. In a series, the snooze of an occurrence
    that has fired is kept. The reminder no longer moves with its task.

    Raises:
        InvalidInput: it is past, or the rule never fires from there.
    """
    schedule = replace(reminder.schedule, start=start, exdates=(), rule=_left_of(reminder))
    schedule = checked(schedule, now=now, allow_past=False)
    is_kept = (
        schedule.rule is not None and reminder.snooze_of is not None and reminder.snooze_of <= now
    )
    return timed(
        replace(reminder, schedule=schedule, due_offset=None, missed=0),
        next_at=next_at(schedule, now),
        snooze_at=reminder.snooze_at if is_kept else None,
        snooze_of=reminder.snooze_of if is_kept else None,
    )


def _restarted(reminder: Reminder, completed_at: datetime) -> Reminder:
    """The reminder counted from a completion; finished where its count is used up."""
    schedule = restarted(reminder.schedule, completed_at)
    after = timed(replace(reminder, schedule=schedule), next_at=first_at(schedule))
    return after if after.next_at else stopped(after)


def _require_free(reminder: Reminder, occurrence_at: datetime) -> None:
    """Sees to it that moving this occurrence does not lose another one that is moved already."""
    if reminder.snooze_at is None or reminder.snooze_of == occurrence_at:
        return
    at = local_iso(reminder.snooze_at, ZoneInfo(reminder.schedule.zone))
    raise InvalidInput(
        f"Another occurrence of this reminder is already moved, to {at}.",
        "Create a reminder of its own for this one.",
    )


def _left_of(reminder: Reminder) -> str | None:
    """The rule, its COUNT less the occurrences that are over."""
    schedule = reminder.schedule
    if schedule.rule is None or reminder.next_at is None:
        return schedule.rule
    begin = instant_of(schedule.start, schedule.zone) - timedelta(seconds=1)
    whole = replace(schedule, exdates=())
    used = passed(whole, begin, reminder.next_at - timedelta(seconds=1)).count
    return _COUNT.sub(lambda match: str(max(int(match[0]) - used, 1)), schedule.rule)


def offset_schedule(offset: str, due_at: datetime, *, zone: str) -> Schedule:
    """When a reminder with this offset from a task's due time fires."""
    return Schedule(shifted(wall_of(due_at, zone), parse_duration(offset), ZoneInfo(zone)), zone)

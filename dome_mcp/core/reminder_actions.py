"""What a user asks to be done to a reminder, as text, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Firing, Reminder
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.reminder_changes import (
    acknowledged,
    cancelled,
    postponed,
    rescheduled,
    resumed,
    skipped,
)
from dome_mcp.core.timestamps import local_iso
from dome_mcp.core.when import parse_duration, parse_when, shifted
from dome_mcp.core.zones import parse_zone, to_instant, to_wall

SNOOZE = "1h"


@dataclass(frozen=True, slots=True)
class ReminderAction:
    """What to do to a reminder; `at` or `by` say when, for snooze and reschedule.

    Without a scope the whole reminder is cancelled, and one occurrence is moved.
    """

    action: Literal["snooze", "reschedule", "acknowledge", "cancel", "resume"]
    at: str | None = None
    by: str | None = None
    scope: Literal["occurrence", "series"] | None = None


@dataclass(frozen=True, slots=True)
class ReminderChange:
    """A reminder as it shall be."""

    reminder: Reminder
    is_seen: bool
    """The user has dealt with what it said; its notices leave the inbox."""


def changed(
    reminder: Reminder,
    action: ReminderAction,
    *,
    last: Firing | None,
    zone: ZoneInfo,
    now: datetime,
) -> ReminderChange:
    """What becomes of a reminder; `last` is its last firing, `zone` the user's.

    The `at` of a snooze is in the user's zone, that of a reschedule in the reminder's own.

    Raises:
        InvalidInput: a time that cannot work, or nothing to snooze, move or resume.
    """
    match action.action:
        case "acknowledge":
            return ReminderChange(acknowledged(reminder, now=now), is_seen=True)
        case "cancel":
            return ReminderChange(_cancelled(reminder, action), is_seen=True)
        case "resume":
            return ReminderChange(_resumed(reminder, zone=zone, now=now), is_seen=False)
        case "snooze":
            return _snoozed(reminder, action, last=last, zone=zone, now=now)
        case "reschedule":
            return _rescheduled(reminder, action, last=last, now=now)


def _cancelled(reminder: Reminder, action: ReminderAction) -> Reminder:
    if action.scope != "occurrence" or reminder.schedule.rule is None or reminder.due_at is None:
        return cancelled(reminder)
    return skipped(reminder, reminder.due_at)


def _snoozed(
    reminder: Reminder,
    action: ReminderAction,
    *,
    last: Firing | None,
    zone: ZoneInfo,
    now: datetime,
) -> ReminderChange:
    """The occurrence that fired and waits in the inbox, else the next to come, at a later time."""
    _require_alive(reminder)
    is_open = last is not None and last.acknowledged_at is None
    fired = last if is_open or reminder.due_at is None else None
    occurrence = fired.occurrence_at if fired else reminder.snooze_of or reminder.due_at or now
    at = _instant(action, zone, base=max(now, occurrence), now=now)
    return ReminderChange(postponed(reminder, at, fired=fired), is_seen=fired is not None)


def _rescheduled(
    reminder: Reminder, action: ReminderAction, *, last: Firing | None, now: datetime
) -> ReminderChange:
    if action.at is None and action.by is None:
        raise InvalidInput("It is not said to when.", "Send at, or by, for example by 2h.")
    _require_alive(reminder)
    zone = parse_zone(reminder.schedule.zone)
    is_series = action.scope == "series" and reminder.schedule.rule is not None
    base = (reminder.next_at if is_series else reminder.due_at) or now
    at = _instant(action, zone, base=base, now=now)
    if is_series or reminder.schedule.rule is None:
        moved = rescheduled(reminder, to_wall(at, zone), now=now)
        return ReminderChange(moved, is_seen=reminder.due_at is None)
    fired = last if reminder.due_at is None else None
    return ReminderChange(postponed(reminder, at, fired=fired), is_seen=fired is not None)


def _resumed(reminder: Reminder, *, zone: ZoneInfo, now: datetime) -> Reminder:
    after = resumed(reminder, now=now)
    if after.state == "active":
        return after
    raise InvalidInput(
        "This reminder has no time to come.",
        f"Use reschedule with at. It is now {local_iso(now, zone)} ({zone.key}).",
    )


def _instant(action: ReminderAction, zone: ZoneInfo, *, base: datetime, now: datetime) -> datetime:
    """The time in `at`, or `by` after the base."""
    if action.at and action.by:
        raise InvalidInput("at and by are both given.", "Send one of them.")
    if action.at:
        wall = parse_when(action.at, zone, now)
    else:
        wall = shifted(to_wall(base, zone), parse_duration(action.by or SNOOZE), zone)
    at = to_instant(wall, zone)
    if at <= now:
        raise InvalidInput(
            f"{local_iso(at, zone)} is past.",
            f"Send a time to come. It is now {local_iso(now, zone)} ({zone.key}).",
        )
    return at


def _require_alive(reminder: Reminder) -> None:
    if reminder.state == "cancelled":
        raise InvalidInput(
            "This reminder is cancelled.", "Use resume first, or create a new reminder."
        )

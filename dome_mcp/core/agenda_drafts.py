"""From what was asked for to a task or reminder that is to be written, and what is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Anchor, Schedule, Task
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import checked, first_at, next_at, with_end
from dome_mcp.core.reminder_changes import offset_schedule
from dome_mcp.core.rules import parse_repeat
from dome_mcp.core.timestamps import local_iso
from dome_mcp.core.when import parse_duration, parse_when
from dome_mcp.core.zones import instant_of, to_instant, to_wall, wall_of

MAX_TEXT = 2_000
MAX_REMINDERS = 20
AT_DUE = "0m"

_MORNING = time(9)
_LAST_MINUTE = time(23, 59)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How something repeats, as it was asked for: words or an RRULE, and an end."""

    repeat: str | None = None
    until: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """When a reminder fires: its schedule, and its offset where it moves with a task's due time."""

    schedule: Schedule
    due_offset: str | None = None


def clean_text(text: str, *, name: str) -> str:
    """The text without outer space.

    Raises:
        InvalidInput: nothing is left, or it is too long.
    """
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInput(f"The {name} is empty.", "Say in a few words what it is about.")
    if len(cleaned) > MAX_TEXT:
        raise InvalidInput(
            f"The {name} is {len(cleaned)} characters long.",
            f"Send at most {MAX_TEXT}; store a longer text as a note and link it in note_ids.",
        )
    return cleaned


def due_wall(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The wall time a task is due; a date alone is 09:00, or if that was today, the day's end.

    Raises:
        InvalidInput: not a time.
    """
    wall = parse_when(text, zone, now)
    latest = parse_when(text, zone, now, default_time=_LAST_MINUTE)
    return wall if to_instant(wall, zone) >= now or latest.date() != _today(zone, now) else latest


def task_schedule(
    start: datetime, zone: ZoneInfo, *, repeat: str | None, now: datetime
) -> Schedule:
    """The schedule of a task that is due at `start`, a wall time, which may be past.

    Raises:
        InvalidInput: a repetition that cannot be read, or never comes.
    """
    rule, anchor = parse_repeat(repeat) if repeat else (None, "schedule")
    return checked(Schedule(start, zone.key, rule, anchor=anchor), now=now, allow_past=True)


def reminder_schedule(
    at: str | None, zone: ZoneInfo, *, recurrence: Recurrence, now: datetime
) -> Schedule:
    """The schedule of a reminder; without `at` a repeating one starts at 09:00.

    Raises:
        InvalidInput: no time, a past one, or a repetition that cannot be read or never comes.
    """
    rule, anchor = _rule(recurrence, zone, now)
    if at:
        start = parse_when(at, zone, now)
    elif rule:
        # A rule that names its hours starts with the day, so that today's are not passed over.
        start = datetime.combine(_today(zone, now), time() if "BYHOUR" in rule else _MORNING)
    else:
        raise InvalidInput(
            "It is not said when to remind.",
            f"Send at, for example 2026-03-01T18:30 or +90m. It is now {local_iso(now, zone)}.",
        )
    schedule = Schedule(start, zone.key, rule, anchor=anchor)
    is_open = bool(rule) and not at
    return checked(schedule, now=now, allow_past=is_open)


def start_of_repeating(zone: ZoneInfo, now: datetime) -> datetime:
    """The wall time a repetition without a time of its own starts from: today at 09:00."""
    return datetime.combine(_today(zone, now), _MORNING)


def timing_for_task(text: str, task: Task, zone: ZoneInfo, *, now: datetime) -> Timing:
    """When to remind of a task: `-1h` before it is due, `due`, or a time of its own.

    Raises:
        InvalidInput: not a time, a past one, or an offset where the task has no due time.
    """
    offset = due_offset(text)
    if offset is None:
        schedule = reminder_schedule(text, zone, recurrence=Recurrence(), now=now)
        return Timing(schedule)
    if task.due_at is None or task.schedule is None:
        raise InvalidInput(
            f"{text!r} counts from the due time, but the task has none.",
            "Send due as well, or a time such as +2h or 2026-03-01T18:30.",
        )
    schedule = offset_schedule(offset, task.due_at, zone=task.schedule.zone)
    at = first_at(schedule)
    if task.schedule.rule is None and (at is None or at <= now):
        raise InvalidInput(
            f"{text!r} before the due time is past: {_spoken(at or now, schedule.zone)}.",
            f"Send a shorter one, or a time. It is now {_spoken(now, schedule.zone)}.",
        )
    return Timing(schedule, offset)


def due_offset(text: str) -> str | None:
    """The offset from a due time in `-1h`, `due` or `0`; None for a time of its own.

    Raises:
        InvalidInput: a duration that does not say which way it counts.
    """
    value = "".join(text.lower().split())
    if value in ("due", "atdue", "0", "0m", "-0m", "+0m"):
        return AT_DUE
    if value.startswith("-"):
        parse_duration(value)
        return value
    if value[:1].isdigit() and _is_duration(value):
        raise InvalidInput(
            f"{text!r} may be before the due time or from now.",
            f"Send -{value} for before it is due, or +{value} for from now.",
        )
    return None


def first_fire(schedule: Schedule, *, now: datetime) -> datetime | None:
    """When a new reminder fires first: never in the past."""
    first = first_at(schedule)
    return first if first is None or first >= now else next_at(schedule, now)


def clock_warnings(schedule: Schedule, fires: Sequence[datetime]) -> tuple[str, ...]:
    """What the user should know about the first time: it was moved, or it happens twice."""
    if not fires:
        return ()
    start, zone = schedule.start, schedule.zone
    at = instant_of(start, zone)
    if schedule.rule and fires[0] != at:
        return (f"The rule's first time is {_spoken(fires[0], zone)}, not {_wall(start)}.",)
    if fires[0] != at:
        return ()
    if wall_of(at, zone).replace(fold=0) != start:
        return (f"{_wall(start)} does not exist in {zone}: it fires at {_spoken(at, zone)}.",)
    if instant_of(start.replace(fold=1), zone) != instant_of(start.replace(fold=0), zone):
        return (f"{_wall(start)} happens twice in {zone}: it fires at {_spoken(at, zone)}.",)
    return ()


def _rule(recurrence: Recurrence, zone: ZoneInfo, now: datetime) -> tuple[str | None, Anchor]:
    has_end = bool(recurrence.until) or recurrence.count is not None
    if not recurrence.repeat:
        if has_end:
            raise InvalidInput(
                "until and count end a repetition, but there is none.",
                "Send repeat as well, for example daily, or leave until and count out.",
            )
        return None, "schedule"
    rule, anchor = parse_repeat(recurrence.repeat)
    if has_end:
        rule = with_end(
            rule, until=recurrence.until or None, count=recurrence.count, zone=zone, now=now
        )
    return rule, anchor


def _is_duration(value: str) -> bool:
    try:
        parse_duration(value)
    except InvalidInput:
        return False
    return True


def _today(zone: ZoneInfo, now: datetime) -> date:
    return to_wall(now, zone).date()


def _spoken(at: datetime, zone: str) -> str:
    return f"{_wall(wall_of(at, zone))} ({zone})"


def _wall(wall: datetime) -> str:
    return wall.isoformat(sep=" ", timespec="minutes")

"""When a schedule fires: its wall times as instants, in order and each once.

A rule is evaluated in wall time and then mapped, so a reminder for nine stays at nine across a
change of clocks. Two wall times can be the same instant (one of them does not exist that day), and
a wall time in a gap can come out after later ones; `_instants` sees to both.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Schedule
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.expansion import days, last_wall, walls
from dome_mcp.core.rules import SUBDAILY, Rule, parse_repeat, parse_rule
from dome_mcp.core.when import parse_when
from dome_mcp.core.wording import readable
from dome_mcp.core.zones import instant_of, parse_zone, to_instant, to_wall, wall_of

__all__ = [
    "Passed",
    "checked",
    "first_at",
    "instant_of",
    "next_at",
    "parse_repeat",
    "passed",
    "readable",
    "restarted",
    "skipping",
    "upcoming",
    "wall_of",
    "with_end",
]

_END_OF_DAY = time(23, 59, 59)
_ONE_DAY = timedelta(days=1)
_LONGEST_GAP = timedelta(hours=48)
"""Longer than clocks were ever put forward (a day, to change sides of the date line)."""
_KEPT_EXDATES = 400
"""More than a year of daily exceptions; older ones lie behind every question asked."""


@dataclass(frozen=True, slots=True)
class Passed:
    """How many occurrences there were, and the last of them."""

    count: int
    latest: datetime | None


def checked(schedule: Schedule, *, now: datetime, allow_past: bool) -> Schedule:
    """The schedule with its rule in one spelling, once it is certain that it can fire.

    A rule may have begun in the past; what is asked of it is that it fires again.

    Raises:
        InvalidInput: unknown zone, unreadable rule, one that never fires, or (unless
            `allow_past`) nothing left to fire after `now`.
    """
    zone = parse_zone(schedule.zone)
    rule = _rule(schedule, zone)
    result = replace(
        schedule,
        start=schedule.start.replace(microsecond=0),
        zone=zone.key,
        rule=None if rule is None else str(rule),
    )
    first = first_at(result)
    if first is None:
        raise InvalidInput(
            f"The repetition {result.rule} never fires.",
            "Send days that exist, for example FREQ=MONTHLY;BYMONTHDAY=-1 for each month's last.",
        )
    if allow_past or first >= now or next_at(result, now) is not None:
        return result
    local = f"it is now {now.astimezone(zone).isoformat(timespec='minutes')} ({zone.key})"
    if rule is not None:
        raise InvalidInput(f"The repetition is over; {local}.", "Send a later until or at.")
    at = first.astimezone(zone).isoformat(timespec="minutes")
    raise InvalidInput(f"{at} is in the past; {local}.", "Send a time to come, or +30m.")


def with_end(
    rule: str, *, until: str | None, count: int | None, zone: ZoneInfo, now: datetime
) -> str:
    """The rule with another end; unchanged where neither `until` nor `count` is given.

    `until` is a time as `parse_when` takes it; a date includes its whole day.

    Raises:
        InvalidInput: both are given, one cannot be read, or the rule cannot.
    """
    if until is None and count is None:
        return rule
    if until is not None and count is not None:
        raise InvalidInput("A repetition ends by until or by count.", "Send one of them.")
    if count is not None and count < 1:
        raise InvalidInput(f"count is {count}.", "Send how often it is to fire, 1 or more.")
    end = None if until is None else parse_when(until, zone, now, default_time=_END_OF_DAY)
    ended = replace(parse_rule(rule, zone), until=end, count=count)
    return str(parse_rule(str(ended), zone))


def first_at(schedule: Schedule) -> datetime | None:
    """The first occurrence, None where there is none."""
    return next(_instants_from(schedule, schedule.start), None)


def next_at(schedule: Schedule, after: datetime) -> datetime | None:
    """The first occurrence after `after` and not at it, None where there are no more.

    A schedule that counts from completion has only its first one until it is `restarted`.
    """
    return next(_instants_after(schedule, after), None)


def upcoming(schedule: Schedule, after: datetime, limit: int) -> list[datetime]:
    """The first `limit` occurrences after `after`."""
    return list(islice(_instants_after(schedule, after), limit))


def passed(schedule: Schedule, since: datetime, until: datetime) -> Passed:
    """How many occurrences lie in `(since, until]`, and the last one.

    Whole days are counted, not walked, unless clocks went forward or an exception lies on them.
    """
    zone = parse_zone(schedule.zone)
    rule = _rule(schedule, zone)
    if rule is None or schedule.anchor == "completion":
        only = {at for at in _instants_from(schedule, schedule.start) if since < at <= until}
        return Passed(len(only), max(only, default=None))
    excluded = _excluded(schedule, zone)
    end = last_wall(rule, schedule.start) or datetime.max
    # A day more at both ends: where clocks are set, a wall time may come before or after its like.
    first = to_wall(since, zone).date() - _ONE_DAY
    last = to_wall(until, zone).date()
    edges = {first, first + _ONE_DAY, last, last + _ONE_DAY, end.date()}
    edges |= {to_wall(at, zone).date() for at in excluded}
    counted, walked, latest = 0, set[datetime](), None
    for day, times in days(rule, schedule.start, first):
        if day > min(end.date(), last + _ONE_DAY):
            break
        if day in edges or _is_put_forward(day, zone):
            all_day = [datetime.combine(day, at) for at in times]
            walked |= {to_instant(wall, zone) for wall in all_day if wall <= end}
        else:
            counted += len(times)
            latest = datetime.combine(day, times[-1])
    walked = {at for at in walked - excluded if since < at <= until}
    total = counted + len(walked)
    if latest is not None:
        walked.add(to_instant(latest, zone))
    return Passed(total, max(walked, default=None))


def skipping(schedule: Schedule, occurrence_at: datetime) -> Schedule:
    """The schedule without that occurrence."""
    wall = wall_of(occurrence_at, schedule.zone)
    return replace(schedule, exdates=tuple(sorted({*schedule.exdates, wall})[-_KEPT_EXDATES:]))


def restarted(schedule: Schedule, completed_at: datetime) -> Schedule:
    """The schedule counted from a completion: its start is the next occurrence after that.

    The time of day stays, except for a step of hours or minutes. A count goes down by one; when
    nothing is left the result has no first occurrence.
    """
    zone = parse_zone(schedule.zone)
    rule = _rule(schedule, zone)
    if rule is None:
        return schedule
    completed = to_wall(completed_at, zone)
    origin = completed.replace(second=0, microsecond=0)
    if rule.frequency not in SUBDAILY:
        origin = datetime.combine(completed, schedule.start.time())
    left = None if rule.count is None else max(rule.count - 1, 0)
    rule = replace(rule, count=left)
    endless = replace(rule, count=None)
    later = (w for w in walls(endless, origin, origin) if w > max(completed, origin))
    start = next(later, None)
    if start is None or left == 0:
        return replace(schedule, rule=str(replace(rule, until=None, count=0)), exdates=())
    return replace(schedule, start=start, rule=str(rule), exdates=())


def _rule(schedule: Schedule, zone: ZoneInfo) -> Rule | None:
    return None if schedule.rule is None else _parsed(schedule.rule, zone)


@lru_cache(maxsize=256)
def _parsed(rule: str, zone: ZoneInfo) -> Rule:
    return parse_rule(rule, zone)


def _excluded(schedule: Schedule, zone: ZoneInfo) -> set[datetime]:
    """The exceptions as instants, so that one in a gap is the occurrence it stands for."""
    return {to_instant(wall, zone) for wall in schedule.exdates}


def _instants_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    zone = parse_zone(schedule.zone)
    # A wall time in a gap comes out later than it reads, by the length of the gap.
    gap = _shift((after - _LONGEST_GAP).astimezone(zone), after.astimezone(zone))
    since = to_wall(after, zone) - max(gap, timedelta())
    return (at for at in _instants_from(schedule, since) if at > after)


def _instants_from(schedule: Schedule, since: datetime) -> Iterator[datetime]:
    """The occurrences of the wall times from `since` on; of a single one, that one always."""
    zone = parse_zone(schedule.zone)
    rule = _rule(schedule, zone)
    if rule is None:
        source: Iterator[datetime] = iter((schedule.start,))
    elif schedule.anchor == "completion":
        source = islice(walls(rule, schedule.start, schedule.start), 1)
    else:
        source = walls(rule, schedule.start, since)
    excluded = _excluded(schedule, zone)
    return (at for at in _in_order(source, zone) if at not in excluded)


def _is_put_forward(day: date, zone: ZoneInfo) -> bool:
    """True where clocks go forward on this day, or so near that its wall times move or collide."""
    midnight = datetime.combine(day, time(), zone)
    gap = _shift(midnight - 2 * _ONE_DAY, midnight + 3 * _ONE_DAY)
    return gap > timedelta() and _shift(midnight - 2 * gap, midnight + _ONE_DAY + gap) > timedelta()


def _shift(earlier: datetime, later: datetime) -> timedelta:
    """By how much the offset is larger later."""
    return (later.utcoffset() or timedelta()) - (earlier.utcoffset() or timedelta())


def _in_order(source: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """The instants of ascending wall times, ascending, each once.

    Those of a gap are held back until a wall time after the gap shows where they belong.
    """
    held: deque[datetime] = deque()
    last: datetime | None = None
    for wall in source:
        at = to_instant(wall, zone)
        if to_wall(at, zone) != wall:
            held.append(at)
            continue
        while held and held[0] <= at:
            if (first := held.popleft()) < at:
                yield first
        if at != last:
            yield at
        last = at
    yield from held

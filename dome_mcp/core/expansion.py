"""A rule as wall times: which days it has, and which times on each of them.

The days come from dateutil, the times are arithmetic, and nothing here walks from the rule's
first day: the search starts at the last period before the day asked for. So a minutely rule of
ten years ago costs no more than a new one.

dateutil runs to the year 9999 when a rule never matches. The calendar repeats every 400 years,
so the search runs in the last centuries before that, which bounds it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from dateutil import rrule

from dome_mcp.core.rules import SUBDAILY, WEEKDAYS, Rule

_LAST_START = 9899
"""The latest year a search starts in: a hundred years are left to find something in."""
_CYCLE_YEARS = 400
_CYCLE = timedelta(days=146_097)
_EMPTY_DAYS = 10_000
"""A step of hours or minutes that met no allowed time in so many days never will: the longest
INTERVAL comes round to where it began in as many."""
_HOUR_MINUTES, _DAY_MINUTES = 60, 1440
_MINUTES_OF_UNIT = {"HOURLY": 60, "MINUTELY": 1}
_NEVER = datetime.min
_CACHED = 256


def walls(rule: Rule, start: datetime, since: datetime) -> Iterator[datetime]:
    """The rule's wall times from `since` on, in order; `start` is its DTSTART."""
    last = last_wall(rule, start)
    for day, times in days(rule, start, since.date()):
        for at in times:
            wall = datetime.combine(day, at)
            if last is not None and wall > last:
                return
            if wall >= since:
                yield wall


def days(rule: Rule, start: datetime, since: date) -> Iterator[tuple[date, tuple[time, ...]]]:
    """The days from `since` on that have wall times, and those; COUNT and UNTIL are not applied.

    The first day has no times before `start`.
    """
    first, empty = start.date(), 0
    for day in _matching_days(rule, first, max(since, first)):
        times = _times(rule, start.time(), _phase(rule, start, day))
        if day == first:
            times = times[bisect_left(times, start.time()) :]
        empty = 0 if times else empty + 1
        if empty > _EMPTY_DAYS:
            return
        if times:
            yield day, times


@lru_cache(maxsize=_CACHED)
def last_wall(rule: Rule, start: datetime) -> datetime | None:
    """The last wall time that COUNT or UNTIL leaves, None where neither is there to end it."""
    if rule.count is None:
        return rule.until
    if rule.count == 0:
        return _NEVER
    left = rule.count
    for day, times in days(rule, start, start.date()):
        if left <= len(times):
            return datetime.combine(day, times[left - 1])
        left -= len(times)
    return None


def has_fixed_time(rule: Rule | None) -> bool:
    """True where the rule fires at most once a day, always at the same time of day."""
    if rule is None:
        return True
    return rule.frequency not in SUBDAILY and len(rule.hours) <= 1 and len(rule.minutes) <= 1


def _matching_days(rule: Rule, first: date, since: date) -> Iterator[date]:
    """The days from `since` on that pass the rule's BY parts, `first` being its DTSTART."""
    base = _period_start(rule, first, since)
    shift = _CYCLE * max(0, (_LAST_START - base.year) // _CYCLE_YEARS)
    is_subdaily = rule.frequency in SUBDAILY
    found = rrule.rrule(
        getattr(rrule, "DAILY" if is_subdaily else rule.frequency),
        dtstart=datetime.combine(base + shift, time()),
        interval=1 if is_subdaily else rule.interval,
        wkst=WEEKDAYS.index(rule.week_start),
        bysetpos=rule.positions or None,
        byyearday=rule.year_days or None,
        byweekno=rule.week_numbers or None,
        **_months_and_days(rule, first),
    )
    for moment in found:
        day = moment.date() - shift
        if day >= since:
            yield day


def _months_and_days(rule: Rule, first: date) -> dict[str, Any]:
    """BYMONTH, BYMONTHDAY and BYDAY as dateutil takes them, with what `first` alone implies.

    dateutil would take these from its own DTSTART, which is not ours.
    """
    months, month_days = rule.months, rule.month_days
    weekdays = [rrule.weekday(WEEKDAYS.index(day), n or None) for n, day in rule.weekdays]
    if not (weekdays or month_days or rule.year_days or rule.week_numbers):
        if rule.frequency == "YEARLY":
            months = months or (first.month,)
        if rule.frequency in {"YEARLY", "MONTHLY"}:
            month_days = (first.day,)
        if rule.frequency == "WEEKLY":
            weekdays = [rrule.weekday(first.weekday())]
    return {
        "bymonth": months or None,
        "bymonthday": month_days or None,
        "byweekday": weekdays or None,
    }


def _period_start(rule: Rule, first: date, since: date) -> date:
    """The last start of a period of the rule that is not after `since`, or else `first`.

    The first period starts at `first` itself, in its middle, as dateutil has it.
    """
    match rule.frequency:
        case "YEARLY":
            years = _multiple(since.year - first.year, rule.interval)
            return date(first.year + years, 1, 1) if years else first
        case "MONTHLY":
            month = first.year * 12 + first.month - 1
            months = _multiple(since.year * 12 + since.month - 1 - month, rule.interval)
            return date((month + months) // 12, (month + months) % 12 + 1, 1) if months else first
        case "WEEKLY":
            back = (first.weekday() - WEEKDAYS.index(rule.week_start)) % 7
            week = first - timedelta(days=back)
            weeks = _multiple((since - week).days // 7, rule.interval)
            return week + timedelta(weeks=weeks) if weeks else first
        case "DAILY":
            return first + timedelta(days=_multiple((since - first).days, rule.interval))
        case _:
            return since


def _multiple(number: int, step: int) -> int:
    return number // step * step


def _phase(rule: Rule, start: datetime, day: date) -> int:
    """How many steps of the rule's unit after a hit this day begins, modulo its interval."""
    unit = _MINUTES_OF_UNIT.get(rule.frequency)
    if unit is None:
        return 0
    steps = (day - start.date()).days * _DAY_MINUTES // unit
    return (steps - (start.hour * 60 + start.minute) // unit) % rule.interval


@lru_cache(maxsize=_CACHED)
def _times(rule: Rule, start: time, phase: int) -> tuple[time, ...]:
    """The times of a day that the rule allows, in order."""
    second = rule.seconds[0] if rule.seconds else start.second
    unit = _MINUTES_OF_UNIT.get(rule.frequency)
    if unit is None:
        hours, minutes = rule.hours or (start.hour,), rule.minutes or (start.minute,)
        return tuple(time(hour, minute, second) for hour in hours for minute in minutes)
    of_hour = rule.minutes or (start.minute,) if unit == _HOUR_MINUTES else (0,)
    found: list[time] = []
    for step in range(-phase % rule.interval, _DAY_MINUTES // unit, rule.interval):
        hour, minute = divmod(step * unit, _HOUR_MINUTES)
        if not rule.hours or hour in rule.hours:
            found += [time(hour, minute + extra, second) for extra in of_hour]
    if unit == 1 and rule.minutes:
        return tuple(at for at in found if at.minute in rule.minutes)
    return tuple(found)

"""Times as they are sent: ISO 8601, or relative to now (`+90m`, `+2d`), as wall times in a zone.

Minutes and hours are elapsed time: `+2h` is two hours from now even when the clocks change in
between. Days and weeks are wall time: `+1d` is the same time tomorrow.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.zones import to_instant, to_wall

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
# One number and its unit; the next number may follow at once, as in 1d12h.
_PART = (
    r"\s*(\d{1,6})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?![a-z]),?"
)
_PARTS = re.compile(_PART, re.IGNORECASE)
_DURATION = re.compile(rf"\s*(\+|-|in\s)?((?:{_PART})+)\s*", re.IGNORECASE)

# What every zone and every calendar computation below can hold with room to spare.
_YEARS = range(1970, 9000)


@dataclass(frozen=True, slots=True)
class Duration:
    """A signed stretch of time: wall-clock days, then elapsed seconds."""

    days: int
    seconds: int


def parse_when(
    text: str, zone: ZoneInfo, now: datetime, *, default_time: time = time(9)
) -> datetime:
    """The wall time in `zone` that a text means, to the second.

    A bare date is at `default_time`; a date-time with an offset is the same instant in `zone`.

    Raises:
        InvalidInput: neither ISO 8601 nor relative, an impossible date, or out of range.
    """
    value = text.strip()
    try:
        if _DURATION.fullmatch(value):
            wall = shifted(to_wall(now, zone), parse_duration(value), zone)
        else:
            wall = _parse_iso(value, zone, default_time=default_time)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{text!r} is not a time{_reason(value, error)}.",
            "Send ISO 8601, for example 2026-03-01 or 2026-03-01T18:30, or relative: +90m, +2h, "
            f"+2d, +1w. It is now {now.astimezone(zone).isoformat(timespec='minutes')} "
            f"({zone.key}).",
        ) from error
    if wall.year not in _YEARS:
        raise InvalidInput(f"{text!r} is too far away.", "Send a time within this century.")
    return wall.replace(microsecond=0)


def parse_duration(text: str) -> Duration:
    """The duration of `90m`, `+2h`, `-1h`, `1d12h` or `2 weeks`; without a sign it is positive.

    Raises:
        InvalidInput: not such a text.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"{text!r} is not a duration.", "Send a number and a unit: 30m, 2h, 1d, 1w or 1d12h."
        )
    sign = -1 if match[1] == "-" else 1
    parts = [(int(number), unit[0].lower()) for number, unit in _PARTS.findall(match[2])]
    return Duration(
        days=sign * sum(number * _DAYS.get(unit, 0) for number, unit in parts),
        seconds=sign * sum(number * _SECONDS.get(unit, 0) for number, unit in parts),
    )


def shifted(wall: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """The wall time in `zone` that is `duration` after `wall`.

    Raises:
        InvalidInput: the result is out of the calendar's range.
    """
    try:
        wall += timedelta(days=duration.days)
        if not duration.seconds:
            return wall
        instant = to_instant(wall, zone) + timedelta(seconds=duration.seconds)
        return to_wall(instant, zone)
    except OverflowError as error:
        raise InvalidInput("That is too far away.", "Send a shorter duration.") from error


def _parse_iso(value: str, zone: ZoneInfo, *, default_time: time) -> datetime:
    if len(value) <= len("2026-01-31"):
        return datetime.combine(date.fromisoformat(value), default_time)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else to_wall(moment, zone)


def _reason(value: str, error: Exception) -> str:
    """What is impossible in a text that looks like a date: `month must be in 1..12`."""
    looks_like_a_date = re.match(r"\d{4}-\d{2}-\d{2}", value) is not None
    is_specific = "isoformat" not in str(error)
    return f": {error}" if looks_like_a_date and is_specific else ""

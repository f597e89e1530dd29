"""Instants: aware UTC datetimes in memory, integer milliseconds in rows, ISO 8601 outside."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from dateutil import parser
from dateutil.relativedelta import relativedelta

from dome_mcp.core.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# No instant may be so near the ends of the calendar that a time zone pushes it over the edge.
_FIRST, _LAST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

# How far each form of ISO 8601 reaches: `2026` means a year, `2026-03` a month, and so on.
_PERIODS = (
    (re.compile(r"\d{4}"), relativedelta(years=1)),
    (re.compile(r"\d{4}-?\d{2}"), relativedelta(months=1)),
    (re.compile(r"\d{4}-?W\d{2}"), relativedelta(weeks=1)),
    (re.compile(r"\d{4}-?(\d{2}-?\d{2}|\d{3}|W\d{2}-?\d)"), relativedelta(days=1)),
    (re.compile(r".*[T ]\d{2}(:?\d{2})?([+-]\d{2}(:?\d{2})?|Z)?"), relativedelta(minutes=1)),
    (re.compile(r".*"), relativedelta(seconds=1)),
)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware datetime."""
    return (instant - _EPOCH) // _MILLISECOND


def from_ms(ms: float) -> datetime:
    """The aware UTC datetime of milliseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(milliseconds=int(ms))


def local_iso(instant: datetime, zone: tzinfo) -> str:
    """ISO 8601 with the zone's offset, to the second: `2026-03-29T09:00:00+02:00`."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def parse_instant(text: str, zone: tzinfo, *, name: str = "date") -> datetime:
    """The UTC instant at which an ISO 8601 date or date-time begins.

    Without an offset it is in `zone`.

    Raises:
        InvalidInput: not ISO 8601, or not of the years 1000 to 9998.
    """
    return _instant(text, zone, name=name, after=relativedelta())


def parse_end(text: str, zone: tzinfo, *, name: str = "date") -> datetime:
    """The UTC instant at which an ISO 8601 date or date-time is over, the exclusive end of it.

    A day ends with the next one, a month with the next, a time with its minute or second.

    Raises:
        InvalidInput: as for `parse_instant`.
    """
    value = text.strip()
    length = next(length for form, length in _PERIODS if form.fullmatch(value))
    return _instant(text, zone, name=name, after=length)


def _instant(text: str, zone: tzinfo, *, name: str, after: relativedelta) -> datetime:
    try:
        # On the wall clock, because a day may have 23 or 25 hours.
        moment = parser.isoparse(text.strip()) + after
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        instant = moment.astimezone(UTC)
    except OverflowError:
        instant = _LAST
    except ValueError as error:
        raise InvalidInput(
            f"{name} {text!r} is not a date.",
            "Send ISO 8601, for example 2026-03-01 or 2026-03-01T09:30:00+01:00.",
        ) from error
    if not _FIRST <= instant < _LAST:
        raise InvalidInput(
            f"{name} {text!r} is out of range.", "Send a date of the years 1000 to 9998, or none."
        )
    return instant

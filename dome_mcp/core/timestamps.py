"""Instants: aware UTC datetimes in memory, integer milliseconds in rows, ISO 8601 outside."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from dateutil import parser

from dome_mcp.core.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware datetime."""
    return (instant - _EPOCH) // _MILLISECOND


def from_ms(ms: float) -> datetime:
    """The aware UTC datetime of milliseconds since 1970-01-01 UTC."""
    return _EPOCH + timedelta(milliseconds=int(ms))


def local_iso(instant: datetime, zone: tzinfo) -> str:
    """ISO 8601 with the zone's offset, to the second: `2026-03-29T09:00:00+02:00`."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def parse_instant(
    text: str, zone: tzinfo, *, name: str = "date", end_of_day: bool = False
) -> datetime:
    """The UTC instant of an ISO 8601 date or date-time; without an offset it is in `zone`.

    A bare date is its first moment, or with `end_of_day` the first moment of the next day.

    Raises:
        InvalidInput: not an ISO 8601 date or date-time.
    """
    value = text.strip()
    try:
        if len(value) == len("2026-01-31"):
            day = date.fromisoformat(value)
            if end_of_day:
                day = date.fromordinal(day.toordinal() + 1)
            moment = datetime.combine(day, time(), zone)
        else:
            moment = parser.isoparse(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{name} {text!r} is not a date.",
            "Send ISO 8601, for example 2026-03-01 or 2026-03-01T09:30:00+01:00.",
        ) from error

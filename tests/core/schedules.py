"""Schedules for tests, and what dateutil and zoneinfo say about them when asked day by day."""

from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil import rrule

from dome_mcp.core.agenda import Schedule

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Chisinau",
    "Atlantic/Azores",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/Asuncion",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Antarctica/Troll",
)
"""Half-hour and two-hour changes, changes at midnight, both hemispheres, negative summer time."""


def schedule(
    rule: str | None,
    start: str = "2026-01-01T09:00",
    zone: str = "Europe/Berlin",
    exdates: tuple[str, ...] = (),
    *,
    anchor: str = "schedule",
) -> Schedule:
    return Schedule(
        start=datetime.fromisoformat(start),
        zone=zone,
        rule=rule,
        exdates=tuple(datetime.fromisoformat(each) for each in exdates),
        anchor="completion" if anchor == "completion" else "schedule",
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(instants: list[datetime], zone: str = "Europe/Berlin") -> list[str]:
    return [at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[:22] for at in instants]


def by_dateutil(value: Schedule, until: datetime) -> list[datetime]:
    """Every occurrence up to the wall time `until`, as dateutil has it from DTSTART on."""
    assert value.rule is not None
    zone = ZoneInfo(value.zone)
    try:
        moments = iter(rrule.rrulestr(value.rule, dtstart=value.start))
        walls = set(takewhile(lambda wall: wall <= until, moments))
    except ValueError:
        # How dateutil says that a step of hours or minutes never meets its BYHOUR or BYMINUTE.
        walls = set[datetime]()
    return sorted({wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls})

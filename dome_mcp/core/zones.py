"""Time zones by name, and wall times as instants. A wall time is a naive datetime in a zone."""

from datetime import UTC, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dome_mcp.core.errors import InvalidInput

# Files of a zone tree that are no zones of a place: they say what this machine is set to, or
# count leap seconds, and would mean something else elsewhere.
_NOT_A_PLACE = ("localtime", "posixrules", "Factory", "posix/", "right/")


def parse_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name such as `Europe/Berlin`.

    Raises:
        InvalidInput: no such zone; the hint has the names that come close.
    """
    zone = zone_or_none(name.strip())
    if zone is not None:
        return zone
    close = _close_names(name.strip())
    hint = f"Did you mean {' or '.join(close)}?" if close else "Send a name like Europe/Berlin."
    raise InvalidInput(f"There is no time zone {name!r}.", hint)


def zone_or_none(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, None where there is no such zone."""
    if not name or name.startswith(_NOT_A_PLACE):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: not a relative path; OSError: a folder such as "Europe".
        return None


def instant_of(wall: datetime, zone_name: str) -> datetime:
    """The UTC instant of a wall time.

    A wall time that does not exist, because clocks went forward over it, moves forward by as
    much as they did. One that happens twice is the first, unless its `fold` is 1.

    Raises:
        InvalidInput: no such zone.
    """
    return to_instant(wall, parse_zone(zone_name))


def wall_of(at: datetime, zone_name: str) -> datetime:
    """The wall time of an instant in a zone; `fold` is 1 for the second of two alike.

    Raises:
        InvalidInput: no such zone.
    """
    return to_wall(at, parse_zone(zone_name))


def to_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """As `instant_of`, for a zone in hand."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if wall.fold and to_wall(instant, zone) != wall:
        # In a gap the second reading would move backward.
        return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return instant


def to_wall(at: datetime, zone: ZoneInfo) -> datetime:
    """As `wall_of`, for a zone in hand."""
    return at.astimezone(zone).replace(tzinfo=None)


def _close_names(name: str) -> list[str]:
    """At most three zones that are spelt alike, or whose city it is, whatever the case."""
    wanted = name.casefold().replace(" ", "_")
    by_folded = {known.casefold(): known for known in sorted(available_timezones())}
    cities = [known for folded, known in by_folded.items() if folded.rpartition("/")[2] == wanted]
    alike = [by_folded[folded] for folded in get_close_matches(wanted, by_folded, n=3)]
    return list(dict.fromkeys(cities + alike))[:3]

"""The time zone this machine is set to."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from dome_mcp.core.zones import zone_or_none

# Zones that share every offset of the samples are told apart by who is likely to be asking.
_LIKELY = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Moscow",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Jakarta",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
)
# Noon of every week of three years: enough to tell any two rules for summer time apart.
_SAMPLES = tuple(datetime(2025, 1, 1, 12, tzinfo=UTC) + timedelta(weeks=n) for n in range(156))


@dataclass(frozen=True, slots=True)
class MachineZone:
    """The machine's zone, where it was read, and what the user should know if it is a guess."""

    zone: ZoneInfo
    origin: str
    warning: str | None = None


def machine_zone(
    environ: Mapping[str, str],
    localtime: Path = Path("/etc/localtime"),
    *,
    offset_at: Callable[[datetime], timedelta | None] | None = None,
) -> MachineZone:
    """The zone the machine is set to: `TZ`, the `localtime` link, or else by its offsets.

    Windows names its zones otherwise, and a copied `localtime` has no name at all. There a zone
    with the same offsets has the same wall clock, so it serves, with a warning that says which
    was taken. `offset_at` gives the machine's offset at an instant.
    """
    named = environ.get("TZ", "")
    if (zone := _zone_of_path(named.removeprefix(":"))) is not None:
        return MachineZone(zone, "TZ")
    if not named and localtime.is_symlink():
        zone = _zone_of_path(os.path.realpath(localtime))
        if zone is not None:
            return MachineZone(zone, str(localtime))
    return _zone_by_offsets(offset_at or _local_offset)


def _zone_by_offsets(offset_at: Callable[[datetime], timedelta | None]) -> MachineZone:
    wanted = [offset_at(sample) for sample in _SAMPLES]
    others = sorted(available_timezones(), key=lambda name: ("/" not in name, name))
    for name in (*_LIKELY, *others):
        zone = zone_or_none(name)
        if zone is None:
            continue
        if all(s.astimezone(zone).utcoffset() == w for s, w in zip(_SAMPLES, wanted, strict=True)):
            return MachineZone(
                zone,
                "the machine's offsets",
                f"This machine does not name its time zone; {name} has the same hours. "
                "Set DOME_TIMEZONE to be sure.",
            )
    return MachineZone(
        ZoneInfo("UTC"),
        "fallback",
        "This machine's time zone could not be found, so times are in UTC. Set DOME_TIMEZONE.",
    )


def _local_offset(instant: datetime) -> timedelta | None:
    return instant.astimezone().utcoffset()


def _zone_of_path(text: str) -> ZoneInfo | None:
    """The zone of a name, or of a path into a zoneinfo tree."""
    _, inside, tail = text.replace("\\", "/").rpartition("zoneinfo/")
    name = tail if inside else text
    return zone_or_none(name.removeprefix("posix/").removeprefix("right/"))

"""The zone of this machine."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.timezones import machine_zone


def offsets_of(name: str):
    def offset_at(instant: datetime) -> timedelta | None:
        return instant.astimezone(ZoneInfo(name)).utcoffset()

    return offset_at


@pytest.mark.parametrize(
    "value", ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo", ":posix/Asia/Tokyo"]
)
def test_the_environment_names_the_machines_zone(value: str, tmp_path: Path) -> None:
    found = machine_zone({"TZ": value}, tmp_path / "localtime", offset_at=offsets_of("UTC"))
    assert (found.zone.key, found.origin, found.warning) == ("Asia/Tokyo", "TZ", None)


def test_the_link_of_the_system_names_the_machines_zone(tmp_path: Path) -> None:
    target = tmp_path / "zoneinfo" / "America" / "Denver"
    target.parent.mkdir(parents=True)
    target.touch()
    link = tmp_path / "localtime"
    link.symlink_to(target)
    found = machine_zone({}, link, offset_at=offsets_of("UTC"))
    assert (found.zone.key, found.origin, found.warning) == ("America/Denver", str(link), None)


@pytest.mark.parametrize("name", ["America/New_York", "Asia/Kolkata", "UTC", "Pacific/Chatham"])
def test_a_machine_without_a_zone_name_gets_one_with_the_same_hours(
    name: str, tmp_path: Path
) -> None:
    found = machine_zone({}, tmp_path / "localtime", offset_at=offsets_of(name))
    assert found.zone.key == name
    assert found.warning is not None
    assert name in found.warning
    assert "DOME_TIMEZONE" in found.warning


def test_a_rule_in_place_of_a_name_is_matched_by_its_hours(tmp_path: Path) -> None:
    found = machine_zone(
        {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"},
        tmp_path / "localtime",
        offset_at=offsets_of("Europe/Vienna"),
    )
    assert found.zone.key == "Europe/Berlin"
    assert found.warning is not None


def test_hours_of_no_zone_are_utc_with_a_warning(tmp_path: Path) -> None:
    found = machine_zone({}, tmp_path / "none", offset_at=lambda instant: timedelta(minutes=7))
    assert found.zone.key == "UTC"
    assert found.warning is not None
    assert "DOME_TIMEZONE" in found.warning


def test_this_machines_hours_are_what_its_zone_says(tmp_path: Path) -> None:
    found = machine_zone({}, tmp_path / "localtime")
    summer = datetime(2025, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    assert summer.astimezone(found.zone).utcoffset() == summer.astimezone().utcoffset()

"""Zone names, and wall times as instants."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.zones import instant_of, parse_zone, wall_of


def test_a_zone_is_known_by_its_name() -> None:
    assert parse_zone(" Europe/Berlin ") == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/paris", "Europe/Paris"),
        ("Ushuaia", "America/Argentina/Ushuaia"),
        ("new york", "America/New_York"),
    ],
)
def test_an_unknown_zone_names_the_close_ones(name: str, suggestion: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_zone(name)
    assert suggestion in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "../../etc/passwd",
        "/etc/passwd",
        "Mars/Phobos",
        "localtime",
        "right/Europe/Berlin",
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        parse_zone(name)


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2026-07-01T09:00", "Europe/Berlin", "2026-07-01T07:00"),
        # Half an hour into a gap is half an hour after it.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30"),
        ("2026-03-08T02:00", "America/New_York", "2026-03-08T07:00"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
        # These days have no midnight.
        ("2026-09-06T00:00", "America/Santiago", "2026-09-06T04:00"),
        ("2026-03-29T00:00", "Asia/Beirut", "2026-03-28T22:00"),
        ("2026-04-24T00:00", "Africa/Cairo", "2026-04-23T22:00"),
        # Samoa left out a whole day.
        ("2011-12-30T09:00", "Pacific/Apia", "2011-12-30T19:00"),
        # What happens twice is the first.
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45"),
    ],
)
def test_a_wall_time_is_one_instant(wall: str, zone: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert instant_of(datetime.fromisoformat(wall), zone) == expected


def test_the_second_of_two_alike_is_told_by_its_fold() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    wall = wall_of(second, "Europe/Berlin")
    assert (wall.isoformat(), wall.fold) == ("2026-10-25T02:30:00", 1)
    assert instant_of(wall, "Europe/Berlin") == second


def test_a_fold_in_a_gap_still_moves_forward() -> None:
    wall = datetime(2026, 3, 29, 2, 30, fold=1)
    assert instant_of(wall, "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_an_unknown_zone_is_refused_rather_than_taken_for_utc() -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        instant_of(datetime(2026, 1, 1), "Mars/Phobos")
    with pytest.raises(InvalidInput, match="no time zone"):
        wall_of(datetime(2026, 1, 1, tzinfo=UTC), "Mars/Phobos")

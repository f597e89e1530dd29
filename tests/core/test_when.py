"""Times as they are sent, and what is said about those that cannot be read."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.when import Duration, parse_duration, parse_when, shifted
from dome_mcp.core.zones import to_instant

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 8, 0, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("2026-12-24", "2026-12-24T09:00:00"),
        ("20261224", "2026-12-24T09:00:00"),
        (" 2026-12-24T18:30 ", "2026-12-24T18:30:00"),
        ("2026-12-24 18:30:15.250", "2026-12-24T18:30:15"),
        ("2026-12-24T18:30Z", "2026-12-24T19:30:00"),
        ("2026-12-24T18:30:00-05:00", "2026-12-25T00:30:00"),
        ("+90m", "2026-11-24T10:30:30"),
        ("+2h", "2026-11-24T11:00:30"),
        ("+2d", "2026-11-26T09:00:30"),
        ("+1w", "2026-12-01T09:00:30"),
        ("+1d12h", "2026-11-25T21:00:30"),
        ("+ 1 day, 12 hours", "2026-11-25T21:00:30"),
        ("in 10 minutes", "2026-11-24T09:10:30"),
        ("-1h", "2026-11-24T08:00:30"),
    ],
)
def test_a_time_is_a_wall_time_in_the_zone(text: str, wall: str) -> None:
    assert parse_when(text, BERLIN, NOW) == datetime.fromisoformat(wall)
    assert parse_when(text, BERLIN, NOW).tzinfo is None


def test_a_bare_date_has_the_time_that_is_asked_for() -> None:
    found = parse_when("2026-12-24", BERLIN, NOW, default_time=time(18))
    assert found == datetime(2026, 12, 24, 18)


def test_an_offset_tells_the_second_of_two_alike_from_the_first() -> None:
    first = parse_when("2026-10-25T02:30+02:00", BERLIN, NOW)
    second = parse_when("2026-10-25T02:30+01:00", BERLIN, NOW)
    assert (to_instant(second, BERLIN) - to_instant(first, BERLIN)).total_seconds() == 3600


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tomorrow", ""),
        ("", ""),
        ("18:00", ""),
        ("2026", ""),
        ("+", ""),
        ("+5", ""),
        ("+3 months", ""),
        ("2026-02-30", "day is out of range for month"),
        ("2026-13-01", "month must be in 1..12"),
        ("2026-12-24T25:00", "hour must be in 0..23"),
        ("24.12.2026", ""),
    ],
)
def test_what_is_no_time_is_refused_with_the_present_time(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_when(text, BERLIN, NOW)
    assert reason in caught.value.message
    assert repr(text) in caught.value.message
    assert "It is now 2026-11-24T09:00+01:00 (Europe/Berlin)" in caught.value.hint
    assert "+90m" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["9500-01-01", "1900-01-01", "+999999w", "+999999w999999w", "0001-01-01T00:00+14:00"]
)
def test_a_time_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_when(text, BERLIN, NOW)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("-1h", Duration(0, -3600)),
        ("1h", Duration(0, 3600)),
        ("+1d12h", Duration(1, 43_200)),
        ("-1w2d", Duration(-9, 0)),
        ("30 min", Duration(0, 1800)),
        ("45s", Duration(0, 45)),
        ("2 Weeks", Duration(14, 0)),
    ],
)
def test_a_duration_has_days_and_seconds(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "1", "h", "1x", "1h!", "--1h", "1.5h", "1hour2", "P1D"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("wall", "by", "expected"),
    [
        # Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October.
        ("2026-03-28T12:00", "1d", "2026-03-29T12:00"),
        ("2026-03-28T12:00", "24h", "2026-03-29T13:00"),
        ("2026-03-29T01:30", "1h", "2026-03-29T03:30"),
        ("2026-03-29T03:30", "-1h", "2026-03-29T01:30"),
        ("2026-10-24T12:00", "1d", "2026-10-25T12:00"),
        ("2026-10-24T12:00", "24h", "2026-10-25T11:00"),
        ("2026-10-24T02:30", "1d1h", "2026-10-25T02:30"),
    ],
)
def test_days_are_wall_time_and_hours_are_elapsed_time(wall: str, by: str, expected: str) -> None:
    found = shifted(datetime.fromisoformat(wall), parse_duration(by), BERLIN)
    assert found == datetime.fromisoformat(expected)


def test_hours_into_an_hour_that_happens_twice_are_as_many_as_asked_for() -> None:
    start = datetime(2026, 10, 25, 2, 30)
    found = shifted(start, parse_duration("1h"), BERLIN)
    assert (to_instant(found, BERLIN) - to_instant(start, BERLIN)).total_seconds() == 3600


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
    st.integers(-100_000, 100_000),
    st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"]),
)
def test_minutes_are_elapsed_in_every_zone(wall: datetime, minutes: int, name: str) -> None:
    zone = ZoneInfo(name)
    before = to_instant(wall, zone)
    after = to_instant(shifted(wall, Duration(0, minutes * 60), zone), zone)
    if minutes:
        assert (after - before).total_seconds() == minutes * 60

"""Instants: what an ISO 8601 text begins and ends, in the user's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.timestamps import from_ms, local_iso, parse_end, parse_instant, to_ms

ST_JOHNS = ZoneInfo("America/St_Johns")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_date_begins_at_midnight_of_the_zone() -> None:
    assert parse_instant("2026-06-14", ST_JOHNS) == datetime(2026, 6, 14, 2, 30, tzinfo=UTC)
    assert parse_instant("2026-06-14", KATHMANDU) == datetime(2026, 6, 13, 18, 15, tzinfo=UTC)


def test_an_offset_wins_over_the_zone() -> None:
    instant = parse_instant("2026-06-14T10:00:00+02:00", KATHMANDU)
    assert instant == datetime(2026, 6, 14, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026", "2027-01-01T00:00:00+01:00"),
        ("2026-02", "2026-03-01T00:00:00+01:00"),
        ("2026-W10", "2026-03-09T00:00:00+01:00"),
        ("2026-03-01", "2026-03-02T00:00:00+01:00"),
        ("20260301", "2026-03-02T00:00:00+01:00"),
        ("2026-060", "2026-03-02T00:00:00+01:00"),
        ("2026-03-01T09:30", "2026-03-01T09:31:00+01:00"),
        ("2026-03-01T09:30Z", "2026-03-01T10:31:00+01:00"),
        ("2026-03-01 09:30:15", "2026-03-01T09:30:16+01:00"),
    ],
)
def test_a_period_is_over_when_the_next_one_begins(text: str, end: str) -> None:
    assert local_iso(parse_end(text, BERLIN), BERLIN) == end


def test_a_day_of_23_hours_is_over_at_midnight() -> None:
    spring = parse_end("2026-03-29", BERLIN) - parse_instant("2026-03-29", BERLIN)
    assert spring.total_seconds() == 23 * 3600


@pytest.mark.parametrize(
    "text", ["yesterday", "01/02/2026", "2026-02-30", "10:00", "", "1772000000"]
)
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    for parse in (parse_instant, parse_end):
        with pytest.raises(InvalidInput, match=r"since '.*' is not a date. .* 2026-03-01"):
            parse(text, BERLIN, name="since")


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", [ST_JOHNS, KATHMANDU])
def test_a_date_at_an_end_of_the_calendar_is_out_of_range(text: str, zone: ZoneInfo) -> None:
    for parse in (parse_instant, parse_end):
        with pytest.raises(InvalidInput, match="out of range"):
            parse(text, zone)


@pytest.mark.parametrize("zone", [ST_JOHNS, KATHMANDU])
def test_the_last_date_that_is_taken_can_be_shown_in_every_zone(zone: ZoneInfo) -> None:
    instant = parse_instant("9998-12-31T23:59:59Z", UTC)
    assert local_iso(from_ms(to_ms(instant)), zone).startswith("999")

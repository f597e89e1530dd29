"""Periods of days: their instants in a zone, what lies in them, and what they are called."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.periods import Days, Period, Unit, days_around, days_before

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 1, 15)


def days(first: str | None, last: str | None) -> Days:
    ends = [None if text is None else date.fromisoformat(text) for text in (first, last)]
    return Days(*ends)


def test_a_period_ends_before_the_midnight_after_its_last_day_in_its_zone() -> None:
    march = Period(days("2026-03-01", "2026-03-31"), BERLIN)
    assert march.since == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert march.until == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert march.holds(datetime(2026, 2, 28, 23, tzinfo=UTC))
    assert not march.holds(datetime(2026, 3, 31, 22, tzinfo=UTC))


def test_an_open_side_has_no_end() -> None:
    since = Period(days("2026-06-01", None), UTC)
    assert (since.since, since.until) == (datetime(2026, 6, 1, tzinfo=UTC), None)
    assert since.holds(datetime(2999, 1, 1, tzinfo=UTC))
    assert not days("2026-06-01", "2026-06-30").hold(since.days)


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("2026-03-01", "2026-03-31", "1–31 March 2026"),
        ("2024-01-01", "2024-12-31", "2024"),
        ("2026-05-03", "2026-05-03", "3 May 2026"),
        ("2026-05-30", "2026-06-02", "30 May – 2 June 2026"),
        ("2025-12-30", "2026-01-02", "30 December 2025 – 2 January 2026"),
        ("2026-06-01", None, "since 1 June 2026"),
        (None, "2019-12-31", "until 31 December 2019"),
    ],
)
def test_a_period_is_called_by_its_days(first: str | None, last: str | None, name: str) -> None:
    assert Period(days(first, last), UTC).describe() == name


@pytest.mark.parametrize(
    ("unit", "shift", "first", "last"),
    [
        (Unit.DAY, -1, "2026-01-14", "2026-01-14"),
        (Unit.WEEK, -1, "2026-01-05", "2026-01-11"),
        (Unit.WEEKEND, 0, "2026-01-17", "2026-01-18"),
        (Unit.MONTH, -2, "2025-11-01", "2025-11-30"),
        (Unit.SEASON, 0, "2025-12-01", "2026-02-28"),
        (Unit.YEAR, 1, "2027-01-01", "2027-12-31"),
    ],
)
def test_the_calendar_is_shifted_by_whole_units(
    unit: Unit, shift: int, first: str, last: str
) -> None:
    assert days_around(DAY, unit, shift=shift) == days(first, last)


def test_the_last_month_before_a_longer_ones_end_begins_on_its_own_last_day() -> None:
    assert days_before(date(2026, 3, 31), Unit.MONTH, 1) == days("2026-02-28", "2026-03-31")
    assert days_before(date(2026, 3, 31), Unit.WEEK, 2) == days("2026-03-17", "2026-03-31")

"""The life of a series: what is accepted, where it ends, and how it goes on from completion."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import (
    Passed,
    checked,
    first_at,
    next_at,
    passed,
    restarted,
    skipping,
    upcoming,
    with_end,
)
from tests.core.schedules import local, schedule, utc

NOW = utc("2026-11-24T08:00")
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_series_ends_after_its_count() -> None:
    value = schedule("FREQ=DAILY;COUNT=3")
    assert len(upcoming(value, utc("2025-01-01T00:00"), 10)) == 3
    assert next_at(value, utc("2026-01-03T08:00")) is None


def test_a_date_as_end_includes_that_day() -> None:
    value = checked(schedule("FREQ=DAILY;UNTIL=20270105"), now=NOW, allow_past=False)
    assert value.rule == "FREQ=DAILY;UNTIL=20270105T235959"
    assert local(upcoming(value, utc("2027-01-04T12:00"), 9)) == ["2027-01-05T09:00+01:00"]


def test_an_end_in_utc_becomes_wall_time() -> None:
    value = checked(schedule("FREQ=DAILY;UNTIL=20270105T080000Z"), now=NOW, allow_past=False)
    assert value.rule == "FREQ=DAILY;UNTIL=20270105T090000"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2",
        "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=4,6,9,11",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYSETPOS=8",
        "FREQ=DAILY;UNTIL=20200101",
        "FREQ=DAILY;COUNT=0",
    ],
)
def test_a_rule_that_never_fires_is_refused(rule: str) -> None:
    with pytest.raises(InvalidInput, match="never fires") as caught:
        checked(schedule(rule, "2026-11-26T09:00"), now=NOW, allow_past=True)
    assert "BYMONTHDAY=-1" in caught.value.hint


def test_a_time_in_the_past_is_refused_unless_meant() -> None:
    value = schedule(None, "2026-11-24T08:30")
    with pytest.raises(InvalidInput) as caught:
        checked(value, now=NOW, allow_past=False)
    assert caught.value.message == (
        "2026-11-24T08:30+01:00 is in the past; it is now 2026-11-24T09:00+01:00 (Europe/Berlin)."
    )
    assert checked(value, now=NOW, allow_past=True) == value


def test_a_series_that_is_over_is_refused_and_one_that_goes_on_is_not() -> None:
    with pytest.raises(InvalidInput, match="is over"):
        checked(schedule("FREQ=DAILY;COUNT=3"), now=NOW, allow_past=False)
    assert checked(schedule("FREQ=DAILY"), now=NOW, allow_past=False).rule == "FREQ=DAILY"


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        checked(schedule("FREQ=DAILY", zone="Europe/Berln"), now=NOW, allow_past=False)


@pytest.mark.parametrize(
    ("until", "count", "expected"),
    [
        (None, None, "FREQ=DAILY;COUNT=5"),
        (None, 7, "FREQ=DAILY;COUNT=7"),
        ("2026-12-31", None, "FREQ=DAILY;UNTIL=20261231T235959"),
        ("2026-12-31T18:00+00:00", None, "FREQ=DAILY;UNTIL=20261231T190000"),
        ("+2w", None, "FREQ=DAILY;UNTIL=20261208T090000"),
    ],
)
def test_an_end_given_apart_takes_the_place_of_the_rules_own(
    until: str | None, count: int | None, expected: str
) -> None:
    rule = with_end("FREQ=DAILY;COUNT=5", until=until, count=count, zone=BERLIN, now=NOW)
    assert rule == expected


@pytest.mark.parametrize(("until", "count"), [("2026-12-31", 3), (None, 0), ("soon", None)])
def test_an_end_that_cannot_be_is_refused(until: str | None, count: int | None) -> None:
    with pytest.raises(InvalidInput):
        with_end("FREQ=DAILY", until=until, count=count, zone=BERLIN, now=NOW)


@pytest.mark.parametrize(
    ("rule", "completed", "following"),
    [
        ("FREQ=DAILY;INTERVAL=10", "2026-01-14T20:00", "2026-01-24T09:00"),
        # Done before it was due, the step still counts from the day it was done.
        ("FREQ=DAILY;INTERVAL=10", "2026-01-14T05:00", "2026-01-24T09:00"),
        ("FREQ=MONTHLY", "2026-01-14T20:00", "2026-02-14T09:00"),
        ("FREQ=WEEKLY;BYDAY=MO", "2026-01-14T20:00", "2026-01-19T09:00"),
        ("FREQ=HOURLY;INTERVAL=4", "2026-01-14T20:20", "2026-01-15T01:20"),
    ],
)
def test_a_series_from_completion_counts_from_when_it_was_done(
    rule: str, completed: str, following: str
) -> None:
    value = restarted(schedule(rule, anchor="completion"), utc(completed))
    assert value.start == datetime.fromisoformat(following)
    assert first_at(value) == value.start.replace(tzinfo=BERLIN).astimezone(UTC)


def test_a_series_from_completion_knows_no_second_occurrence_before_it_is_done() -> None:
    value = schedule("FREQ=DAILY", anchor="completion")
    only = utc("2026-01-01T08:00")
    assert upcoming(value, utc("2025-01-01T00:00"), 3) == [only]
    assert passed(value, utc("2025-01-01T00:00"), NOW) == Passed(1, only)


def test_a_series_from_completion_ends_after_its_count_or_its_end() -> None:
    value = schedule("FREQ=DAILY;COUNT=2", anchor="completion")
    second = restarted(value, utc("2026-01-05T12:00"))
    assert (second.rule, second.start) == ("FREQ=DAILY;COUNT=1", datetime(2026, 1, 6, 9))
    assert first_at(restarted(second, utc("2026-01-06T12:00"))) is None
    ending = schedule("FREQ=DAILY;UNTIL=20260105T235959", anchor="completion")
    assert first_at(restarted(ending, utc("2026-01-05T12:00"))) is None


def test_exceptions_do_not_pile_up_without_end() -> None:
    value = schedule("FREQ=DAILY", "2020-01-01T09:00")
    for n in range(500):
        value = skipping(value, utc("2020-01-01T08:00") + timedelta(days=n))
    assert len(value.exdates) == 400
    assert value.exdates[-1] == datetime(2021, 5, 14, 10)

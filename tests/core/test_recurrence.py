"""When schedules fire: the engine against dateutil, and the edges that users meet."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dome_mcp.core.agenda import Schedule
from dome_mcp.core.recurrence import (
    Passed,
    next_at,
    passed,
    skipping,
    upcoming,
)
from dome_mcp.core.rules import parse_rule
from tests.core.schedules import ZONES, by_dateutil, local, schedule, utc

NOW = utc("2026-11-24T08:00")
BERLIN = ZoneInfo("Europe/Berlin")

_weekday = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
_several = {"min_size": 1, "max_size": 3, "unique": True}


def _numbers(low: int, high: int) -> st.SearchStrategy[str]:
    return st.lists(st.integers(low, high), **_several).map(lambda n: ",".join(map(str, n)))


def _part(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), values.map(lambda value: f";{name}={value}"))


_month_days = st.one_of(_numbers(1, 31), _numbers(-3, -1), st.just("29,30,31"))
_days = st.lists(_weekday, **_several).map(",".join)
_numbered = st.tuples(st.sampled_from(["", "1", "2", "5", "-1", "-2"]), _weekday).map("".join)
_end = st.one_of(
    st.just(""),
    st.integers(1, 40).map(lambda n: f";COUNT={n}"),
    st.dates(date(2026, 1, 1), date(2028, 1, 1)).map(lambda day: f";UNTIL={day:%Y%m%d}T120000"),
)
_times = st.tuples(_part("BYHOUR", _numbers(0, 4)), _part("BYMINUTE", _numbers(0, 59))).map("".join)


def _rules_of(
    frequency: str, *parts: st.SearchStrategy[str], steps: int = 5
) -> st.SearchStrategy[str]:
    interval = st.integers(1, steps).map(lambda n: f";INTERVAL={n}")
    week_start = st.sampled_from(["", ";WKST=SU", ";WKST=TH"])
    return st.tuples(interval, *parts, week_start, _end).map(
        lambda rest: f"FREQ={frequency}{''.join(rest)}"
    )


_by_month = _part("BYMONTH", _numbers(1, 12))
RULES = st.one_of(
    _rules_of("YEARLY", _by_month, _part("BYMONTHDAY", _month_days), _times, steps=3),
    _rules_of("YEARLY", _by_month, _part("BYDAY", _numbered), _times, steps=3),
    _rules_of("YEARLY", _part("BYYEARDAY", _numbers(1, 366)), _times, steps=3),
    _rules_of("YEARLY", _part("BYWEEKNO", _numbers(1, 53)), _part("BYDAY", _days), steps=3),
    _rules_of("MONTHLY", _part("BYMONTHDAY", _month_days), _times),
    _rules_of("MONTHLY", _part("BYDAY", _numbered), _times),
    _rules_of("MONTHLY", st.just(";BYDAY=MO,TU,WE,TH,FR"), _part("BYSETPOS", _numbers(-2, -1))),
    _rules_of("WEEKLY", _part("BYDAY", _days), _by_month, _times),
    _rules_of("DAILY", _by_month, _part("BYDAY", _days), _times, steps=10),
    _rules_of("HOURLY", _part("BYHOUR", _numbers(0, 23)), _part("BYDAY", _days), steps=30),
    _rules_of("HOURLY", _part("BYMINUTE", _numbers(0, 59)), steps=30),
    _rules_of("MINUTELY", _part("BYHOUR", _numbers(0, 4)), _part("BYDAY", _days), steps=90),
    _rules_of("MINUTELY", _part("BYMINUTE", _numbers(0, 59)), steps=90),
)
STARTS = st.datetimes(datetime(2025, 10, 1), datetime(2027, 12, 1)).map(
    lambda wall: wall.replace(second=0, microsecond=0)
)


def _fires(value: Schedule, *, after: datetime, before: datetime) -> list[datetime]:
    return [at for at in upcoming(value, after, 400) if at < before]


@settings(deadline=None, max_examples=250)
@given(RULES, STARTS, st.sampled_from(ZONES), st.integers(0, 400), st.integers(1, 40))
def test_a_rule_fires_when_dateutil_says(
    rule: str, start: datetime, zone: str, days_on: int, window: int
) -> None:
    value = Schedule(start=start, zone=zone, rule=rule)
    after = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(days=days_on)
    until = after + timedelta(days=window)
    expected = by_dateutil(value, start + timedelta(days=days_on + window + 3))
    within = [at for at in expected if after < at <= until]
    assert _fires(value, after=after, before=until + timedelta(microseconds=1)) == within[:400]
    assert passed(value, after, until) == Passed(len(within), max(within, default=None))


@settings(deadline=None, max_examples=100)
@given(RULES, STARTS, st.sampled_from(ZONES))
def test_occurrences_are_in_order_and_never_twice(rule: str, start: datetime, zone: str) -> None:
    after = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = upcoming(Schedule(start=start, zone=zone, rule=rule), after, 100)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))


@settings(deadline=None, max_examples=200)
@given(RULES, STARTS)
def test_a_checked_rule_is_the_same_rule(rule: str, start: datetime) -> None:
    value = parse_rule(rule, BERLIN)
    assert parse_rule(str(value), BERLIN) == value


@settings(deadline=None, max_examples=100)
@given(RULES, STARTS, st.sampled_from(ZONES), st.integers(0, 5))
def test_a_skipped_occurrence_is_left_out_and_no_other(
    rule: str, start: datetime, zone: str, nth: int
) -> None:
    value = Schedule(start=start, zone=zone, rule=rule)
    after = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(days=2)
    found = upcoming(value, after, 8)
    if nth >= len(found):
        return
    rest = upcoming(skipping(value, found[nth]), after, 7)
    assert rest == [at for at in found if at != found[nth]][:7]
    until = found[-1]
    assert passed(skipping(value, found[nth]), after, until).count == len(found) - 1


# Each change of clocks of 2026 and 2027 in every zone above, found where the offset changes.
@lru_cache
def _changes(zone: str) -> list[datetime]:
    hours = [utc("2026-01-01T00:00") + timedelta(hours=n) for n in range(2 * 365 * 24)]
    offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in hours]
    return [at for at, (a, b) in zip(hours[1:], pairwise(offsets), strict=True) if a != b]


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_reminder_keeps_its_wall_time_over_every_change_of_clocks(zone: str) -> None:
    for change in _changes(zone):
        day = change.astimezone(ZoneInfo(zone)).date() - timedelta(days=2)
        for clock in ("00:00", "00:30", "01:30", "02:00", "02:30", "03:00", "09:00", "23:45"):
            value = schedule("FREQ=DAILY", f"{day}T{clock}", zone)
            found = upcoming(value, change - timedelta(days=4), 6)
            assert found == by_dateutil(value, value.start + timedelta(days=5))
            walls = [at.astimezone(ZoneInfo(zone)).strftime("%H:%M") for at in found]
            assert walls.count(clock) >= len(found) - 1


@pytest.mark.parametrize("zone", ZONES)
def test_a_rule_of_minutes_is_counted_as_it_fires_over_every_change_of_clocks(zone: str) -> None:
    for change in _changes(zone):
        since, until = change - timedelta(days=3, hours=7), change + timedelta(days=3, hours=7)
        value = schedule("FREQ=MINUTELY;INTERVAL=10", f"{since.date()}T00:05", zone)
        found = [at for at in upcoming(value, since, 1000) if at <= until]
        walls = by_dateutil(value, until.astimezone(ZoneInfo(zone)).replace(tzinfo=None))
        assert found == [at for at in walls if since < at <= until]
        assert passed(value, since, until) == Passed(len(found), found[-1])


@pytest.mark.parametrize(
    ("zone", "back"),
    [
        ("America/New_York", "2025-11-02T06:00"),
        # From one minute past midnight to one past eleven of the day before.
        ("America/St_Johns", "2010-11-07T02:31"),
    ],
)
def test_what_fired_before_clocks_went_back_counts_in_the_hour_that_comes_twice(
    zone: str, back: str
) -> None:
    change = utc(back)
    since = change - timedelta(hours=30)
    value = schedule("FREQ=MINUTELY;INTERVAL=7", f"{since.date()}T00:05", zone)
    for minutes in range(-5, 75, 5):
        until = change + timedelta(minutes=minutes)
        found = [at for at in upcoming(value, since, 1000) if at <= until]
        assert passed(value, since, until) == Passed(len(found), found[-1])


@pytest.mark.parametrize(
    ("zone", "day", "fires"),
    [
        ("America/Santiago", "2026-09-06", "2026-09-06T01:00-03:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-29T01:00+03:00"),
        ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00+03:00"),
        ("America/Havana", "2026-03-08", "2026-03-08T01:00-04:00"),
    ],
)
def test_on_a_day_without_a_midnight_it_fires_when_the_day_begins(
    zone: str, day: str, fires: str
) -> None:
    value = schedule("FREQ=DAILY", "2026-01-01T00:00", zone)
    before = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC) - timedelta(hours=12)
    assert fires in local(upcoming(value, before, 2), zone)


def test_a_day_that_a_zone_left_out_does_not_fire_twice() -> None:
    value = schedule("FREQ=DAILY", "2011-12-28T09:00", "Pacific/Apia")
    found = upcoming(value, utc("2011-12-28T00:00"), 4)
    assert [f[:10] for f in local(found, "Pacific/Apia")] == [
        "2011-12-28",
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
    ]
    assert passed(value, utc("2011-12-28T00:00"), found[-1]) == Passed(4, found[-1])


def test_wall_times_of_a_gap_come_in_order_with_those_after_it() -> None:
    value = schedule("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45", "2026-03-29T00:00")
    found = upcoming(value, utc("2026-03-28T23:00"), 3)
    assert local(found) == [
        "2026-03-29T03:15+02:00",
        "2026-03-29T03:45+02:00",
        "2026-03-30T02:15+02:00",
    ]


def test_a_leap_day_waits_for_the_next_leap_year() -> None:
    found = upcoming(schedule("FREQ=YEARLY", "2024-02-29T09:00"), utc("2024-03-01T00:00"), 2)
    assert [f[:10] for f in local(found)] == ["2028-02-29", "2032-02-29"]


def test_the_31st_skips_months_without_it_and_the_last_day_does_not() -> None:
    after = utc("2026-01-01T00:00")
    skips = upcoming(schedule("FREQ=MONTHLY", "2026-01-31T09:00"), after, 3)
    last = upcoming(schedule("FREQ=MONTHLY;BYMONTHDAY=-1"), after, 3)
    assert [f[:10] for f in local(skips)] == ["2026-01-31", "2026-03-31", "2026-05-31"]
    assert [f[:10] for f in local(last)] == ["2026-01-31", "2026-02-28", "2026-03-31"]


def test_next_is_strictly_after() -> None:
    value = schedule("FREQ=DAILY")
    at = utc("2026-01-05T08:00")
    assert next_at(value, at - timedelta(seconds=1)) == at
    assert next_at(value, at) == at + timedelta(days=1)


def test_something_once_fires_once() -> None:
    value = schedule(None, "2026-11-24T10:00")
    assert upcoming(value, NOW, 3) == [utc("2026-11-24T09:00")]
    assert next_at(value, utc("2026-11-24T09:00")) is None
    assert passed(value, NOW, utc("2026-11-24T09:00")) == Passed(1, utc("2026-11-24T09:00"))
    assert passed(value, utc("2026-11-24T09:00"), utc("2027-01-01T00:00")) == Passed(0, None)


def test_a_rule_that_began_long_ago_is_as_quick_as_a_new_one() -> None:
    """Walking from the start would take minutes; the search would not end in this test's life."""
    value = schedule("FREQ=MINUTELY", "1975-01-01T00:00", "UTC")
    assert next_at(value, NOW) == NOW + timedelta(minutes=1)
    ten_years = passed(value, utc("2016-11-24T08:00"), NOW)
    assert ten_years == Passed(3652 * 1440, NOW)

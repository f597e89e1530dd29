"""Periods of days, in the zone of whoever speaks of them: "last March", "since June", "2024"."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

ONE_DAY = timedelta(days=1)
_MONTHS_A_YEAR = 12
_MONTHS_A_SEASON = 3
_SATURDAY = 5


class Unit(StrEnum):
    """The stretches of a calendar; a season begins as a meteorologist of the north has it."""

    DAY = "day"
    WEEKEND = "weekend"
    WEEK = "week"
    MONTH = "month"
    SEASON = "season"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Days:
    """The days from `first` to `last`, both included; a side that is None has no end."""

    first: date | None
    last: date | None

    @classmethod
    def of_year(cls, year: int) -> "Days":
        return cls(date(year, 1, 1), date(year, 12, 31))

    @classmethod
    def of_month(cls, year: int, month: int, *, months: int = 1) -> "Days":
        """So many months from one on; a `month` beyond the twelfth is one of the next years."""
        return cls(_first_of(year, month), _first_of(year, month + months) - ONE_DAY)

    def hold(self, other: "Days") -> bool:
        """Whether all of the other days are among these."""
        begins = self.first is None or (other.first is not None and self.first <= other.first)
        ends = self.last is None or (other.last is not None and other.last <= self.last)
        return begins and ends


@dataclass(frozen=True, slots=True)
class Period:
    """Days in a zone, as instants: `since` inclusive, `until` exclusive, None where open."""

    days: Days
    zone: tzinfo

    @property
    def since(self) -> datetime | None:
        return None if self.days.first is None else self._midnight(self.days.first)

    @property
    def until(self) -> datetime | None:
        return None if self.days.last is None else self._midnight(self.days.last + ONE_DAY)

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        day = at.astimezone(self.zone).date()
        return self.days.hold(Days(day, day))

    def describe(self) -> str:
        """It in words: `1–31 March 2026`, `2024`, `3 May 2026`, `since 1 June 2026`."""
        first, last = self.days.first, self.days.last
        if first is None:
            return "any time" if last is None else f"until {_written(last)}"
        if last is None:
            return f"since {_written(first)}"
        if first == last:
            return _written(first)
        if self.days == Days.of_year(first.year):
            return str(first.year)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{_written(last)}"
        if first.year == last.year:
            return f"{first.day} {first:%B} – {_written(last)}"
        return f"{_written(first)} – {_written(last)}"

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def days_around(day: date, unit: Unit, *, shift: int = 0) -> Days:
    """The calendar's day, week, month, … that is `shift` after the one of a day.

    A weekend belongs to the week whose end it is; of a season, winter begins in December.

    Raises:
        ValueError, OverflowError: out of the calendar's range.
    """
    if unit is Unit.DAY:
        moved = day + shift * ONE_DAY
        return Days(moved, moved)
    if unit in (Unit.WEEK, Unit.WEEKEND):
        monday = day + timedelta(days=7 * shift - day.weekday())
        skipped = _SATURDAY if unit is Unit.WEEKEND else 0
        return Days(monday + skipped * ONE_DAY, monday + 6 * ONE_DAY)
    if unit is Unit.MONTH:
        return Days.of_month(day.year, day.month + shift)
    if unit is Unit.YEAR:
        return Days.of_year(day.year + shift)
    begun = day.month // _MONTHS_A_SEASON * _MONTHS_A_SEASON  # 0: in the December before
    return Days.of_month(day.year, begun + _MONTHS_A_SEASON * shift, months=_MONTHS_A_SEASON)


def days_before(day: date, unit: Unit, count: int) -> Days:
    """The last so many days, weeks, months or years up to a day, which is the last of them.

    Raises:
        ValueError, OverflowError: out of the calendar's range.
    """
    if unit in (Unit.MONTH, Unit.YEAR):
        months = count * (_MONTHS_A_YEAR if unit is Unit.YEAR else 1)
        month = _first_of(day.year, day.month - months)
        length = (_first_of(month.year, month.month + 1) - month).days
        return Days(month.replace(day=min(day.day, length)), day)
    return Days(day - timedelta(days=count * (7 if unit is Unit.WEEK else 1)), day)


def _first_of(year: int, month: int) -> date:
    years, index = divmod(month - 1, _MONTHS_A_YEAR)
    return date(year + years, index + 1, 1)


def _written(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"

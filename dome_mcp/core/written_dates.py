"""Dates as people write them, in English and German: `3 May 2026`, `March`, `2024`, `3.5.2026`.

A date of digits has its day first where dots part it; with slashes nobody can tell, so it is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from dome_mcp.core.periods import Days

_MONTHS = (
    *("jan(?:uary?|uar)?|jänner", "feb(?:ruary?|ruar)?", "mar(?:ch)?|märz", "apr(?:il)?"),
    *("may|mai", "june?|juni?", "july?|juli?", "aug(?:ust)?", "sept?(?:ember)?"),
    *("o[ck]t(?:ober)?", "nov(?:ember)?", "de[cz](?:ember)?"),
)
MONTH_NAME = "|".join(_MONTHS)
"""A pattern, as the others to be matched without regard to case."""

_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"\b(?P<iso>{_YEAR}-(?:0[1-9]|1[0-2])(?:-{_DAY})?)(?!\d)"
    rf"|(?<![\d.])(?P<dotted>{_DAY}\.\s?(?:0?[1-9]|1[0-2])\.\s?{_YEAR})\b"
    rf"|\b(?:(?P<day>{_DAY})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?)?(?P<month>{MONTH_NAME})\b\.?"
    rf"(?:\s+(?P<day_after>{_DAY})(?:st|nd|rd|th)?(?![\d:.]*\d|\w))?(?:,?\s+(?P<year>{_YEAR})\b)?"
    rf"|(?<![\d.,:/-])\b(?P<year_alone>{_YEAR})\b(?![.,:/-]\d)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_ONE_YEAR = 12


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date that stands in a text at `[start, end)`, as much of it as was written."""

    start: int
    end: int
    year: int | None = None
    month: int | None = None
    day: int | None = None

    @property
    def is_word(self) -> bool:
        """Whether it is but a month or a year, which as a word or a number may be none."""
        return self.day is None and (self.month is None or self.year is None)

    def in_year(self, year: int) -> Days | None:
        """Its days in a year, unless it names its own; None where the calendar has no such day."""
        year = self.year or year
        if self.month is None:
            return Days.of_year(year)
        if self.day is None:
            return Days.of_month(year, self.month)
        try:
            day = date(year, self.month, self.day)
        except ValueError:
            return None
        return Days(day, day)

    def nearest_to(self, written: date) -> Days | None:
        """Its days as somebody means them who writes on that day."""
        if self.year or self.month is None:
            return self.in_year(written.year)
        ahead = (self.month - written.month) % _ONE_YEAR
        month = written.month + (ahead if ahead <= _ONE_YEAR // 2 else ahead - _ONE_YEAR)
        return self.in_year(written.year + (month - 1) // _ONE_YEAR)


def written_dates(text: str, *, of_any_case: bool = False) -> Iterator[WrittenDate]:
    """The dates that a text names, in order; a month alone has to have a capital, for `may` and
    `march` are words, unless `of_any_case`."""
    for found in _DATE.finditer(text):
        start, end = found.span()
        if found["iso"]:
            yield WrittenDate(start, end, *map(int, _DIGITS.findall(found["iso"])))
        elif found["dotted"]:
            day, month, year = map(int, _DIGITS.findall(found["dotted"]))
            yield WrittenDate(start, end, year, month, day)
        elif found["year_alone"]:
            yield WrittenDate(start, end, int(found["year_alone"]))
        else:
            day = found["day"] or found["day_after"]
            if day or found["year"] or of_any_case or found["month"][0].isupper():
                month = month_number(found["month"])
                year = int(found["year"]) if found["year"] else None
                yield WrittenDate(start, end, year, month, int(day) if day else None)


def month_number(name: str) -> int:
    """The number of the month, 1 to 12, that a `MONTH_NAME` is the name of."""
    return next(
        number
        for number, names in enumerate(_MONTHS, 1)
        if re.fullmatch(names, name, re.IGNORECASE)
    )

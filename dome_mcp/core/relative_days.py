"""Words for days that mean something else on every day, in English and German.

`yesterday`, `last week`, `two months ago`, `this year`, `in the last ten days`, `vor drei Tagen`,
`letzte Woche`; and what comes back every week or year: `last March`, `in summer`, `on Monday`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from dome_mcp.core.periods import Days, Unit, days_around, days_before
from dome_mcp.core.written_dates import MONTH_NAME, month_number

_Value = TypeVar("_Value")

_UNITS = {
    "days?|tage?n?": Unit.DAY,
    "weekends?|wochenenden?": Unit.WEEKEND,
    "weeks?|wochen?": Unit.WEEK,
    "months?|monate?n?s?": Unit.MONTH,
    "years?|jahre?n?s?": Unit.YEAR,
}
_SEASONS = {
    "winter": 1,
    "spring|frühling|frühjahr": 4,
    "summer|sommer": 7,
    "autumn|fall|herbst": 10,
}
"""A month in the season, by its names."""
_WEEKDAYS = {
    names: number
    for number, names in enumerate(
        (
            *("monday|montag", "tuesday|dienstag", "wednesday|mittwoch", "thursday|donnerstag"),
            *("friday|freitag", "saturday|samstag|sonnabend", "sunday|sonntag"),
        )
    )
}
_NUMBERS = {
    names: number
    for number, names in enumerate(
        (
            *("one|an?|eine[mnrs]?|ein", "two|zwei", "three|drei", "four|vier", "five|fünf"),
            *("six|sechs", "seven|sieben", "eight|acht", "nine|neun", "ten|zehn", "eleven|elf"),
            "twelve|zwölf",
        ),
        1,
    )
}
_DAY_WORDS = {
    "the day before yesterday|vorgestern": -2,
    "yesterday|last night|gestern": -1,
    "today|tonight|this (?:morning|afternoon|evening)|heute": 0,
    "tomorrow": 1,
}
_SHIFTS = {
    r"last|previous|(?:letzt|vergangen|vorig)e[nrms]?": -1,
    r"this|current|diese[nrms]?": 0,
    r"next|coming|(?:nächst|kommend)e[nrms]?": 1,
}

_UNIT, _SEASON, _WEEKDAY = "|".join(_UNITS), "|".join(_SEASONS), "|".join(_WEEKDAYS)
_NUMBER = rf"\d{{1,3}}|{'|'.join(_NUMBERS)}"
_THE = r"(?:(?:the|de[mnr]|das)\s+)?"
_WORDS = re.compile(
    rf"\b(?:(?P<day_word>{'|'.join(_DAY_WORDS)})"
    rf"|(?P<ago>{_NUMBER})\s+(?P<ago_unit>{_UNIT})\s+ago"
    rf"|vor\s+(?P<vor>{_NUMBER})\s+(?P<vor_unit>{_UNIT})"
    rf"|(?:(?:in|over|during|within)\s+)?{_THE}"
    rf"(?:(?:last|past|(?:letzt|vergangen)en)\s+(?P<lately>{_NUMBER})|past)"
    rf"\s+(?P<lately_unit>{_UNIT})"
    rf"|(?:(?:in|during|on)\s+)?{_THE}(?P<shift>{'|'.join(_SHIFTS)})"
    rf"\s+(?:(?P<unit>{_UNIT})|(?P<shifted>{MONTH_NAME}|{_SEASON}|{_WEEKDAY}))"
    rf"|(?:in|im|during)\s+{_THE}(?P<season>{_SEASON})(?:\s+(?:of\s+)?(?P<year>(?:19|20)\d\d))?"
    rf"|(?:on|am)\s+(?P<weekday>{_WEEKDAY})"
    r")\b(?!\s+of\b|['’-]\w{2})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RelativeDays:
    """Days that the words `[start, end)` of a text mean.

    They are several, in order, where the text leaves open which of them: the summer of the year
    before, of this one, or of the next.
    """

    days: tuple[Days, ...]
    start: int
    end: int


def relative_days(text: str, today: date) -> Iterator[RelativeDays]:
    """The words of a text that mean days, in order, as somebody means them who writes today."""
    for found in _WORDS.finditer(text):
        try:
            days = _meant(found, today)
        except (ValueError, OverflowError):  # before the first year of the calendar
            continue
        if days:
            yield RelativeDays(tuple(days), found.start(), found.end())


def last_over(candidates: Sequence[Days], today: date) -> Days | None:
    """The last of the days that are over on a day."""
    return next((each for each in reversed(candidates) if each.last and each.last < today), None)


def last_begun(candidates: Sequence[Days], today: date) -> Days | None:
    """The last of the days that have begun on a day."""
    return next((each for each in reversed(candidates) if each.first and each.first <= today), None)


def first_to_end(candidates: Sequence[Days], today: date) -> Days | None:
    """The first of the days that are not over before a day."""
    return next((each for each in candidates if each.last and each.last >= today), None)


def _meant(found: re.Match[str], today: date) -> Sequence[Days]:
    if word := found["day_word"]:
        return (days_around(today, Unit.DAY, shift=_value(_DAY_WORDS, word)),)
    if count := found["ago"] or found["vor"]:
        unit = _value(_UNITS, found["ago_unit"] or found["vor_unit"])
        return (days_around(today, unit, shift=-_count(count)),)
    if unit := found["lately_unit"]:
        return (days_before(today, _value(_UNITS, unit), _count(found["lately"] or "1")),)
    shift = _value(_SHIFTS, found["shift"]) if found["shift"] else None
    if found["unit"]:
        unit = _value(_UNITS, found["unit"])
        return () if unit is Unit.DAY or shift is None else (days_around(today, unit, shift=shift),)
    if found["year"]:
        return (_season(found["season"], int(found["year"])),)
    recurring = _recurring(found["shifted"] or found["season"] or found["weekday"], today)
    return recurring if shift is None else _shifted(recurring, today, shift)


def _shifted(recurring: Sequence[Days], today: date, shift: int) -> Sequence[Days]:
    if shift == 0:
        return recurring[1:2]
    if shift < 0:
        meant = last_over(recurring, today)
    else:
        meant = next((each for each in recurring if each.first and each.first > today), None)
    return () if meant is None else (meant,)


def _recurring(name: str, today: date) -> Sequence[Days]:
    """The days of this name of the year, or week, before, of this one and of the next."""
    if re.fullmatch(_WEEKDAY, name, re.IGNORECASE):
        monday = today - timedelta(days=today.weekday())
        day = monday + timedelta(days=_value(_WEEKDAYS, name))
        return tuple(days_around(day, Unit.DAY, shift=7 * week) for week in (-1, 0, 1))
    years = (today.year - 1, today.year, today.year + 1)
    if re.fullmatch(_SEASON, name, re.IGNORECASE):
        return tuple(_season(name, year) for year in years)
    return tuple(Days.of_month(year, month_number(name)) for year in years)


def _season(name: str, year: int) -> Days:
    return days_around(date(year, _value(_SEASONS, name), 1), Unit.SEASON)


def _count(number: str) -> int:
    return int(number) if number.isdecimal() else _value(_NUMBERS, number)


def _value(by_names: Mapping[str, _Value], word: str) -> _Value:
    """The value whose names have the word among them."""
    return next(
        value for names, value in by_names.items() if re.fullmatch(names, word, re.IGNORECASE)
    )

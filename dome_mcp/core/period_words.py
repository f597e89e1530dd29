"""The period of time that a question asks about, and the days that a note speaks of.

A month, a season or a weekday without a year is the last one, or the next one where the question
speaks of the future; where it speaks of neither it asks what is so every year ("Which vegetables
are sown in March?"), and no period is meant. A year alone is one only after a word like `in`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from dome_mcp.core.model import Passage
from dome_mcp.core.periods import ONE_DAY, Days, Period
from dome_mcp.core.relative_days import first_to_end, last_begun, relative_days
from dome_mcp.core.written_dates import written_dates

_LONGEST = 2_000
"""Characters; what is longer brings a text along, and its dates are not what is asked about."""
_REACH = 60
"""Characters before a date that may say how it is meant."""
_THE = r"(?:(?:the|de[mnr]|das|zu[mr])\s+)?"
_BEFORE_DATE = re.compile(
    rf"\b(?:(?P<since>since|seit)|(?P<until>until|till?|up\s+to|bis)|(?P<before>before|vor)"
    r"|(?P<after>after|nach)|(?P<between>between|from|zwischen|von)"
    r"|in|im|on|am|during|of|for|by|about|für|vom|während|throughout)\s+"
    rf"{_THE}(?:(?:early|late|mid|year|month|jahr|jahre|anfang|mitte|ende|(?:beginning|end)\s+of)"
    r"\s+)*$",
    re.IGNORECASE,
)
_AND = re.compile(rf"\s*(?:\b(?:and|to|until|till|und|bis)\b|[–-])\s*{_THE}", re.IGNORECASE)
_PAST = re.compile(
    r"\b(?:did|was|were|had|has|have|(?!need)\w{3,}ed|went|came|took|got|made|said|wrote|bought"
    r"|paid|met|saw|spent|sent|war|waren|hatten?|hat|haben?|wurden?|kostete|gab|ging|kam)\b",
    re.IGNORECASE,
)
_AHEAD = re.compile(
    r"\b(?:will|shall|going\s+to|coming|upcoming|planned|wird|werden|geplant)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class PeriodWords:
    """A period, and the words of the question that say it, which begin at `start`."""

    period: Period
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def left_out_of(self, question: str) -> str:
        """The question without the words."""
        return f"{question[: self.start].rstrip()}{question[self.end :]}".lstrip(" ,")


@dataclass(frozen=True, slots=True)
class _Said:
    """What `[start, end)` names: the days, or those it may be. `is_weak`: a word that may as well
    be no date."""

    days: tuple[Days, ...]
    start: int
    end: int
    is_weak: bool = False


def period_words(question: str, now: datetime | None, *, zone: tzinfo) -> PeriodWords | None:
    """The first period that a question names, as it is meant at the instant `now`.

    Without `now` only what names its year is understood. None where there is none, or in what is
    longer than a question.
    """
    if len(question) > _LONGEST:
        return None
    today = None if now is None else now.astimezone(zone).date()
    named = _named(question, today)
    for at, said in enumerate(named):
        before = _BEFORE_DATE.search(question, max(0, said.start - _REACH), said.start)
        if said.is_weak and before is None:
            continue
        word = before.lastgroup if before else None
        days, end = _chosen(said, question, today, word), said.end
        if days is not None and word == "between":
            days, end = _range(days, named[at : at + 2], question, today)
        if days is not None:
            start = before.start() if before else said.start
            return PeriodWords(Period(_open(days, word), zone), start, question[start:end])
    return None


def days_named(text: str, written: datetime, *, zone: tzinfo) -> Iterator[Days]:
    """The days that a note names which was written at that instant."""
    today = written.astimezone(zone).date()
    for each in written_dates(text):
        if days := each.nearest_to(today):
            yield days
    for relative in relative_days(text, today):
        if len(relative.days) == 1:
            yield relative.days[0]


def is_from(passage: Passage, period: Period) -> bool:
    """Whether a passage was written in a period, or speaks of days that lie in it."""
    if period.holds(passage.created_at):
        return True
    named = days_named(passage.text, passage.created_at, zone=period.zone)
    return any(period.days.hold(days) for days in named)


def _named(question: str, today: date | None) -> list[_Said]:
    """What names days, in order; of what overlaps, the longer."""
    named: list[_Said] = []
    year = None
    for each in reversed(list(written_dates(question, of_any_case=True))):
        year = each.year or year  # "between March and May 2025": the year stands behind both
        around = (today.year - 1, today.year, today.year + 1) if today else ()
        days = tuple(filter(None, map(each.in_year, (year,) if year else around)))
        if days:
            named.append(_Said(days, each.start, each.end, is_weak=each.is_word))
    if today:
        named += (_Said(each.days, each.start, each.end) for each in relative_days(question, today))
    named.sort(key=lambda said: (said.start, -said.end))
    return [
        said
        for at, said in enumerate(named)
        if all(said.start >= other.end for other in named[:at])
    ]


def _chosen(said: _Said, question: str, today: date | None, word: str | None) -> Days | None:
    """Which of the days are meant; None where it is no certain ones."""
    if len(said.days) == 1 or today is None:
        return said.days[0]
    if _PAST.search(question) or word in ("since", "after"):
        return last_begun(said.days, today)
    if _AHEAD.search(question) or word in ("until", "before"):
        return first_to_end(said.days, today)
    return None


def _range(
    first: Days, named: Sequence[_Said], question: str, today: date | None
) -> tuple[Days, int]:
    """From the first of the two that are named to the second, where that is what is between."""
    *_, other = named
    if len(named) > 1 and _AND.fullmatch(question, named[0].end, other.start):
        last = _chosen(other, question, today, None)
        if last and first.first and last.last and first.first <= last.last:
            return Days(first.first, last.last), other.end
    return first, named[0].end


def _open(days: Days, word: str | None) -> Days:
    """The days with a side that has no end, if the word before them says so."""
    if word == "since":
        return Days(days.first, None)
    if word == "until":
        return Days(None, days.last)
    if word == "before" and days.first:
        return Days(None, days.first - ONE_DAY)
    if word == "after" and days.last:
        return Days(days.last + ONE_DAY, None)
    return days

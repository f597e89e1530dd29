"""Numbers as a claim and a note are compared by them: what is counted, and of what it is said.

"238.50 EUR", "€238.5" and "238,50 Euro" are the same; so are "3 months" and "drei Monate", and
"12.06.2026" and "12 June 2026". A number is misread when the note has it of another measure
("238 bar" for "238 EUR"), or when the note says it of something else and has another one for what
the claim is about ("the deposit is 1,140" for "rent 1,140, deposit 2,280").
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dome_mcp.core.questions import content_stems
from dome_mcp.core.terms import fold, likeness
from dome_mcp.core.written_dates import written_dates

_MEASURE_WORDS = """
eur € euro euros / usd $ dollar dollars / gbp £ sterling / chf francs franken / jpy ¥ yen
% percent prozent pourcent / ‰
mm millimeter millimetre / cm centimeter centimetre zentimeter / km kilometer kilometre kilometern
m meter meters metre metres metern / inch inches zoll / ft feet foot / mile miles meilen
mg milligram milligramm / g gram grams gramm / kg kilo kilos kilogram kilograms kilogramm
lb lbs / ml milliliter millilitre / l liter liters litre litres litern / bar / psi / °c / °f
w watt / kw kilowatt / kwh / gb / mb / tb / mbit / gbit
second seconds sec sekunde sekunden secondes / minute minutes min minuten
hour hours h hrs stunde stunden heures / day days tag tage tagen jours dias
week weeks woche wochen semaines / month months monat monate monaten mois meses
year years jahr jahre jahren ans anos
"""
_MEASURES = {
    word: group.split()[0]
    for line in _MEASURE_WORDS.strip().splitlines()
    for group in line.split("/")
    for word in group.split()
}
"""The first word of its group for each word that says what is counted; folded."""
_COUNT_WORDS = """
two zwei / three drei / four vier / five funf / six sechs / seven sieben / eight acht / nine neun
ten zehn / eleven elf / twelve zwolf
"""
_COUNTS = {
    word: str(count)
    for count, group in enumerate(_COUNT_WORDS.replace("\n", "/").strip("/").split("/"), 2)
    for word in group.split()
}
_SLASHED = re.compile(r"(?<=\d)/(?=\d)")
_DATE = re.compile(r"§(?P<day>\d+)/(?P<month>\d+)/(?P<year>\d+)§")
"""How a date is written here, with 0 for what it leaves open."""
_DATED, _WITHIN = "date", "within"
"""Measures: of a date that is named, and of the month that a day is in."""
_NUMBER = re.compile(
    r"(?P<before>[€$£¥]|\b(?:eur|usd|gbp|chf)\s)?\s?(?P<number>\d+(?:[.,:]\d+)*)"
    r"[\s-]?(?P<after>[€$£¥%‰]|°\s?[cf]\b|[^\W\d_]+)?"
    rf"|\b(?P<count>{'|'.join(_COUNTS)})[\s-]+(?P<counted>[^\W\d_]+)"
)
_THOUSANDS = re.compile(r"(?<=\d)[.,](?=\d{3}(?!\d))")
_CLAUSE_ENDS = re.compile(
    r"[;,:]\s|[.!?]\s|\n|\s[–—-]\s"
    r"|\b(?:and|but|while|whereas|und|aber|wahrend|sowie|et|mais|tandis que|y|pero|mientras)\b"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number without what only its writing adds, and the measure; empty where none is known."""

    number: str
    measure: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with what it counts, and its words."""

    quantities: frozenset[Quantity]
    stems: frozenset[str]


def clauses_of(text: str, *, unmeasured: str = "") -> list[Clause]:
    """The parts of the text that count something or say of what. A table row is one.

    A number that is written out counts where its measure is known; the measure of one that has
    none is `unmeasured`.
    """
    folded = fold(_with_dates(text))
    parts = (part.strip() for part in _CLAUSE_ENDS.split(folded))
    return [
        Clause(frozenset(_quantities(part, unmeasured)), _subject(part))
        for part in parts
        if any(map(str.isalnum, part))
    ]


def measured_in(text: str) -> frozenset[str]:
    """The measures that stand beside a number, and the numbers written out beside one; folded."""
    words: set[str] = set()
    for found in _NUMBER.finditer(fold(text)):
        beside = {word.strip() for word in found.group("before", "after", "counted") if word}
        measures = beside & _MEASURES.keys()
        words |= measures
        if measures and found["count"]:
            words.add(found["count"])
    return frozenset(words)


def numbers_of(clauses: Iterable[Clause]) -> frozenset[str]:
    """What is counted, without its measures."""
    return frozenset(one.number for clause in clauses for one in clause.quantities)


def misreads(claim: Sequence[Clause], note: Sequence[Clause]) -> bool:
    """Whether a number of the claim is not there, is of another measure, or of another thing."""
    return any(_is_misread(one, part, note) for part in claim for one in part.quantities)


def _is_misread(one: Quantity, part: Clause, note: Sequence[Clause]) -> bool:
    if one.measure == _WITHIN:
        return False
    having = [clause for clause in note if _has(clause, one)]
    if not having:
        return True
    # A number that stands alone, such as a note's own date, may be of anything.
    if any(not clause.stems or _share_words(part, clause) for clause in having):
        return False
    # Elsewhere the note has another number of that kind, of what the claim speaks of.
    kinds = {other.measure for clause in having for other in clause.quantities} - {""}
    return any(
        _share_words(part, clause) and any(other.measure in kinds for other in clause.quantities)
        for clause in note
        if clause not in having
    )


def _has(clause: Clause, one: Quantity) -> bool:
    fitting = {"", one.measure, _WITHIN if one.measure == _DATED else one.measure}
    return any(
        other.number == one.number and (not one.measure or other.measure in fitting)
        for other in clause.quantities
    )


def _share_words(one: Clause, other: Clause) -> bool:
    return any(likeness(stem, other.stems) for stem in one.stems)


def _subject(part: str) -> frozenset[str]:
    """The words of a part that are neither numbers nor measures."""
    words = (word for word in re.findall(r"[^\W\d_]+", part) if word not in _MEASURES)
    return content_stems(" ".join(words))


def _quantities(folded: str, unmeasured: str) -> Iterator[Quantity]:
    for found in _DATE.finditer(folded):
        yield from _of_date(*map(int, found.groups()))
    for found in _NUMBER.finditer(_DATE.sub(" ", folded)):
        if found["count"]:
            if measure := _MEASURES.get(found["counted"]):
                yield Quantity(_COUNTS[found["count"]], measure)
            continue
        words = (found["after"], found["before"])
        yield Quantity(_plain(found["number"]), _measure(filter(None, words)) or unmeasured)


def _of_date(day: int, month: int, year: int) -> Iterator[Quantity]:
    if day:
        yield Quantity(f"{day}.{month}", _DATED)
        yield Quantity(str(day), _DATED)
    if year:
        yield Quantity(str(year), _DATED)
        yield Quantity(f"{month}/{year}", _WITHIN if day else _DATED)


def _measure(words: Iterable[str]) -> str:
    known = (_MEASURES.get("".join(word.split())) for word in words)
    return next(filter(None, known), "")


def _plain(number: str) -> str:
    digits = _THOUSANDS.sub("", number).replace(",", ".")
    if "." in digits and digits.count(".") == 1:
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0"


def _with_dates(text: str) -> str:
    """The text with its dates in one form; a month or a year alone stays a word or a number."""
    for found in reversed(list(written_dates(text))):
        if not found.is_word and found.month:
            date = f"§{found.day or 0}/{found.month}/{found.year or 0}§"
            text = text[: found.start] + date + text[found.end :]
    return "§".join(
        part if at % 2 else _SLASHED.sub(" ", part) for at, part in enumerate(text.split("§"))
    )

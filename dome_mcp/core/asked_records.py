"""Which records a question asks for, and which it does not: by what they are about and what of it.

A record is asked for when the question has the value of one of its fields, or the whole name of a
setting, and names another field of it (or the kind of answer does), and nothing that the question
is about is missing from it and from what it stands under. Where a question asks for some record,
the others of its table are not meant. Neither is one that has another number under the name before
a number of the question: of "Alpha 42" a row is no answer that has 42 under "Delta".
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain

from dome_mcp.core.answer_kinds import CALENDAR_WORDS, AnswerKind, shown_at
from dome_mcp.core.evidence import Unit
from dome_mcp.core.measures import MEASURES, measure_stems
from dome_mcp.core.questions import QuestionTerms, content_stems
from dome_mcp.core.records import Field, Record
from dome_mcp.core.terms import fold, likeness, stem, stems_of

_RECORD_WORDS = """
row column table cell field entry line key value stored saved set setting belongs listed given
contains holds number Zeile Spalte Tabelle Feld Eintrag Schlüssel Wert gespeichert steht stehen
gehört Zahl
"""
_TALK = frozenset(map(stem, _RECORD_WORDS.split()))
"""Words about records as such."""
_QUALITIES = {
    stem(quality): frozenset(map(stem, names.split()))
    for quality, names in {
        "large": "area size Fläche Größe",
        "wide": "width Breite",
        "thick": "thickness Dicke Stärke",
        "fast": "speed Geschwindigkeit Tempo",
        "expensive": "price cost Preis Kosten",
        "costs": "price amount fee Preis Betrag",
        "kostet": "price amount fee Preis Betrag",
        "weigh": "weight Gewicht",
        "inhabitants": "population Bevölkerung",
        "Einwohner": "population Bevölkerung",
        "live": "address city residence Wohnort Adresse Stadt 住所",
        "wohnt": "address city residence Wohnort Adresse Stadt 住所",
    }.items()
}
"""What columns are called that answer a question by another word."""
_NUMBERS = frozenset(map(stem, ("number", "Nummer", "Zahl")))
_UNSPACED = "\u0e00"
"""Where the scripts without spaces begin."""
_FIGURE = re.compile(r"[-+]?\d[\d.,\s]*(?:[^\W\d]{1,3}|[%€$£])?")
_DATE = re.compile(
    rf"\b\d{{4}}-\d\d\b|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b|\b\d{{1,2}}:\d\d\b"
    rf"|\b(?:{'|'.join(sorted(CALENDAR_WORDS))})\b"
)
_SAID_BY_FORM = _TALK | _NUMBERS
_CALENDAR = frozenset(map(stem, CALENDAR_WORDS))
_SHOWN_BY_NAME = (AnswerKind.AGE, AnswerKind.WEIGHT, AnswerKind.MONEY)
_MOST_UNSAID = 1
"""Words of the question without a name or a number that may be nowhere in the record."""


class Asked(StrEnum):
    """What a record is to a question."""

    THIS = "this"
    ANOTHER = "another"
    """It is of something else, or another record has what is asked for."""
    LACKING = "lacking"
    """It is about what is asked, but has no field for what is asked of it."""


def asked_records(question: QuestionTerms, units: Sequence[Unit]) -> list[Asked | None]:
    """By unit, what it is to the question; None for what is no record, or where nothing tells."""
    unsaid = [_unsaid(question, unit) for unit in units]
    fits = [
        _fit(question, unit.record, words) if unit.record else None
        for unit, words in zip(units, unsaid, strict=True)
    ]
    least = min(
        (len(words) for words, fit in zip(unsaid, fits, strict=True) if fit is Asked.THIS),
        default=0,
    )
    fits = [
        None if fit is Asked.THIS and len(words) > least else fit
        for words, fit in zip(unsaid, fits, strict=True)
    ]
    chosen = {
        name
        for unit, fit in zip(units, fits, strict=True)
        if fit is Asked.THIS and unit.record
        for name in _names(unit.record)
    }
    return [
        fit
        if fit is Asked.THIS or not _is_ruled_out(question, unit.record, chosen)
        else Asked.ANOTHER
        for unit, fit in zip(units, fits, strict=True)
    ]


def _names(record: Record) -> set[str]:
    """What tells that two records are of one table. A setting is of none."""
    if record.columns:
        return {record.columns}
    return {field.name for field in record.fields} if len(record.fields) > 1 else set()


def _is_ruled_out(question: QuestionTerms, record: Record | None, chosen: set[str]) -> bool:
    if record is None:
        return False
    # Most names of two tables of one kind differ; empty cells are left out of a row.
    names = _names(record)
    is_another = bool(names) and 2 * len(names & chosen) > len(names)
    return is_another or _has_other_number(record, question) or _is_of_another(record, question)


def _is_of_another(record: Record, question: QuestionTerms) -> bool:
    """Whether a figure of something with a name is asked for, and the row is of something else."""
    stems = frozenset(question.stems)
    asks_figure = question.kind is AnswerKind.QUANTITY or not stems.isdisjoint(MEASURES)
    return (
        asks_figure
        and bool(record.columns and question.named)
        and question.named.isdisjoint(stems_of(record.columns))
        and not any(_is_about(field, stems) for field in record.fields)
    )


def _numbers_by_name(question: QuestionTerms) -> dict[str, str]:
    """The numbers of a question by the word before each."""
    return {
        before: number
        for before, number in zip(question.stems, question.stems[1:], strict=False)
        if number[0].isdigit() and not before[0].isdigit()
    }


def _has_other_number(record: Record, question: QuestionTerms) -> bool:
    numbers = _numbers_by_name(question)
    return any(
        number not in stems_of(field.value)
        for field in record.fields
        for name, number in numbers.items()
        if len(record.fields) > 1 and stems_of(field.name) == frozenset((name,))
    )


def _fit(question: QuestionTerms, record: Record, unsaid: frozenset[str]) -> Asked | None:
    """What a record is to the question by itself, of which it leaves some words `unsaid`."""
    if _has_other_number(record, question):
        return Asked.ANOTHER
    if unsaid & _CALENDAR and any(_is_dated(field) for field in record.fields):
        return None  # a month may be said by its number
    stems = frozenset(chain(question.stems, *map(_quality, question.stems)))
    keys = [field for field in record.fields if _is_about(field, stems)]
    is_setting = not record.columns and len(record.fields) == 1
    is_wanted = _is_wanted(question, record, keys, stems)
    if any(_has_to_be_said(word, question) for word in unsaid):
        is_wanted = False
    elif is_wanted and len(unsaid) <= (0 if is_setting else _MOST_UNSAID):
        return Asked.THIS
    others = [field for field in record.fields if field not in keys]
    if keys and not unsaid and _shown(question.kind, [*others, Field(record.columns, "")]):
        return Asked.THIS
    is_about = is_wanted if is_setting else bool(keys) and not is_wanted
    return Asked.LACKING if is_about and unsaid else None


def _is_wanted(
    question: QuestionTerms, record: Record, keys: Sequence[Field], stems: frozenset[str]
) -> bool:
    """Whether the question names another field than the one that the record is about."""
    if record.columns:
        return bool(keys) and _is_named(record.columns, stems)
    named = [
        field
        for field in record.fields
        if _is_named(field.name, stems) and _has_form(field, question)
    ]
    if len(record.fields) == 1:
        words = content_stems(record.fields[0].name)
        return bool(named) and all(_is_among(word, stems) for word in words)
    if named and question.form is AnswerKind.UUID:
        return True
    return any(key is not field for key in keys for field in named)


def _is_about(field: Field, stems: frozenset[str]) -> bool:
    """Whether the value is in the question, all of it."""
    words = content_stems(field.value) or stems_of(field.value)
    return bool(words) and all(_is_among(word, stems) for word in words)


def _is_named(names: str, stems: frozenset[str]) -> bool:
    words = content_stems(names) | measure_stems(names)
    return any(_is_among(word, stems) for word in words)


def _is_among(word: str, stems: frozenset[str]) -> bool:
    """Whether it is one of the stems, or another form of one; "server12" is none of "server1"."""
    has_digit = any(map(str.isdigit, word))
    return word in stems if has_digit else likeness(word, stems) == 1


def _has_form(field: Field, question: QuestionTerms) -> bool:
    """Whether the value is written as the question says, which may say it by the name alone."""
    if question.form is AnswerKind.UUID:
        return shown_at(AnswerKind.UUID, field.value) is not None
    is_number = not _NUMBERS.isdisjoint(question.stems) and _NUMBERS.isdisjoint(
        stems_of(field.name)
    )
    return not is_number or any(map(str.isdigit, field.value))


def _shown(kind: AnswerKind, fields: Sequence[Field]) -> bool:
    """Whether one field alone is of the kind asked for."""
    return sum(_is_of_kind(field, kind) for field in fields) == 1


def _is_of_kind(field: Field, kind: AnswerKind) -> bool:
    if kind is AnswerKind.QUANTITY:
        return _FIGURE.fullmatch(field.value) is not None
    if kind is AnswerKind.TIME:
        return _is_dated(field)
    return kind in _SHOWN_BY_NAME and shown_at(kind, f"{field.name}: {field.value}") is not None


def _is_dated(field: Field) -> bool:
    return _DATE.search(fold(field.value)) is not None


def _unsaid(question: QuestionTerms, unit: Unit) -> frozenset[str]:
    """The words of the question that are neither in the unit nor over it, of scripts that part
    them: elsewhere a word of the question is cut into pairs that cross its ends. Of a German one
    its nouns count, for another verb may stand for its own."""
    if unit.record is None:
        return frozenset()
    text = f"{unit.text}\n{unit.header}\n{unit.frame}"
    known = stems_of(text) | measure_stems(text)
    return frozenset(
        one
        for one in question.stems
        if one < _UNSPACED
        and not (question.is_german and not _has_to_be_said(one, question))
        and one not in _SAID_BY_FORM
        and not likeness(one, known)
        and not _quality(one) & known
    )


def _has_to_be_said(word: str, question: QuestionTerms) -> bool:
    return word in question.named or word in _CALENDAR or any(map(str.isdigit, word))


def _quality(word: str) -> frozenset[str]:
    return _QUALITIES.get(word, frozenset())

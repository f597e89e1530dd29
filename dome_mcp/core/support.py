"""How well each unit of evidence supports an answer to a question.

Two measures, both 0 to 1. `score` orders the units and decides what to quote first. `confidence`
decides whether the best of them answers at all: it leans on the share of the question's words
found in and around the unit, each word weighted by how rare it is among the units, and on how
close question and unit are in meaning (closeness.py), for the two err in different ways. A unit
without the figure that is asked for answers nothing, however alike it is.

The weights started as a logistic fit over some 300 questions about personal notes and
conversations, a third of them without an answer, and were rounded and set by hand from there, with
130 more about documents. benchmarks/answers.py measures what they are worth.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dome_mcp.core.answer_kinds import AnswerKind
from dome_mcp.core.asked_records import Asked, asked_records
from dome_mcp.core.evidence import Unit, UnitKind
from dome_mcp.core.measures import MEASURES, measure_stems
from dome_mcp.core.questions import QuestionTerms, content_stems, shows_answer
from dome_mcp.core.terms import likeness, stems_of

CONFIDENT = 0.48
CONFIDENT_BY_WORDS = 0.55
"""Without a model to compare meanings, the words in and over the unit have to carry it."""

LEAST_CERTAIN = 0.3
"""Of what is quoted; below it so many other units are as good that it would be a guess."""

_OWN, _FRAMED, _WIDE, _NAMED, _PASSAGE, _SIMILAR = 0.2, 0.1, 0.05, 0.05, 0.2, 0.4
_KIND_SHOWN = 0.15
_LATER_PASSAGE = 0.1
_HEADING = 0.1
_HEADING_ALONE = 0.25
_FURTHEST_PASSAGE = 8
_WIDE_SHARE, _PASSAGE_SHARE, _SIMILAR_SHARE = 0.3, 0.15, 0.55
_RECORDS: dict[Asked | None, float] = {Asked.THIS: 0.25, Asked.ANOTHER: -0.5}
_RECORD_LACKING = 0.15
_NAMED_MISSING = 0.15
_KIND_MISSING = 0.1
_FIGURES = (AnswerKind.AGE, AnswerKind.WEIGHT, AnswerKind.MONEY, AnswerKind.QUANTITY)
_MISSING = {
    # A figure is there or it is not; a date may be the note's own, a definition in any words.
    **dict.fromkeys(_FIGURES, 0.5),
    AnswerKind.TIME: 0.0,
    AnswerKind.DEFINITION: 0.0,
}
_STOPS = (".", "!", "。", "！", "…", ")", '"', "”", "|")
_CONFIDENCE, _LEAD, _BIAS = 4.2, 12.0, -3.7
_LONGEST_LEAD = 0.2
"""A logistic fit over some 600 questions about documents and conversations."""
_RAREST_WEIGHT, _COMMONEST_WEIGHT = 5.0, 0.3
_PARAPHRASED_WEIGHT = 1.5
"""At most, of a German verb or adjective that no unit has: another of the same sense will do. In
other languages it cannot be told from a noun, without which nothing answers."""


@dataclass(frozen=True, slots=True)
class Support:
    """A unit with what speaks for it.

    `similarity` is the closeness of question and unit, None where no model compared meanings.

    `own`, `framed`, `wide` and `whole` are the weighted shares of the question's words found in the
    unit, in the unit or its frame, in either or its neighbours, and anywhere in its passage;
    `named` is that of its names alone, found as far as `wide`.
    """

    unit: Unit
    own: float
    framed: float
    wide: float
    whole: float
    named: float
    lacks_named: bool
    """Whether a number of the question is neither in it nor about it: other numbers are others. Of
    a row or setting, a name as well."""
    shows_kind: bool | None
    """Whether it has the kind of thing asked for; None where that cannot be told."""
    kind_missing: float
    """What it costs in confidence not to have it."""
    record: Asked | None = None
    """What it is to the question as a row or setting; None where that cannot be told."""
    similarity: float | None = None

    @property
    def score(self) -> float:
        words = _OWN * self.own + _FRAMED * self.framed + _WIDE * self.wide
        words += _NAMED * self.named + _PASSAGE * self.whole
        if self.similarity is None:
            meaning = words * _SIMILAR / (_OWN + _FRAMED + _WIDE + _NAMED + _PASSAGE)
        else:
            meaning = _SIMILAR * self.similarity
        kind = _KIND_SHOWN * (0.5 if self.shows_kind is None else self.shows_kind)
        depth = min(self.unit.passage, _FURTHEST_PASSAGE) / _FURTHEST_PASSAGE
        is_heading = self.unit.kind is UnitKind.HEADING
        place = _LATER_PASSAGE * depth + _HEADING * is_heading
        return words + meaning + kind - place + _RECORDS.get(self.record, 0)

    @property
    def confidence(self) -> float:
        missing = self.kind_missing * (self.shows_kind is False)
        missing += _HEADING_ALONE * (self.unit.kind is UnitKind.HEADING)
        missing += _NAMED_MISSING * self.lacks_named
        missing += _RECORD_LACKING * (self.record is Asked.LACKING)
        missing -= _RECORDS.get(self.record, 0)
        if self.similarity is None:
            return self.framed - missing
        words = _WIDE_SHARE * self.wide + _PASSAGE_SHARE * self.whole
        return words + _SIMILAR_SHARE * self.similarity - missing

    @property
    def is_confident(self) -> bool:
        needed = CONFIDENT_BY_WORDS if self.similarity is None else CONFIDENT
        return self.confidence >= needed


def weigh(question: QuestionTerms, units: Sequence[Unit]) -> list[Support]:
    """The support by words alone of every unit that says something, best first."""
    own = [_found(question, unit.text) for unit in units]
    framed = [
        _best(in_unit, _found(question, unit.frame))
        for unit, in_unit in zip(units, own, strict=True)
    ]
    passages = _passages(units, framed)
    weights = _word_weights(question, own)
    fits = asked_records(question, units)
    supports = [
        replace(
            _support(question, unit, (in_unit, in_frame, passages[unit.passage]), weights),
            record=fit,
        )
        for unit, in_unit, in_frame, fit in zip(units, own, framed, fits, strict=True)
        if _says_something(question, unit)
    ]
    return ranked(supports)


def _support(
    question: QuestionTerms,
    unit: Unit,
    found: tuple[Sequence[float], Sequence[float], Sequence[float]],
    weights: Sequence[float],
) -> Support:
    """The support of a unit by what was `found` of each word in it, in its frame, its passage."""
    in_unit, in_frame, in_passage = found
    in_reach = _best(in_frame, _found(question, unit.nearby))
    # In German any noun is among the named, and another may stand for it.
    is_by_name = unit.record is not None and not question.is_german
    named = [
        weight * (stem in question.named)
        for stem, weight in zip(question.stems, weights, strict=True)
    ]
    return Support(
        unit,
        own=_share(in_unit, weights),
        framed=_share(in_frame, weights),
        wide=_share(in_reach, weights),
        whole=_share(_best(in_reach, in_passage), weights),
        named=_share(in_reach, named if any(named) else weights),
        lacks_named=any(
            stem in question.named and (stem[0].isdigit() or is_by_name) and not value
            for stem, value in zip(question.stems, in_reach, strict=True)
        ),
        shows_kind=shows_answer(question, f"{unit.text}\n{unit.header}"),
        kind_missing=_MISSING.get(question.kind, _KIND_MISSING),
    )


def with_similarity(supports: Sequence[Support], similarity: Sequence[float]) -> list[Support]:
    """The supports with the closeness of question and unit taken in, best first."""
    pairs = zip(supports, similarity, strict=True)
    return ranked([replace(support, similarity=max(0.0, close)) for support, close in pairs])


def certainty(quoted: Sequence[Support], supports: Iterable[Support]) -> float:
    """How likely what is quoted, the best first, is right among all that was weighed: 0 to 1.

    Its confidence tells whether the notes hold an answer, its lead over the best unit that is not
    quoted whether it is this one. Whatever weighs units of evidence can say so by this.
    """
    units = {one.unit for one in quoted}
    rivals = (one.score for one in supports if one.unit not in units)
    lead = quoted[0].score - max(rivals, default=0.0)
    odds = _CONFIDENCE * quoted[0].confidence + _LEAD * min(max(lead, 0.0), _LONGEST_LEAD) + _BIAS
    return 1 / (1 + math.exp(-odds))


def ranked(supports: Sequence[Support]) -> list[Support]:
    """Best first; equals in the order of the passages."""
    return sorted(supports, key=lambda one: (-one.score, one.unit.passage, one.unit.start))


def _found(question: QuestionTerms, text: str) -> list[float]:
    stems = stems_of(text)
    if not MEASURES.isdisjoint(question.stems):
        stems |= measure_stems(text)
    return [likeness(stem, stems) for stem in question.stems]


def _passages(units: Sequence[Unit], found: Sequence[Sequence[float]]) -> dict[int, list[float]]:
    """By passage, how well the best of its units has each word."""
    best: dict[int, list[float]] = {}
    for unit, values in zip(units, found, strict=True):
        best[unit.passage] = _best(best.get(unit.passage, values), values)
    return best


def _best(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [max(pair) for pair in zip(one, other, strict=True)]


def _share(found: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(map(math.prod, zip(found, weights, strict=True))) / total if total else 0.0


def _word_weights(question: QuestionTerms, found: Sequence[Sequence[float]]) -> list[float]:
    """Inverse document frequency among the units; a word that no unit has weighs most, unless it
    may well be paraphrased."""
    count = len(found)
    weights: list[float] = []
    # Without units there are no columns, and nothing to weigh.
    for stem, column in zip(question.stems, zip(*found, strict=True), strict=False):
        have = sum(value > 0 for value in column)
        weight = math.log(1 + (count - have + 0.5) / (have + 0.5))
        can_be_paraphrased = question.is_german and stem not in question.named and not have
        most = _PARAPHRASED_WEIGHT if can_be_paraphrased else _RAREST_WEIGHT
        weights.append(min(max(weight, _COMMONEST_WEIGHT), most))
    return weights


def _says_something(question: QuestionTerms, unit: Unit) -> bool:
    """False for what asks or announces, for a line that only repeats question or title, and for
    a whole list where one figure is asked for."""
    if unit.kind is UnitKind.LIST and question.kind in _FIGURES:
        return False
    text = unit.text.rstrip()
    if text.endswith(("?", "？", ":", "：")):
        return False
    known = {*question.stems, *stems_of(unit.frame)}
    return text.endswith(_STOPS) or not content_stems(text) <= known

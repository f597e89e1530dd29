"""Which notes say otherwise than a newer one.

Two units of different notes contradict each other where they say the same of the same thing but for
the name, number or date that is asked for. What tells that from two that speak of alike things is
strict, because a false alarm is worse than none:

- neither has a word of the question that the other lacks;
- nearly all the words of each, values aside, are words of the other too;
- each has a value of the kind asked for that the other lacks, and they differ in no value of
  another kind: other tiles, of another maker, have another price. Only the day on which something
  was so may be another, unless that is the question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from dome_mcp.core.answer_kinds import CALENDAR_WORDS, AnswerKind
from dome_mcp.core.evidence import Unit, UnitKind
from dome_mcp.core.model import Passage
from dome_mcp.core.questions import QuestionTerms, capitalises_nouns, is_function_word
from dome_mcp.core.support import Support
from dome_mcp.core.terms import Term, fold, likeness, stem, stems_of, terms_of


class _Kind(Enum):
    """What a word of a unit is."""

    NAME = auto()
    NUMBER = auto()
    DATE = auto()
    PLAIN = auto()


_ASKED = {
    AnswerKind.PERSON: (_Kind.NAME,),
    AnswerKind.PLACE: (_Kind.NAME,),
    AnswerKind.TIME: (_Kind.DATE,),
    AnswerKind.AGE: (_Kind.NUMBER,),
    AnswerKind.WEIGHT: (_Kind.NUMBER,),
    AnswerKind.MONEY: (_Kind.NUMBER,),
    AnswerKind.QUANTITY: (_Kind.NUMBER,),
    # "What is the booking code?" reads like "What is a generator?"
    AnswerKind.DEFINITION: (_Kind.NAME, _Kind.NUMBER),
    AnswerKind.OTHER: (_Kind.NAME, _Kind.NUMBER),
}
"""Which values answer a question; of a reason no value can be told from other words."""
_CALENDAR_STEMS = frozenset(map(stem, CALENDAR_WORDS))
_ALIKE = 0.7
"""The share of a unit's words, values aside, that the other one has to have."""
_MOST_WORDS = 24
"""Of a unit that states one thing."""
_YEARS = range(1900, 2100)


@dataclass(frozen=True, slots=True)
class Quotes:
    """What to quote, best first, and outdated units that say otherwise than the first of them."""

    chosen: tuple[Support, ...]
    outdated: tuple[Support, ...] = ()


def newest_first(
    chosen: Sequence[Support],
    supports: Sequence[Support],
    passages: Sequence[Passage],
    question: QuestionTerms,
) -> Quotes:
    """The chosen with the newest word on the matter first, and what older notes say otherwise.

    Of two notes of one day neither is the newer. `supports` are all that may say otherwise, the
    confident ones among them are heard.
    """

    def day(support: Support) -> date:
        return passages[support.unit.passage].created_at.date()

    def is_denied_by(support: Support, newer: Support) -> bool:
        return day(support) < day(newer) and contradict(newer.unit, support.unit, question)

    if not chosen:
        return Quotes(())
    confident = [one for one in supports if one.is_confident]
    first = max((chosen[0], *(one for one in confident if is_denied_by(chosen[0], one))), key=day)
    outdated = [one for one in confident if is_denied_by(one, first)]
    others = [one for one in chosen if one is not first and one not in outdated]
    return Quotes((first, *others), tuple(sorted(outdated, key=day, reverse=True)))


def contradict(one: Unit, other: Unit, question: QuestionTerms) -> bool:
    """Whether two units give different answers to a question about the same thing."""
    if question.kind not in _ASKED or not (_states_one_thing(one) and _states_one_thing(other)):
        return False
    words, other_words = _words(one), _words(other)
    extra, other_extra = _beyond(words, other), _beyond(other_words, one)
    return (
        _is_alike(words, extra)
        and _is_alike(other_words, other_extra)
        and not any(likeness(stem, {*extra, *other_extra}) for stem in question.stems)
        and _differ_as_asked(set(extra.values()), set(other_extra.values()), question.kind)
    )


def _states_one_thing(unit: Unit) -> bool:
    is_statement = unit.kind not in (UnitKind.HEADING, UnitKind.LIST)
    return is_statement and len(terms_of(unit.text)) <= _MOST_WORDS


def _words(unit: Unit) -> dict[str, _Kind]:
    """The stems of the unit's content words, and what each is."""
    terms = terms_of(unit.text)
    words = [unit.text[term.start : term.end] for term in terms]
    german = capitalises_nouns(words)
    return {
        _plainly(term.stem): _kind(term, words[max(0, at - 1) : at + 2])
        for at, term in enumerate(terms)
        if not is_function_word(words[at], german=german)
    }


def _kind(term: Term, around: Sequence[str]) -> _Kind:
    """What a word is; a number beside a month belongs to the date."""
    is_dated = any(fold(word) in CALENDAR_WORDS for word in around)
    if not term.is_number:
        if term.stem in _CALENDAR_STEMS:
            return _Kind.DATE
        return _Kind.NAME if term.is_capitalised else _Kind.PLAIN
    is_year = term.stem.isdecimal() and int(term.stem) in _YEARS
    return _Kind.DATE if is_dated or is_year or ":" in term.stem else _Kind.NUMBER


def _beyond(words: Mapping[str, _Kind], other: Unit) -> dict[str, _Kind]:
    """The words that the other unit has neither in it nor over it."""
    known = {_plainly(stem) for stem in stems_of(f"{other.text}\n{other.frame}")}
    return {stem: kind for stem, kind in words.items() if not likeness(stem, known)}


def _is_alike(words: Mapping[str, _Kind], extra: Mapping[str, _Kind]) -> bool:
    """Whether enough of the words are shared, one of them plain: "Sure, Ada!" says nothing."""
    shared = [kind for stem, kind in words.items() if stem not in extra]
    plain = sum(kind is _Kind.PLAIN for kind in extra.values())
    return _Kind.PLAIN in shared and len(shared) >= _ALIKE * (len(shared) + plain)


def _differ_as_asked(kinds: set[_Kind], other_kinds: set[_Kind], asked: AnswerKind) -> bool:
    """Whether both have values of one kind asked for, and not both have values of another."""
    differing = (kinds & other_kinds) - {_Kind.PLAIN}
    if asked is not AnswerKind.TIME:
        differing -= {_Kind.DATE}
    return len(differing) == 1 and differing <= set(_ASKED[asked])


def _plainly(stem: str) -> str:
    """A decimal comma and a decimal point are the same."""
    return stem.replace(",", ".")

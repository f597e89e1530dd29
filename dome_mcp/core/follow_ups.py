"""Questions that go on from an earlier one: "And when does it end?" after one about a course.

Such a question is searched for with the words of the one that it goes on from. That is done only
where it is safe: the question has no subject of its own, and where it has any word of its own the
evidence must have one too, lest the question before it be answered once more.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from dome_mcp.core.answer_kinds import AnswerKind, answer_kind
from dome_mcp.core.period_words import period_words
from dome_mcp.core.questions import capitalises_nouns, content_terms, is_name
from dome_mcp.core.terms import Term, likeness, stems_of, terms_of

_MOST_OWN_WORDS = 1
"""That asks for something; with more a question says what it is about."""

_REFERRING = frozenset(
    " ".join(
        (
            "it its that this those these they them their theirs there he him his she her hers",
            "es er sie ihn ihm ihr ihre das dies diese dieser dieses davon dafür damit dazu dort",
            "il elle ils elles cela ça leur leurs eso esto ellos ellas",
        )
    ).split()
)
"""Words that stand for something that was said before."""
_PERSONAL = frozenset(
    " ".join(("it its they them their theirs he him his she her hers", "er sie ihn ihm")).split()
)
"""Those that say so wherever they stand; "das" may be an article, "that" begin a clause."""
_LEAVES_OUT = re.compile(
    r"\W*(?:\w+\s+)?(?:which|welche[mnrs]?)\s+"
    r"(?:ones?|the|of|in|on|at|for|de[mnrs]|die|das|im|am|auf|bei|für|von)\b",
    re.IGNORECASE,
)
"""A part that leaves out what the part before has said: "and which one on the second page?"."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Sought:
    """A question as it is searched for by `text`, and as evidence is weighed by `asked`.

    Of a follow-up with words of its own those are in `own_stems`, and the words of what it is about
    in `subject_stems`; both are empty for any other question. `goes_on_from` is the question that
    has its subject.
    """

    text: str
    asked: str
    own_stems: tuple[str, ...] = ()
    subject_stems: tuple[str, ...] = ()
    goes_on_from: str = ""

    def admits(self, unit: str, passage: str) -> bool:
        """Whether a unit of a passage may be evidence: it has a word of the question, in a passage
        that has at least half the words of its subject."""
        if not self.own_stems:
            return True
        in_unit, in_passage = stems_of(unit), stems_of(passage)
        found = sum(likeness(stem, in_passage) > 0 for stem in self.subject_stems)
        is_about = 2 * found >= len(self.subject_stems)
        return is_about and any(likeness(stem, in_unit) for stem in self.own_stems)


def sought(question: str, earlier: Sequence[str], *, is_part: bool = False) -> Sought:
    """What to search for, given the questions before it, the last one at the end.

    `is_part`: the last of them was asked in one sentence with it, so that a pronoun, or a word left
    out, means what that was about, however much the question says besides.
    """
    is_follow_up = _is_follow_up(question)
    if not is_follow_up and not (is_part and _leans_on_part_before(question)):
        return Sought(question, question)
    subject = next((each for each in reversed(earlier) if not _is_follow_up(each)), None)
    if subject is None:
        return Sought(question, question)
    about = content_terms(subject)
    words = dict.fromkeys(subject[term.start : term.end] for term in about)
    text = f"{question.strip()} ({' '.join(words)})"
    own = tuple(dict.fromkeys(term.stem for term in content_terms(question)))
    if not own:
        return Sought(text, text, goes_on_from=subject)
    if not is_follow_up:
        return Sought(text, question, goes_on_from=subject)
    stems = tuple(dict.fromkeys(term.stem for term in about))
    return Sought(text, question, own, stems, subject)


def in_full(questions: Sequence[str], now: datetime | None, *, zone: tzinfo) -> list[str]:
    """The questions, of which one that names nothing but a period is the one before it again, for
    that period: "And in 2023?" after "What did heating cost in 2024?"."""
    full: list[str] = []
    for question in questions:
        words = period_words(question, now, zone=zone)
        is_bare = words is not None and not _asks_something(words.left_out_of(question))
        if full and words and is_bare:
            full.append(_for_period(full[-1], words.text, now, zone=zone))
        else:
            full.append(question)
    return full


def _for_period(question: str, period: str, now: datetime | None, *, zone: tzinfo) -> str:
    words = period_words(question, now, zone=zone)
    if words:
        return f"{question[: words.start]}{period}{question[words.end :]}"
    asked = question.rstrip(" ?？.!")
    return f"{asked} {period}{question.rstrip()[len(asked) :]}"


def _asks_something(text: str) -> bool:
    return bool(content_terms(text)) or answer_kind(text) is not AnswerKind.OTHER


def _is_follow_up(question: str) -> bool:
    """Whether a question has no subject, or a word that stands for it."""
    own = content_terms(question)
    if not own:
        return True
    refers = _has_any(question, _REFERRING)
    return refers and len(own) <= _MOST_OWN_WORDS and not any(_names(t, question) for t in own)


def _leans_on_part_before(part: str) -> bool:
    return _has_any(part, _PERSONAL) or _LEAVES_OUT.match(part) is not None


def _has_any(question: str, words: Collection[str]) -> bool:
    return any(word.lower() in words for word in _WORD.findall(question))


def _names(term: Term, question: str) -> bool:
    """Whether a word of a question is a name, a number, or a German noun."""
    if term.is_number:
        return True
    word = question[term.start : term.end]
    words = [question[each.start : each.end] for each in terms_of(question)]
    if capitalises_nouns(words):
        return term.is_capitalised
    return is_name(word) and word != words[0]

"""Questions that go on from an earlier one: "And when does it end?" after one about a course.

Such a question is searched for with the words of the one that it goes on from. That is done only
where it is safe: the question has no subject of its own, and where it has any word of its own the
evidence must have one too, lest the question before it be answered once more.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Sought:
    """A question as it is searched for by `text`, and as evidence is weighed by `asked`.

    Of a follow-up with words of its own those are in `own_stems`, and the words of what it is about
    in `subject_stems`; both are empty for any other question.
    """

    text: str
    asked: str
    own_stems: tuple[str, ...] = ()
    subject_stems: tuple[str, ...] = ()

    def admits(self, unit: str, passage: str) -> bool:
        """Whether a unit of a passage may be evidence: it has a word of the question, in a passage
        that has at least half the words of its subject."""
        if not self.own_stems:
            return True
        in_unit, in_passage = stems_of(unit), stems_of(passage)
        found = sum(likeness(stem, in_passage) > 0 for stem in self.subject_stems)
        is_about = 2 * found >= len(self.subject_stems)
        return is_about and any(likeness(stem, in_unit) for stem in self.own_stems)


def sought(question: str, earlier: Sequence[str]) -> Sought:
    """What to search for, given the questions before it, the last one at the end."""
    if not _is_follow_up(question):
        return Sought(question, question)
    subject = next((each for each in reversed(earlier) if not _is_follow_up(each)), None)
    if subject is None:
        return Sought(question, question)
    about = content_terms(subject)
    words = dict.fromkeys(subject[term.start : term.end] for term in about)
    text = f"{question.strip()} ({' '.join(words)})"
    own = tuple(dict.fromkeys(term.stem for term in content_terms(question)))
    if not own:
        return Sought(text, text)
    return Sought(text, question, own, tuple(dict.fromkeys(term.stem for term in about)))


def _is_follow_up(question: str) -> bool:
    """Whether a question has no subject, or a word that stands for it."""
    own = content_terms(question)
    if not own:
        return True
    refers = any(word.lower() in _REFERRING for word in _WORD.findall(question))
    return refers and len(own) <= _MOST_OWN_WORDS and not any(_names(t, question) for t in own)


def _names(term: Term, question: str) -> bool:
    """Whether a word of a question is a name, a number, or a German noun."""
    if term.is_number:
        return True
    word = question[term.start : term.end]
    words = [question[each.start : each.end] for each in terms_of(question)]
    if capitalises_nouns(words):
        return term.is_capitalised
    return is_name(word) and word != words[0]

"""What a claim means, as evidence is held against it: its words, names, numbers and denials."""

import re
from dataclasses import dataclass

from dome_mcp.core.negation import Stance
from dome_mcp.core.quantities import Clause, clauses_of, measured_in, numbers_of
from dome_mcp.core.questions import capitalises_nouns, is_function_word, is_name
from dome_mcp.core.terms import fold, stems_of, terms_of

_OPENERS = stems_of(
    "Yes No According Overall Additionally Furthermore Currently Finally Note Total However Also"
    " Laut Insgesamt Außerdem Zudem Ja Nein"
)
"""Words that open a sentence with a capital and name nothing."""
_LIST_MARK = re.compile(r"\A(?:(?:[-*+•]|\d{1,2}[.)])\s+|#{1,6}\s+)")
_CODE = re.compile(r"[^\W_]*(?:[^\W\d_]\d|[^\W\d_][A-Z])[^\W_]*")
"""A word that is written like no other is a name in any language."""
_TITLED = re.compile(r"\b(?:Herrn?|Frau|Familie|Firma|Dr\.|Prof\.)\s+([^\W\d_]+)")


@dataclass(frozen=True, slots=True)
class Meant:
    """A claim's content words, and what evidence cannot do without."""

    stems: tuple[str, ...]
    names: frozenset[str]
    clauses: tuple[Clause, ...]
    stance: Stance

    @classmethod
    def by(cls, text: str) -> "Meant":
        plain = _LIST_MARK.sub("", text, count=1)
        return cls(
            stems=_stems(plain),
            names=names_in(plain),
            clauses=tuple(clauses_of(plain)),
            stance=Stance.of(plain),
        )

    @property
    def numbers(self) -> frozenset[str]:
        return numbers_of(self.clauses)


def names_in(text: str) -> frozenset[str]:
    """The stems of names; in German, which capitalises nouns, of those that are sure to be some."""
    content = _content(text)
    german = capitalises_nouns(text[term.start : term.end] for term in terms_of(text))
    titled, measures = set(_TITLED.findall(text)), measured_in(text)
    found = frozenset(
        stem
        for stem, word in content
        if not word[0].isdigit()
        and fold(word) not in measures
        and (word in titled or _CODE.fullmatch(word) or (not german and is_name(word)))
    )
    return found - _OPENERS


def _content(text: str) -> list[tuple[str, str]]:
    """Stem and word of the words that say something of a subject."""
    words = [(term.stem, text[term.start : term.end]) for term in terms_of(text)]
    german = capitalises_nouns(word for _, word in words)
    return [pair for pair in words if not is_function_word(pair[1], german=german)]


def _stems(text: str) -> tuple[str, ...]:
    """Of the words of a claim; its numbers and their measures only where it has no others."""
    counted = measured_in(text)
    content = _content(text)
    telling = [
        stem
        for stem, word in content
        if not word[0].isdigit() and fold(word) not in counted and stem not in _OPENERS
    ]
    return tuple(telling or (stem for stem, _ in content))

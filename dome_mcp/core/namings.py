"""Sentences that give something its name: "X heißt Y, wenn …", "X is also known as Y".

A sentence that only uses a name says nothing of what it stands for.
"""

import re
from collections.abc import Collection, Iterator

from dome_mcp.core.stopwords import STOP_WORDS
from dome_mcp.core.terms import fold, likeness, stems_of, terms_of

_CALLED = re.compile(
    r"\b(?:heisst|heissen|(?:nennt|bezeichnet) man|(?:nennen|bezeichnen) wir"
    r"|(?:is|are|was|were)(?: \w+)? (?:called|named|termed|known as|referred to as)"
    r"|(?:also|better|formerly) (?:called|known as))\b"
)
_GENANNT = re.compile(
    r"\b(?:wird|werden|wurden?|ist|sind)\b(?P<name>[^.;]{1,120}?)\b(?:genannt|bezeichnet)\b"
)
_CLAUSE = re.compile(r"[,;.:(⇔]|\b(?:wenn|falls|if|iff|when|where|weil|because)\b")
_LONGEST_NAME, _LONGEST_SUBJECT = 120, 400
"""Characters; further away nothing belongs together."""
_MARKED = re.compile(r"„[^“”]+[“”]|“[^”]+”|»[^«]+«|«[^»]+»")


def gives_name(text: str, name: Collection[str]) -> bool:
    """Whether a sentence says what it is that has the name, all stems of which are given."""
    return any(all(likeness(stem, stems_of(given)) for stem in name) for _, given in _namings(text))


def calls(text: str, name: str) -> bool:
    """Whether a sentence says what is called by a name of one word, given by its stem."""
    return any(
        name in stems_of(given) and all(likeness(stem, (name,)) for stem in _telling(given))
        for _, given in _namings(text)
    )


def _telling(given: str) -> frozenset[str]:
    return frozenset(
        term.stem for term in terms_of(given) if given[term.start : term.end] not in STOP_WORDS
    )


def gives_name_to(text: str, subject: Collection[str]) -> bool:
    """Whether a sentence says, of something with at least half the stems, what it is called, or
    has a name in quotation marks for it."""
    marked = ((text, found[0]) for found in _MARKED.finditer(text))
    for named, given in (*_namings(text), *marked):
        found = sum(likeness(stem, stems_of(named)) > 0 for stem in subject)
        if 2 * found >= len(subject) and stems_of(given) - {*subject}:
            return True
    return False


def _namings(text: str) -> Iterator[tuple[str, str]]:
    """What is named and the name it is given, both folded."""
    folded, begin = fold(text), 0
    for found in _CALLED.finditer(folded):
        end = min(len(folded), found.end() + _LONGEST_NAME)
        clause = _CLAUSE.search(folded, found.end(), end)
        end = clause.start() if clause else end
        yield folded[begin : found.start()], folded[found.end() : end]
        begin = end
    for found in _GENANNT.finditer(folded):
        yield folded[max(0, found.start() - _LONGEST_SUBJECT) : found.start()], found["name"]

"""The things that one question asks: "How thick is the worktop, and who does the wiring?" is two.

A question is parted only where its form leaves no doubt, for a part too many costs a search and
answers what nobody asked:

- where another question begins: after a question mark, or after `and` with a question word;
- where a question has two places, times, … with the preposition said again: "the rent in Lisbon
  and in Porto";
- where two things are to be compared: "Compare the oven with the hob".

So "salt and pepper" stays together, and so does what a relative clause says.
"""

import re
from collections.abc import Iterable

from dome_mcp.core.questions import content_terms

MOST_PARTS = 3
"""The last part has all that follows."""

_ASKING = (
    r"(?:(?:by|to|with|for|from|since|until|at|in|on|von|mit|für|bis|seit|ab|an|in|um)\s+)?"
    r"(?:who|whom|whose|what|when|where|which|why|how|wer|wen|wem|wessen|was|wann|wo|wohin|woher"
    r"|welche[mnrs]?|warum|wieso|weshalb|wie|wieviele?|womit|wofür)\b"
)
_ASKS = re.compile(rf"\b{_ASKING}", re.IGNORECASE)
_ENDS_ASKING = re.compile(rf"\b{_ASKING}\W*$", re.IGNORECASE)
_AND_ASKS = re.compile(
    rf"\s*[,;]?\s+(?:and|und|as\s+well\s+as|sowie)\s+(?:also\s+|auch\s+)?(?={_ASKING})",
    re.IGNORECASE,
)
_COMMA_ASKS = re.compile(rf"\s*[,;]\s+(?={_ASKING})", re.IGNORECASE)
_NEXT_QUESTION = re.compile(r"(?<=[?？])\s*(?:(?:and|und|also)\b,?\s+)?", re.IGNORECASE)
_COMPARED = re.compile(
    r"^\W*(?:please\s+|bitte\s+)?(?:compare|vergleiche?|"
    r"(?:what(?:'s|\s+is)|was\s+ist)\s+(?:the|der)\s+(?:difference|unterschied)\s+"
    r"(?:between|zwischen))\s+(?P<one>.+?)\s+(?:and|with|to|und|mit)\s+(?P<other>.+?)\W*$",
    re.IGNORECASE | re.DOTALL,
)
_PREPOSITION = r"(?:in|at|on|for|from|für|bei|von|auf|an|im|am)"
_FEW_WORDS = r"(?:(?!and\b|und\b|\w+ing\b)[^\s,]+\s+){0,2}?(?!\w+ing\b)[^\s,]+?"
_TWICE = re.compile(
    rf"^(?P<before>.*\S\s+)(?P<one>(?P<preposition>{_PREPOSITION})\s+{_FEW_WORDS})"
    rf",?\s+(?:and|und)\s+(?P<other>(?P=preposition)\s+{_FEW_WORDS})(?P<after>[\s?？.!]*)$",
    re.IGNORECASE | re.DOTALL,
)
_PLACE = re.compile(rf"\s(?P<preposition>{_PREPOSITION})\s", re.IGNORECASE)
_LONGEST = 500
"""Characters; what is longer brings a text along, and is no compound of questions."""


def parts_of(question: str) -> list[str]:
    """The questions that a question is made of, in order, as they are written; at most three."""
    if len(question) > _LONGEST:
        return [question]
    text = " ".join(question.split())  # the patterns are slow on long runs of spaces
    parts = [part for each in _questions(text) for part in _compared(each)]
    return _at_most(MOST_PARTS, parts) if len(parts) > 1 else [question]


def _questions(question: str) -> list[str]:
    pieces = [piece for piece in _NEXT_QUESTION.split(question) if piece.strip()]
    if not all(_ASKS.search(piece) and piece[-1] in "?？" for piece in pieces):
        pieces = [question]
    return [part for piece in pieces for part in _coordinated(piece)]


def _coordinated(question: str) -> list[str]:
    """The question, cut before each further question word that `and` leads to.

    With three, only the last has an `and`; a comma alone may as well begin a relative clause.
    """
    parts = _cut(question, _AND_ASKS)
    if len(parts) > 1 and not parts[0].rstrip().endswith(","):
        parts = [*_cut(parts[0], _COMMA_ASKS), *parts[1:]]
    return parts


def _cut(question: str, separator: re.Pattern[str]) -> list[str]:
    """The pieces between the separators, if each of them that another follows asks for something
    by itself. "When and where is it?" does not, nor "Do you know when and where it is?"."""
    pieces, start = list[str](), 0
    for found in separator.finditer(question):
        piece = question[start : found.start()]
        if _ASKS.search(piece) and content_terms(piece) and not _ENDS_ASKING.search(piece):
            pieces.append(piece)
            start = found.end()
    return [*pieces, question[start:]]


def _compared(question: str) -> list[str]:
    """What is compared, or asked of two places, times or things that a preposition leads to."""
    if found := _COMPARED.match(question):
        one, other = found["one"], found["other"]
        place = _PLACE.search(one)
        if place and not re.match(rf"{_PREPOSITION}\s", other, re.IGNORECASE):
            is_whole = len(content_terms(other)) > 1
            return [one, other if is_whole else f"{one[: place.end()]}{other}"]
        if place and re.match(rf"{re.escape(place['preposition'])}\s", other, re.IGNORECASE):
            return [one, f"{one[: place.start()]} {other}"]
        return [one, other] if _is_subject(one) and _is_subject(other) else [question]
    found = _TWICE.match(question)
    if found and _ASKS.search(found["before"]):
        before, after = found["before"], found["after"]
        return [f"{before}{found['one']}{after}", f"{before}{found['other']}{after}"]
    return [question]


def _is_subject(text: str) -> bool:
    return bool(content_terms(text))


def _at_most(most: int, parts: Iterable[str]) -> list[str]:
    first = list(parts)
    return [*first[: most - 1], " ".join(first[most - 1 :])] if len(first) > most else first

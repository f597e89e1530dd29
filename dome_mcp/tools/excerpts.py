"""The part of a passage that speaks of the question, for readers with little room."""

from collections.abc import Sequence

from dome_mcp.core.stopwords import STOP_WORDS
from dome_mcp.core.terms import fold, stem, terms_of

ELLIPSIS = "…"


def excerpt(text: str, query: str, *, width: int) -> str:
    """About `width` characters around the query's words, cut between words, on one line.

    Where none of them occurs, the beginning. A text that is no longer stays word for word.
    """
    if len(text) <= width:
        return text
    line = " ".join(text.split())
    start = _densest(_hits(line, query), width)
    # Some words before the first hit tell what it is about.
    start = max(0, min(start - width // 4, len(line) - width))
    return _between_words(line, start, start + width)


def shortened(text: str, width: int) -> str:
    """The beginning of a text, on one line, cut between words where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= width else _between_words(line, 0, width)


def _hits(line: str, query: str) -> list[tuple[int, str]]:
    """Where the query's telling words stand, and which of them."""
    asked = {term.stem for term in terms_of(query)}
    telling = asked - {stem(fold(word)) for word in STOP_WORDS}
    return [(term.start, term.stem) for term in terms_of(line) if term.stem in (telling or asked)]


def _densest(hits: Sequence[tuple[int, str]], width: int) -> int:
    """The first hit of the window that holds the most different words; 0 without hits."""
    best, best_start = 0, 0
    for index, (start, _) in enumerate(hits):
        found = {word for at, word in hits[index:] if at < start + width * 3 // 4}
        if len(found) > best:
            best, best_start = len(found), start
    return best_start


def _between_words(line: str, start: int, end: int) -> str:
    """The stretch without the words it would cut, and with marks for what is left out."""
    if start > 0 and not line[start - 1].isspace():
        space = line.find(" ", start, start + (end - start) // 4)
        start = space + 1 if space >= 0 else start
    if end < len(line) and not line[end].isspace():
        space = line.rfind(" ", end - (end - start) // 4, end)
        end = space if space >= 0 else end
    before = ELLIPSIS if start > 0 else ""
    after = ELLIPSIS if end < len(line) else ""
    return f"{before}{line[start:end].strip()}{after}"

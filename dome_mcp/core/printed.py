"""The lines of printed pages, whose text has no marks: what of them can be quoted.

A PDF gives the text of a page line by line. Numbered labels ("Definition 20"), lettered items and
the rows of tables are lines like any other, an exponent is a line of its own or begins one ("in R",
"3 heißt Knoten."), and the page has a running head and its number.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from dome_mcp.core.sentences import sentence_spans

_LABEL = re.compile(r"[^\W\d_]{3,}\s\d{1,3}(?:\.\d{1,3})*\.?(?:\s\([^()\n]+\))?")
_OPENING = re.compile(r"\(?[a-z]\)\s|\([ivx]+\)\s|[^\W\d_]{3,}\.?\s\d+(?:\.\d+)+[a-z]?\b")
_FIGURE = re.compile(r"[\d.,]*\d%?")
_FEWEST_ROWS = 3
_LONGEST_HEADER = 120
_RUNNING_HEAD = re.compile(r"\d{1,4}(?: [A-Z]?[\d.]*)? (?=.*[A-ZÄÖÜ]{3})[^a-zäöüß]+")
_PAGE_NUMBER = re.compile(r"\d{1,4}")
_EXPONENT = re.compile(r"(?:^|\s)[A-Za-z]\s*\n\s*\d{1,2}\b")
_ITEM_MARK = re.compile(r"^\(?\w{1,3}\)", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]{2}|\d{3}|[^\x00-\u2fff]|\|")  # or a table's mark
_CLOSING = ")]},;:"
_STOPS = ".!?"
_SHORT_LINE = 0.8
"""Of the longest line; a sentence that ends there ends a paragraph, whatever its last word."""

Span = tuple[int, int]


def printed_spans(text: str) -> list[Span]:
    """The sentences as `core.sentences` finds them, cut and joined as the lines show.

    What stands above and below the text of a page, and scraps of formulas without a word, are in
    none of them.
    """
    first, last = _inner(text)
    wrapped = _SHORT_LINE * max(map(len, text.splitlines()), default=0)
    spans: list[Span] = []
    for start, end in sentence_spans(text):
        for piece in _cut(text, max(start, first), min(end, last), wrapped):
            if spans and _goes_on(text, spans[-1], piece):
                spans[-1] = (spans[-1][0], piece[1])
            else:
                spans.append(piece)
    return [(start, end) for start, end in spans if _WORD.search(text, start, end)]


def is_label(text: str) -> bool:
    """Whether it is a word and a number, maybe with a name: "Satz 1.1 (Heine-Borel)"."""
    return _LABEL.fullmatch(text) is not None


def row_headers(texts: Sequence[str]) -> dict[int, str]:
    """Which of the texts are rows of a table, each with the header that stands above the first.

    A table without marks shows by a name and two figures side by side on three lines or more.
    """
    headers: dict[int, str] = {}
    for is_table, run in groupby(range(len(texts)), key=lambda at: _is_row(texts[at])):
        rows = list(run)
        if not is_table or len(rows) < _FEWEST_ROWS:
            continue
        above = " ".join(texts[rows[0] - 1].split()) if rows[0] else ""
        is_header = len(above) <= _LONGEST_HEADER and not above.endswith((*_STOPS, ":"))
        headers |= dict.fromkeys(rows, above if is_header else "")
    return headers


def _is_row(line: str) -> bool:
    figures = [_FIGURE.fullmatch(cell) is not None for cell in line.split()]
    is_sentence = line.endswith(tuple(_STOPS)) or not line[:1].isalpha()
    return not is_sentence and any(one and other for one, other in pairwise(figures))


def _inner(text: str) -> Span:
    """Where the text begins after a running head, and ends before a page number."""
    lines = [match.span() for match in re.finditer(r"\S[^\n]*", text)]
    if len(lines) < 3:
        return 0, len(text)
    (start, end), (below, after) = lines[0], lines[-1]
    above, under = text[start:end].strip(), text[below:after].strip()
    is_head = _PAGE_NUMBER.fullmatch(above) or _RUNNING_HEAD.fullmatch(above)
    return end if is_head else 0, below if _PAGE_NUMBER.fullmatch(under) else len(text)


def _cut(text: str, start: int, end: int, wrapped: float) -> Iterator[Span]:
    """A sentence cut before each line that begins something, and after each that ends it."""
    piece = start
    at = text.find("\n", start, end)
    while at >= 0:
        line = text[text.rfind("\n", 0, at) + 1 : at].strip()
        following = text[at + 1 : end].partition("\n")[0].strip()
        is_end = _stands_alone(line) or (line.endswith(".") and len(line) < wrapped)
        if is_end or _stands_alone(following) or _OPENING.match(following):
            yield from _stripped(text, piece, at)
            piece = at
        at = text.find("\n", at + 1, end)
    yield from _stripped(text, piece, end)


def _stands_alone(line: str) -> bool:
    return is_label(line) or _is_row(line)


def _stripped(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if body := piece.strip():
        start += piece.index(body)
        yield start, start + len(body)


def _goes_on(text: str, before: Span, piece: Span) -> bool:
    """Whether a piece is the rest of the one before: of an exponent, or of a bracket."""
    if "\n\n" in text[before[1] : piece[0]]:
        return False
    if text[piece[0]] in _CLOSING:
        return True
    if _unclosed(text[slice(*before)]) > 0 > _unclosed(text[slice(*piece)]):
        return True
    line = text.rfind("\n", 0, before[1]) + 1
    return _EXPONENT.match(text[max(before[0], line, before[1] - 2) : piece[1]]) is not None


def _unclosed(text: str) -> int:
    """How many brackets are opened but not closed; negative for the reverse."""
    unmarked = _ITEM_MARK.sub("", text)
    return unmarked.count("(") - unmarked.count(")")

"""The lines of printed pages, whose text has no marks: what of them can be quoted.

A PDF gives the text of a page line by line. Numbered labels ("Definition 20"), lettered items and
the rows of tables are lines like any other, an exponent is a line of its own or begins one ("in R",
"3 heißt Knoten."), and the page has a running head and its number.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise, takewhile

from dome_mcp.core.sentences import sentence_spans

_LABEL = re.compile(r"[^\W\d_]{3,}\s\d{1,3}(?:\.\d{1,3})*\.?(?:\s\([^()\n]+\))?")
_OPENING = re.compile(r"\(?[a-z]\)\s|\([ivx]+\)\s|[^\W\d_]{3,}\.?\s\d+(?:\.\d+)+[a-z]?\b")
_FIGURE = re.compile(r"[\d.,]*\d%?")
_POSITION = re.compile(r"\d{1,3}[.)]?")
_FEWEST_ROWS = 3
_FEWEST_COLUMNS = 3
_FEWEST_LABELS = 2
_MOST_ROWS = 40
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
    lines = [line.strip() for line in text.splitlines()]
    rows = _tables_of_names(lines)
    tabular = frozenset(lines[at] for row in rows for at in (row - 1, row))
    wrapped = _SHORT_LINE * max(map(len, text.splitlines()), default=0)
    spans: list[Span] = []
    for start, end in sentence_spans(text):
        for piece in _cut(text, (max(start, first), min(end, last)), wrapped, tabular):
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

    A table without marks shows by a name and two figures side by side on three lines or more, or
    by names alone, a line of them and below it lines that begin with what is said of each.
    """
    headers: dict[int, str] = {}
    for is_table, run in groupby(range(len(texts)), key=lambda at: _is_row(texts[at])):
        rows = list(run)
        if not is_table or len(rows) < _FEWEST_ROWS:
            continue
        above = " ".join(texts[rows[0] - 1].split()) if rows[0] else ""
        is_header = len(above) <= _LONGEST_HEADER and not above.endswith((*_STOPS, ":"))
        headers |= dict.fromkeys(rows, above if is_header else "")
    return _tables_of_names(texts) | headers


def _tables_of_names(lines: Sequence[str]) -> dict[int, str]:
    """Which lines are rows below a line of names, each with that line: below "Finland Austria
    Japan" stands "Capital Helsinki Vienna Tokyo", and on one of the rows something for each."""
    headers: dict[int, str] = {}
    for at, line in enumerate(lines):
        names = line.split()
        if at in headers or len(names) < _FEWEST_COLUMNS or not all(map(str.isalpha, names)):
            continue
        rows = list(takewhile(_is_of_names, map(str.split, lines[at + 1 : at + 1 + _MOST_ROWS])))
        is_filled = any(len(words) > len(names) for words in rows)
        if _is_of_names(names) and len(rows) >= _FEWEST_LABELS and is_filled:
            headers |= dict.fromkeys(range(at + 1, at + 1 + len(rows)), " ".join(names))
    return headers


def _is_of_names(words: Sequence[str]) -> bool:
    """Whether they are capitalised or no words, and the first of them is one."""
    is_sentence = not words or words[-1].endswith((*_STOPS, ",", ":"))
    return (
        not is_sentence
        and len(words) > 1
        and words[0].isalpha()
        and all(word[:1].isupper() or word.upper() == word.lower() for word in words)
    )


def row_name(line: str) -> str:
    """What a row of a table without marks is about: its words before the first figure, not counting
    its number. Of a row without figures, its first word."""
    cells = _cells(line)
    first = next((at for at, cell in enumerate(cells) if _FIGURE.fullmatch(cell)), 0)
    return " ".join(cells[: max(first, 1)])


def _is_row(line: str) -> bool:
    cells = _cells(line)
    figures = [_FIGURE.fullmatch(cell) is not None for cell in cells]
    is_named = bool(cells) and cells[0][:1].isalpha() and not line.endswith(tuple(_STOPS))
    return is_named and any(one and other for one, other in pairwise(figures))


def _cells(line: str) -> list[str]:
    """The words and figures of a line, without the number that counts it."""
    first, _, rest = line.partition(" ")
    return (rest if _POSITION.fullmatch(first) else line).split()


def _inner(text: str) -> Span:
    """Where the text begins after a running head, and ends before a page number."""
    lines = [match.span() for match in re.finditer(r"\S[^\n]*", text)]
    if len(lines) < 3:
        return 0, len(text)
    (start, end), (below, after) = lines[0], lines[-1]
    above, under = text[start:end].strip(), text[below:after].strip()
    is_head = _PAGE_NUMBER.fullmatch(above) or _RUNNING_HEAD.fullmatch(above)
    return end if is_head else 0, below if _PAGE_NUMBER.fullmatch(under) else len(text)


def _cut(text: str, span: Span, wrapped: float, tabular: frozenset[str]) -> Iterator[Span]:
    """A sentence cut before each line that begins something, and after each that ends it."""
    start, end = span
    piece = start
    at = text.find("\n", start, end)
    while at >= 0:
        line = text[text.rfind("\n", 0, at) + 1 : at].strip()
        following = text[at + 1 : end].partition("\n")[0].strip()
        is_end = line.endswith(".") and len(line) < wrapped
        stands_alone = any(one in tabular or _stands_alone(one) for one in (line, following))
        if is_end or stands_alone or _OPENING.match(following):
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

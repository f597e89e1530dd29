"""Records: rows of tables and lines of settings, whose values stand under names.

A record is asked for by what it is about and by what is wanted of it: "the Gamma of Alpha 42" is
the field "Gamma" of the row that has 42 under "Alpha". Three writings show which value is whose:

- `Item: Paint; Cost: 45`, as documents with tables are taken in;
- cells between bars below a row of names;
- a setting on a line of its own: `"timeout": 30`, `timeout = 30`, `timeout: 30`.

A table on a printed page shows the name of a row and those of the columns, but not which cell is
under which of them.
"""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from dome_mcp.core.printed import row_name

_FIELD = re.compile(r"(?P<name>[^\W\d_][^:;|\n]{0,59}):\s+(?P<value>\S.*)")
_SETTING = re.compile(
    r'\s*(?:"(?P<quoted>[^"\n]{1,80})"\s*:|(?P<name>[A-Za-z_][\w.-]{0,60})\s*='
    r"|(?P<key>[a-z_][\w.-]{0,60}):(?=\s+\S+\s*$|\s*$))"
    r"\s*(?P<value>[^\s=].*?)?,?\s*"
)
_OBJECT = re.compile(
    r"^[^\S\n]+\{\n[^\S\n]*"
    r'(?P<fields>(?:"[^"\n]{1,80}": [^\[\]{}\n]{1,200}\n[^\S\n]*){2,12})\}',
    re.MULTILINE,
)
"""One of several: its lines are fields of one thing."""
_BLOCK = re.compile(r"[^\n]+(?:\n[^\S\n]*\S[^\n]*)*")
_TEXT_LINE = re.compile(r"[^\n]+")
_SECTION = re.compile(r"\[(?P<name>[^\[\]\n]{1,80})\]")
_BESIDE = ("#", ";", "[", "]", "{", "}", '"', "")
"""How lines begin that stand among settings: comments, sections, brackets and further values."""
_OPENING = ("[", "{")
_LONGEST_SETTING, _LONGEST_LIST = 400, 400
"""Characters."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value and what it is of; the name is empty where the page does not show it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one row or line. `columns` are the names of those whose values are not told
    apart, all in one."""

    fields: tuple[Field, ...]
    columns: str = ""


def record_of(text: str, header: str = "", *, is_printed: bool = False) -> Record | None:
    """The record that a line is, below the header of its table; None for other text.

    What is printed has no settings: there `P = 3` is a formula.
    """
    first, _, rest = text.strip().partition("\n")
    if rest:
        return None if is_printed else _record_of_lines(first, rest)
    if "|" in header:
        names, cells = _cells(header), _cells(text)
        pairs = zip(names, cells, strict=False) if len(cells) > 1 else ()
        fields = tuple(Field(name, cell) for name, cell in pairs if cell)
        return Record(fields) if fields else None
    if header:
        return Record((Field("", row_name(text)),), header)
    if fields := _labelled_fields(text):
        return Record(fields)
    return None if is_printed else _setting(text)


def _record_of_lines(first: str, rest: str) -> Record | None:
    """The record of a list with its name, or of an object by the fields of its lines."""
    if (opening := _setting(first)) is None:
        return None
    if first.endswith(_OPENING):
        return Record((Field(opening.fields[0].name, rest.strip()),))
    others = [_setting(line) for line in rest.splitlines()]
    fields = [field for each in (opening, *others) if each for field in each.fields]
    return Record(tuple(fields)) if all(others) else None


def _setting_cuts(text: str) -> frozenset[int]:
    """Where the lines begin that are settings, and those that follow on one.

    A value that goes on below, between brackets, is not cut from its name.
    """
    cuts: set[int] = set()
    for block in _BLOCK.finditer(text):
        lines = [match.span() for match in _TEXT_LINE.finditer(text, *block.span())]
        settings = _settings(text[slice(*line)] for line in lines)
        for at, (one, other) in enumerate(pairwise(lines)):
            is_open = text[slice(*one)].rstrip().endswith(_OPENING)
            if at + 1 in settings or (at in settings and not is_open):
                cuts.add(other[0])
    return frozenset(cuts)


def _settings(lines: Iterable[str]) -> set[int]:
    """Which lines of a block are settings: quoted names at any rate, others where the block has
    no line that is not, for lines of a program look alike."""
    found = [(_setting(line), line.lstrip()) for line in lines]
    others = [line for record, line in found if record is None and line[:1] not in _BESIDE]
    return {
        at for at, (record, line) in enumerate(found) if record and (line[0] == '"' or not others)
    }


def cut_at_settings(spans: Iterable[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    """The spans, cut where settings begin and end, without whitespace and the comma after a value.

    The values of a list that has a name are one with it, and so are the fields of each object of
    a list.
    """
    objects = deque(match.span("fields") for match in _OBJECT.finditer(text))
    for start, end in _cut(spans, text):
        while objects and objects[0][1] <= start:
            objects.popleft()
        opens, closes = objects[0] if objects else (end, end)
        if start == opens:
            yield start, opens + len(text[opens:closes].rstrip())
        elif not opens < start < closes:
            yield start, end


def _cut(spans: Iterable[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    cuts = sorted(_setting_cuts(text))
    for start, end in _with_lists(spans, text):
        inner = cuts[bisect_right(cuts, start) : bisect_left(cuts, end)]
        if not inner and not _setting(text[start:end]):
            yield start, end
            continue
        for begins, ends in pairwise((start, *inner, end)):
            piece = text[begins:ends]
            body = piece.strip().rstrip(",").rstrip()
            if any(map(str.isalnum, body)):
                first = begins + piece.index(body[0])
                yield first, first + len(body)


def _with_lists(spans: Iterable[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    whole: list[tuple[int, int]] = []
    is_open = False
    for start, end in spans:
        piece = text[start:end]
        is_value = not _setting(piece) and "{" not in piece
        if is_open and is_value and end - whole[-1][0] <= _LONGEST_LIST:
            whole[-1] = (whole[-1][0], end - piece.endswith(","))
            is_open = not piece.endswith(("]", "],"))
        else:
            whole.append((start, end))
            is_open = piece.endswith("[") and _setting(piece) is not None
    return whole


def setting_paths(pieces: Iterable[tuple[int, str]], text: str) -> list[str]:
    """By piece of the text, given as its start and itself, the names that a setting stands under:
    those of what is open around it by its indentation, and its section."""
    open_names: list[tuple[int, str]] = []
    paths: list[str] = []
    for start, piece in pieces:
        indent = start - text.rfind("\n", 0, start) - 1
        section, record = _SECTION.fullmatch(piece), _setting(piece.partition("\n")[0])
        while record and open_names and open_names[-1][0] >= indent:
            open_names.pop()
        paths.append(" ".join(name for _, name in open_names) if record else "")
        if section:
            open_names = [(-1, section["name"])]
        elif record and record.fields[0].value in ("", *_OPENING):
            open_names.append((indent, record.fields[0].name))
    return paths


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")]


def _labelled_fields(text: str) -> tuple[Field, ...]:
    """The fields of `Item: Paint; Cost: 45`; what has no name belongs to the value before it."""
    fields: list[Field] = []
    for piece in text.split("; "):
        if found := _FIELD.fullmatch(piece):
            fields.append(Field(found["name"], found["value"]))
        elif fields:
            fields[-1] = Field(fields[-1].name, f"{fields[-1].value}; {piece}")
        else:
            return ()
    return tuple(fields) if len(fields) > 1 else ()


def _setting(line: str) -> Record | None:
    found = _SETTING.fullmatch(line) if len(line) <= _LONGEST_SETTING else None
    if not found:
        return None
    return Record((Field(found["quoted"] or found["name"] or found["key"], found["value"] or ""),))

"""A dump of a PostgreSQL table of texts, such as pgvector users have; no driver is needed.

Read are lines of JSON (the simplest to make), CSV with a header, and what `pg_dump --data-only`
writes, with COPY or with INSERT and column names. Vectors are passed over: DOME makes its own.
Source: https://www.postgresql.org/docs/18/sql-copy.html and
https://www.postgresql.org/docs/18/app-pgdump.html (2026-11).
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, cast

from dome_mcp.commands.records import Foreign
from dome_mcp.core.errors import DomeError, InvalidInput

_TEXTS = ("text", "document", "content", "page_content", "body", "chunk", "chunk_text")
_METADATA = ("cmetadata", "metadata", "metadata_", "meta")
_HOW = """\
Make lines of JSON, a row each (langchain_pg_embedding and its columns are LangChain's):
  psql -XAt "$DATABASE_URL" -c "SELECT json_build_object('text', document, 'metadata', cmetadata) \
FROM langchain_pg_embedding" > notes.jsonl
Then: dome-mcp import --from postgres notes.jsonl"""

_COPY = re.compile(r"COPY\s+\S+\s*\(([^)]*)\)\s+FROM\s+stdin;\s*", re.I)
_INSERT = re.compile(
    r"INSERT\s+INTO\s+\S+\s*\(([^)]*)\)\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES", re.I
)
_VALUE = re.compile(
    r"\s*(?:(E)?'([^']*(?:''[^']*)*)'|([^,()'\s][^,()']*))(?:::[\w .\[\]\"]+)?\s*", re.S
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.S)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DUMP = re.compile(r"(--|SET |SELECT |COPY |INSERT |\\)", re.I)

Row = dict[str, str | None]


def read_dump(
    path: Path, *, column: str | None = None
) -> Iterator[Foreign | tuple[str, DomeError]]:
    """The texts of a dump, a row at a time; `column` names theirs where it is unclear.

    Raises:
        InvalidInput: it is none of the forms, or no column of it holds texts.
    """
    found = False
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(_rows(file), 1):
                found = True
                if isinstance(row, DomeError):
                    yield f"row {number}", row
                elif (record := _record(f"row {number}", row, column)) is not None:
                    yield record
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}.", _HOW) from error
    if not found:
        raise InvalidInput(f"There are no rows in {path.name}.", _HOW)


def _rows(file: TextIO) -> Iterator[Mapping[str, object] | DomeError]:
    first = next((line for line in file if line.strip()), "")
    file.seek(0)
    if first.lstrip().startswith("{"):
        yield from _json_rows(file)
    elif _DUMP.match(first.lstrip()):
        yield from _dump_rows(file)
    else:
        # A vector as text is longer than what the reader takes for a slip. The limit is the
        # process's, and the parser of tables relies on it.
        usual = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        try:
            yield from csv.DictReader(file, strict=True)
        finally:
            csv.field_size_limit(usual)


def _json_rows(file: Iterable[str]) -> Iterator[Mapping[str, object] | DomeError]:
    for line in file:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            yield InvalidInput("The line is not JSON.", "COPY doubles backslashes: use psql -XAt.")
            continue
        if isinstance(record, dict):
            yield cast("dict[str, object]", record)
        else:
            yield InvalidInput("The line is no object.", _HOW)


def _dump_rows(file: Iterable[str]) -> Iterator[Row | DomeError]:
    lines = iter(file)
    for line in lines:
        if copy := _COPY.match(line):
            yield from _copied(lines, _names(copy[1]))
        elif insert := _INSERT.match(line):
            yield from _inserted(line[insert.end() :], lines, _names(insert[1]))


def _copied(lines: Iterator[str], names: Sequence[str]) -> Iterator[Row | DomeError]:
    """The rows of a COPY, up to the line that ends it."""
    for line in lines:
        bare = line.rstrip("\r\n")
        if bare == "\\.":
            return
        fields = [None if each == "\\N" else _unescaped(each) for each in bare.split("\t")]
        if len(fields) == len(names):
            yield dict(zip(names, fields, strict=True))
        else:
            yield InvalidInput("The row has not as many fields as the table.", _HOW)


def _inserted(text: str, lines: Iterator[str], names: Sequence[str]) -> Iterator[Row | DomeError]:
    """The rows of an INSERT, whose texts may go over several lines."""
    pieces = [text]
    quotes = text.count("'")
    while quotes % 2 or not pieces[-1].rstrip().endswith(";"):
        line = next(lines, None)
        if line is None:
            yield InvalidInput("The last INSERT has no end.", "Make the dump again.")
            return
        pieces.append(line)
        quotes += line.count("'")
    text = "".join(pieces)
    at = text.find("(")
    while at >= 0:
        fields, at = _tuple(text, at + 1)
        if len(fields) == len(names):
            yield dict(zip(names, fields, strict=True))
        else:
            yield InvalidInput("The row has not as many values as columns.", _HOW)
        # Behind a row comes another, or the end of the statement.
        at = text.find("(", at) if text[at:].lstrip().startswith(",") else -1


def _tuple(text: str, at: int) -> tuple[list[str | None], int]:
    """The values up to the closing bracket, and where what follows it starts."""
    fields: list[str | None] = []
    while match := _VALUE.match(text, at):
        escaped, quoted, bare = match[1], match[2], match[3]
        if quoted is not None:
            plain = quoted.replace("''", "'")
            fields.append(_unescaped(plain) if escaped else plain)
        else:
            fields.append(None if bare.strip().upper() == "NULL" else bare.strip())
        at = match.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    return fields, at + 1


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)


def _names(columns: str) -> list[str]:
    return [name.strip().strip('"') for name in columns.split(",")]


def _record(place: str, row: Mapping[str, object], column: str | None) -> Foreign | None:
    """The row as a text with metadata; None for one whose text is empty.

    Raises:
        InvalidInput: no column holds texts.
    """
    name = column or next((each for each in _TEXTS if each in row), None)
    if name is None or name not in row:
        raise InvalidInput(
            f"Which column has the text? There are {', '.join(row)}.", "Send it with --column."
        )
    text = row[name]
    if not isinstance(text, str) or not text.strip():
        return None
    metadata = dict(row)
    for each in _METADATA:
        metadata |= _object(row.get(each))
    del metadata[name]
    return Foreign(place, text, metadata)


def _object(value: object) -> dict[str, object]:
    """A JSON object, in its text or already read; empty for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}

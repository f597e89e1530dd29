"""Tables as text in which every row makes sense by itself.

A long table is cut into chunks, and a chunk of bare cells says nothing without the header. So
where the first row is clearly a header, its names are repeated: `Item: Paint; Cost: 45`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

_VALUE = re.compile(r"[^\w]*[\d.,:/\s'-]*\d[\d.,:/\s'T+-]*(?:Z|%|[^\W\d]{1,4}|[^\w\s])?")
_MAX_NAME = 60


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """One line a row; an empty row starts a new table with a header of its own."""
    return "\n\n".join("\n".join(_lines(block)) for block in _blocks(rows))


def _blocks(rows: Iterable[Sequence[str]]) -> Iterator[list[list[str]]]:
    block: list[list[str]] = []
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            block.append(cells)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    first = next((n for n, row in enumerate(rows) if sum(map(bool, row)) > 1), len(rows))
    for row in rows[:first]:
        # A line with one cell above the table is its caption.
        yield next(filter(None, row))
    header, body = rows[first : first + 1], rows[first + 1 :]
    if header and _is_header(header[0], body):
        yield from (_labelled(header[0], row) for row in body)
    else:
        yield from (" | ".join(row).strip() for row in rows[first:])


def _is_header(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the names are distinct words above a column, at least one, of numbers or dates."""
    given = [name for name in names if name]
    if len(set(given)) < len(given) or any(_is_value(name) for name in given):
        return False
    if any(len(name) > _MAX_NAME for name in given):
        return False
    columns = ([row[n] for row in body if n < len(row) and row[n]] for n in range(len(names)))
    return any(2 * sum(map(_is_value, column)) > len(column) for column in columns)


def _is_value(cell: str) -> bool:
    return _VALUE.fullmatch(cell[:_MAX_NAME]) is not None


def _labelled(names: Sequence[str], row: Sequence[str]) -> str:
    padded = (*names, *("" for _ in range(len(row) - len(names))))
    return "; ".join(
        f"{name}: {cell}" if name else cell for name, cell in zip(padded, row, strict=False) if cell
    )

"""Excel workbooks: a sheet is a page, its name the heading."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from openpyxl import load_workbook

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents.archive import core_properties, open_archive
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.tables import table_text

MAX_CELLS = 5_000_000


def parse(data: bytes, source: Source) -> Document:
    with open_archive(data, filename=source.filename) as archive:
        found = core_properties(archive)
    parts = _parts(data, source.filename, has_values=True)
    if not any(part.text for part in parts):
        # A workbook that no program has calculated holds formulas only.
        parts = _parts(data, source.filename, has_values=False)
    return assemble(parts, source, title=found.title, created_at=found.created_at, title_from=())


def _parts(data: bytes, filename: str, *, has_values: bool) -> list[Part]:
    workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=has_values)
    try:
        return [
            Part(table_text(_rows(sheet, filename)), number, sheet.title)
            for number, sheet in enumerate(workbook.worksheets, start=1)
        ]
    finally:
        workbook.close()


def _rows(sheet: Any, filename: str) -> Iterator[list[str]]:
    # The size a sheet claims may be wrong both ways; the rows themselves are not.
    sheet.reset_dimensions()
    cells = 0
    for row in sheet.iter_rows(values_only=True):
        cells += len(row)
        if cells > MAX_CELLS:
            raise UnreadableDocument(
                "too_large",
                f"The sheet {sheet.title!r} of {filename!r} has over {MAX_CELLS:,} cells.",
                "Send the part that matters, for example as CSV.",
            )
        yield [_text(value) for value in row]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        has_time = value.time() != time()
        return value.isoformat(" ", "minutes") if has_time else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value)

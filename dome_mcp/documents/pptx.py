"""PowerPoint presentations: a slide is a page, its title the heading, its notes included."""

import io
from collections.abc import Iterator
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE

from dome_mcp.core.model import Document
from dome_mcp.documents.archive import core_properties, open_archive
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.tables import table_text


def parse(data: bytes, source: Source) -> Document:
    with open_archive(data, filename=source.filename) as archive:
        found = core_properties(archive)
    slides = Presentation(io.BytesIO(data)).slides
    parts = (_part(slide, number) for number, slide in enumerate(slides, start=1))
    return assemble(parts, source, title=found.title, created_at=found.created_at)


def _part(slide: Any, number: int) -> Part:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    texts = [text for shape in slide.shapes for text in _texts(shape)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        texts += [f"Notes: {notes}"] if notes else []
    return Part("\n\n".join(texts), number, heading or None)


def _texts(shape: Any) -> Iterator[str]:
    if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
        for inner in shape.shapes:
            yield from _texts(inner)
    elif shape.has_text_frame and shape.text_frame.text.strip():
        yield shape.text_frame.text
    elif getattr(shape, "has_table", False):
        yield table_text([cell.text for cell in row.cells] for row in shape.table.rows)
    elif getattr(shape, "has_chart", False):
        yield _chart_text(shape.chart)


def _chart_text(chart: Any) -> str:
    """The chart's title, and its numbers as a table."""
    title = chart.chart_title.text_frame.text if chart.has_title else ""
    rows: list[list[str]] = [[title]]
    for plot in chart.plots:
        names = ["Category", *(series.name for series in plot.series)]
        values = zip(*(series.values for series in plot.series), strict=False)
        rows.append(names)
        rows += [
            [str(category), *("" if value is None else f"{value:.12g}" for value in row)]
            for category, row in zip(plot.categories, values, strict=False)
        ]
    return table_text(rows)

"""PowerPoint presentations: a slide is a page, its title the heading, its notes included.

Elements are found by their local names, because the two conformance classes of the format,
transitional and strict, differ in their namespaces.
"""

from collections.abc import Iterator
from itertools import groupby

import lxml.etree as etree

from dome_mcp.core.model import Document
from dome_mcp.documents.archive import core_properties, open_archive
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.ooxml import Package, XmlPart
from dome_mcp.documents.tables import table_text

_TITLES = ("title", "ctrTitle")
_SLIDE_NUMBER = "sldNum"


def parse(data: bytes, source: Source) -> Document:
    with open_archive(data, filename=source.filename) as archive:
        found = core_properties(archive)
        package = Package(archive)
        parts = [_part(slide, package, page) for page, slide in enumerate(_slides(package), 1)]
    return assemble(parts, source, title=found.title, created_at=found.created_at)


def _slides(package: Package) -> Iterator[XmlPart]:
    """The slides in the order in which they are shown; their names may tell another."""
    for presentation in package.read_main():
        for slide in presentation.root.iterfind("{*}sldIdLst/{*}sldId"):
            yield from package.read(presentation.target(slide))


def _part(slide: XmlPart, package: Package, page: int) -> Part:
    # In the order of the file, which is from back to front; those of groups are among them.
    shapes = list(slide.root.iter("{*}sp", "{*}graphicFrame"))
    title = next((shape for shape in shapes if _placeholder(shape) in _TITLES), None)
    heading = "" if title is None else " ".join(_text(title).split())
    texts = [_shape_text(shape, slide, package) for shape in shapes]
    texts += [f"Notes: {notes}" for notes in _notes(slide, package) if notes]
    return Part("\n\n".join(text for text in texts if text.strip()), page, heading or None)


def _placeholder(shape: etree._Element) -> str | None:
    """What the shape fills in its slide's layout (title, body, …); None where it fills nothing."""
    placeholder = shape.find("*/{*}nvPr/{*}ph")
    return None if placeholder is None else placeholder.get("type")


def _notes(slide: XmlPart, package: Package) -> Iterator[str]:
    for link in slide.links.values():
        if link.kind != "notesSlide":
            continue
        for notes in package.read(link.target):
            bodies = (shape for shape in notes.root.iter("{*}sp") if _placeholder(shape) == "body")
            yield from (_text(body).strip() for body in bodies)


def _shape_text(shape: etree._Element, slide: XmlPart, package: Package) -> str:
    graphic = shape.find("{*}graphic/{*}graphicData/*")
    if graphic is None:
        return "" if _placeholder(shape) == _SLIDE_NUMBER else _text(shape)
    match etree.QName(graphic).localname:
        case "tbl":
            rows = graphic.iterfind("{*}tr")
            return table_text([_text(cell) for cell in row.iterfind("{*}tc")] for row in rows)
        case "chart":
            return "".join(map(_chart_text, package.read(slide.target(graphic))))
        case "relIds":
            return "".join(map(_diagram_text, package.read(slide.target(graphic, "dm"))))
        case _:
            return ""


def _text(element: etree._Element) -> str:
    """The paragraphs below the element, one a line; the letters of formulas are among them."""
    return "\n".join(
        "".join(
            "\n" if etree.QName(run).localname == "br" else run.text or ""
            for run in paragraph.iter("{*}t", "{*}br")
        )
        for paragraph in element.iter("{*}p")
    )


def _diagram_text(diagram: XmlPart) -> str:
    """What stands in the boxes of a SmartArt graphic, a box a line."""
    texts = map(_text, diagram.root.iterfind("{*}ptLst/{*}pt/{*}t"))
    return "\n".join(text for text in texts if text.strip())


def _chart_text(chart: XmlPart) -> str:
    """The chart's title, and the numbers that it keeps from its workbook as tables."""
    title = chart.root.find("{*}chart/{*}title")
    rows: list[list[str]] = []
    if title is not None:
        rows.append([_text(title).strip() or title.findtext(".//{*}v", "")])
    for plot in chart.root.iterfind("{*}chart/{*}plotArea/*"):
        rows += _plot_rows(plot)
    return table_text(rows)


def _plot_rows(plot: etree._Element) -> Iterator[list[str]]:
    """A table for the series that share their categories; in a scatter chart each has its own."""
    shared = _points(plot.find("{*}ser/{*}cat"))
    every = plot.iterfind("{*}ser")
    for labels, group in groupby(every, lambda one: _points(one.find("{*}xVal")) or shared):
        series = list(group)
        yield ["Category", *(one.findtext("{*}tx//{*}v", "") for one in series)]
        values = [_points(one.find("{*}val")) or _points(one.find("{*}yVal")) for one in series]
        for index in sorted(set(labels).union(*values)):
            yield [labels.get(index, ""), *(column.get(index, "") for column in values)]
        yield []


def _points(source: etree._Element | None) -> dict[int, str]:
    """The values kept in the source by their positions; of levels of categories, the innermost."""
    if source is None:
        return {}
    level = source.find(".//{*}lvl")
    points = (source if level is None else level).iter("{*}pt")
    return {int(point.get("idx", "")): _value(point) for point in points}


def _value(point: etree._Element) -> str:
    text = point.findtext("{*}v", "")
    cache = point.getparent()
    if cache is None or etree.QName(cache).localname not in ("numCache", "numLit"):
        return text
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text  # the error of a cell, such as #N/A

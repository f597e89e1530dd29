"""Presentations: every place on a slide where text can stand, in the order it is shown."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.documents.registry import parse
from tests.documents import builders

PLACE = (Inches(1), Inches(1), Inches(4), Inches(3))
RELATIONSHIP = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
DIAGRAM = f"{DRAWING}/diagram"
STRICT = "http://purl.oclc.org/ooxml"


def on_a_slide(draw: Callable[[Any], object], *, layout: int = 6) -> bytes:
    """A presentation with one slide, empty but for what is drawn on it."""
    presentation = Presentation()
    draw(presentation.slides.add_slide(presentation.slide_layouts[layout]))
    return saved(presentation)


def saved(presentation: Any) -> bytes:
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def box(shapes: Any, text: str) -> None:
    shapes.add_textbox(*PLACE).text_frame.text = text


def text_of(data: bytes) -> str:
    return parse(data, filename="talk.pptx").text


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_members(data: bytes, changed: Mapping[str, bytes | None]) -> bytes:
    """The presentation with other bytes in some members, and without those that are None."""
    every = {**members(data), **changed}
    return builders.archive({name: each for name, each in every.items() if each is not None})


def with_frame(data: bytes, frame: str, links: str = "", **parts: str) -> bytes:
    """The presentation with this XML on its first slide, and these parts linked from it."""
    slide, rels = "ppt/slides/slide1.xml", "ppt/slides/_rels/slide1.xml.rels"
    before = members(data)
    changed = {
        slide: before[slide].replace(b"</p:spTree>", frame.encode() + b"</p:spTree>"),
        rels: before[rels].replace(b"</Relationships>", links.encode() + b"</Relationships>"),
    }
    return with_members(
        data, changed | {f"ppt/{name}": xml.encode() for name, xml in parts.items()}
    )


def test_slides_come_in_the_order_they_are_shown_in_with_hidden_ones() -> None:
    presentation = Presentation(io.BytesIO(builders.pptx([("A", "", ""), ("B", "", "")])))
    order = presentation.slides._sldIdLst
    order.insert(0, order[1])
    presentation.slides[0]._element.set("show", "0")
    sections = parse(saved(presentation), filename="a.pptx").sections
    assert [(section.page, section.heading) for section in sections] == [(1, "B"), (2, "A")]


def test_a_group_in_a_group_is_read_where_it_stands() -> None:
    def draw(slide: Any) -> None:
        box(slide.shapes, "before")
        group = slide.shapes.add_group_shape()
        box(group.shapes, "outer")
        box(group.shapes.add_group_shape().shapes, "inner")
        box(slide.shapes, "after")

    assert text_of(on_a_slide(draw)) == "before\n\nouter\n\ninner\n\nafter"


def test_paragraphs_and_line_breaks_are_lines_and_a_broken_title_is_one_heading() -> None:
    def draw(slide: Any) -> None:
        slide.shapes.title.text = "Two weeks\von Gotland"
        slide.placeholders[1].text = "by car\nand\vferry"

    document = parse(on_a_slide(draw, layout=0), filename="a.pptx")
    assert document.text == "Two weeks\non Gotland\n\nby car\nand\nferry"
    assert document.sections[0].heading == "Two weeks on Gotland"


def test_a_table_keeps_its_rows_and_names_its_columns() -> None:
    def draw(slide: Any) -> None:
        table = slide.shapes.add_table(3, 2, *PLACE).table
        for number, text in enumerate(["Item", "Euro", "Seeds\nand soil", "14", "Pots", "9"]):
            table.cell(number // 2, number % 2).text = text

    assert text_of(on_a_slide(draw)) == "Item: Seeds and soil; Euro: 14\nItem: Pots; Euro: 9"


def chart(kind: Any, data: Any) -> bytes:
    return on_a_slide(lambda slide: slide.shapes.add_chart(kind, *PLACE, data))


def test_points_of_a_scatter_chart_stand_with_their_own_places() -> None:
    data = XyChartData()
    for name, points in (("Oak", [(1, 2.5), (2, 5)]), ("Elm", [(1.5, 3)])):
        series = data.add_series(name)
        for point in points:
            series.add_data_point(*point)
    assert text_of(chart(XL_CHART_TYPE.XY_SCATTER, data)) == (
        "Category: 1; Oak: 2.5\nCategory: 2; Oak: 5\n\nCategory: 1.5; Elm: 3"
    )


def test_a_chart_without_categories_still_gives_its_numbers() -> None:
    data = CategoryChartData()
    data.categories = ["x"]
    data.add_series("Rain", (42, 0.1 + 0.2))
    found = chart(XL_CHART_TYPE.PIE, data)
    (name,) = [name for name in members(found) if name.startswith("ppt/charts/chart")]
    bare = re.sub(rb"<c:cat>.*</c:cat>", b"", members(found)[name], flags=re.DOTALL)
    assert text_of(with_members(found, {name: bare})) == "Rain: 42\nRain: 0.3"


def test_of_categories_in_levels_the_innermost_are_named() -> None:
    data = CategoryChartData()
    data.add_category("2025").add_sub_category("Q1")
    data.categories[0].add_sub_category("Q2")
    data.add_series("Sales", (3, 4))
    assert text_of(chart(XL_CHART_TYPE.BAR_CLUSTERED, data)) == (
        "Category: Q1; Sales: 3\nCategory: Q2; Sales: 4"
    )


def test_a_title_from_a_cell_and_an_error_in_a_cell_are_kept_as_the_chart_shows_them() -> None:
    data = builders.drawing_pptx()
    (name,) = [name for name in members(data) if name.startswith("ppt/charts/chart")]
    title = (
        b"<c:tx><c:strRef><c:strCache><c:pt><c:v>Sky</c:v></c:pt></c:strCache></c:strRef></c:tx>"
    )
    xml = re.sub(rb"<c:tx>\s*<c:rich>.*?</c:tx>", title, members(data)[name], flags=re.DOTALL)
    text = text_of(with_members(data, {name: xml.replace(b">42<", b">#N/A<")}))
    assert text.partition("\n\n")[2] == (
        "Sky\nCategory: May; Rain mm: #N/A; Sun h: 180.5\nCategory: June; Sun h: 230"
    )


def test_the_boxes_of_a_smart_art_graphic_are_lines() -> None:
    frame = (
        f'<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="{DIAGRAM}" '
        f'xmlns:r="{RELATIONSHIP}" r:dm="d1" r:lo="d2"/></a:graphicData></a:graphic>'
        "</p:graphicFrame>"
    )
    boxes = "".join(
        f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>"
        for text in ("Sow", "", "Harvest")
    )
    data = with_frame(
        on_a_slide(lambda slide: box(slide.shapes, "The year")),
        frame,
        f'<Relationship Id="d1" Type="{RELATIONSHIP}/diagramData" Target="/ppt/data1.xml"/>',
        **{
            "data1.xml": f'<dgm:dataModel xmlns:dgm="{DIAGRAM}" xmlns:a="{DRAWING}/main">'
            f"<dgm:ptLst>{boxes}</dgm:ptLst></dgm:dataModel>"
        },
    )
    assert text_of(data) == "The year\n\nSow\nHarvest"


def test_what_stands_in_for_newer_content_is_left_out_and_formulas_are_read() -> None:
    newer = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' xmlns:m="urn:math"><mc:Choice Requires="m"><p:sp><p:txBody><a:p><m:r><m:t>x=1</m:t></m:r>'
        "</a:p></p:txBody></p:sp></mc:Choice><mc:Fallback><p:sp><p:txBody><a:p><a:r><a:t>Update!"
        "</a:t></a:r></a:p></p:txBody></p:sp></mc:Fallback></mc:AlternateContent>"
    )
    assert text_of(with_frame(on_a_slide(lambda slide: None), newer)) == "x=1"


def test_the_number_of_a_slide_is_no_text() -> None:
    number = (
        '<p:sp><p:nvSpPr><p:nvPr><p:ph type="sldNum" idx="12"/></p:nvPr></p:nvSpPr><p:txBody><a:p>'
        '<a:fld type="slidenum"><a:t>7</a:t></a:fld></a:p></p:txBody></p:sp>'
    )
    assert text_of(with_frame(on_a_slide(lambda slide: box(slide.shapes, "Seven")), number)) == (
        "Seven"
    )


def test_the_strict_kind_of_the_format_is_read_alike() -> None:
    transitional = builders.pptx([("Plan", "Buy seeds", "Ask Tom")], table=[["a", "b"], ["c", "1"]])
    strict = {
        name: re.sub(
            rb"http://schemas\.openxmlformats\.org/(officeDocument|presentationml|drawingml)/2006",
            rf"{STRICT}/\1".encode(),
            data,
        )
        for name, data in members(transitional).items()
    }
    assert text_of(with_members(transitional, strict)) == text_of(transitional)


def test_a_part_that_many_places_refer_to_is_read_once() -> None:
    data = members(builders.drawing_pptx())
    name = "ppt/slides/slide1.xml"
    frame = re.search(rb"<p:graphicFrame>.*</p:graphicFrame>", data[name], re.DOTALL)
    assert frame
    often = data[name].replace(frame[0], frame[0] * 50)
    assert text_of(with_members(builders.drawing_pptx(), {name: often})).count("Weather") == 1


def test_a_comment_in_the_file_does_not_cut_the_text() -> None:
    data = members(on_a_slide(lambda slide: box(slide.shapes, "before|after")))
    name = "ppt/slides/slide1.xml"
    data[name] = data[name].replace(b"|", b"<!-- aside -->")
    assert text_of(builders.archive(data)) == "beforeafter"


def test_an_entity_is_not_expanded() -> None:
    data = members(on_a_slide(lambda slide: box(slide.shapes, "before SECRET")))
    name = "ppt/slides/slide1.xml"
    _, _, xml = data[name].replace(b"SECRET", b"&x;").partition(b"?>")
    hostile = b'<!DOCTYPE sld [<!ENTITY x "boom">]>' + xml
    assert text_of(with_members(on_a_slide(lambda slide: None), {name: hostile})) == "before"


@pytest.mark.parametrize(
    "name",
    [
        "_rels/.rels",
        "ppt/presentation.xml",
        "ppt/_rels/presentation.xml.rels",
        "ppt/slides/slide1.xml",
        "ppt/charts/chart",
    ],
)
@pytest.mark.parametrize("content", [None, b"<cut", b"<p:sld>"])
def test_a_presentation_with_a_missing_or_broken_part_is_corrupt(
    name: str, content: bytes | None
) -> None:
    data = builders.drawing_pptx()
    (whole,) = [each for each in members(data) if re.fullmatch(rf"{name}\d*(\.xml)?", each)]
    with pytest.raises(UnreadableDocument) as caught:
        parse(with_members(data, {whole: content}), filename="a.pptx")
    assert caught.value.reason == "corrupt"


def test_a_presentation_without_its_pictures_and_layouts_is_read() -> None:
    data = builders.pptx([("Plan", "Buy seeds", "")])
    gone = {name: None for name in members(data) if "Layout" in name or "theme" in name}
    assert text_of(with_members(data, gone)) == "Plan\n\nBuy seeds"

"""Markdown's headings are locations, its front matter is not text."""

from datetime import datetime

from dome_mcp.documents.markdown_text import split_front_matter
from dome_mcp.documents.registry import parse


def headings(text: str) -> list[str | None]:
    return [section.heading for section in parse(text.encode(), filename="a.md").sections]


def test_headings_are_paths_of_the_headings_above_them() -> None:
    text = "intro\n\n# House\na\n## Roof\nb\n#### Tiles\nc\n## Cellar\nd\n# Garden\ne"
    assert headings(text) == [
        None,
        "House",
        "House > Roof",
        "House > Roof > Tiles",
        "House > Cellar",
        "Garden",
    ]


def test_underlined_headings_and_marked_up_ones_are_plain_names() -> None:
    assert headings("House\n=====\na\n\nThe *old* roof\n---\nb\n## [Tiles](x.html) ##\nc") == [
        "House",
        "House > The old roof",
        "House > Tiles",
    ]


def test_what_looks_like_a_heading_inside_code_is_code() -> None:
    text = "# Setup\n```sh\n# not a heading\n\n\n\nls\n```\n~~~\n# nor this\n~~~"
    document = parse(text.encode(), filename="a.md")
    assert [section.heading for section in document.sections] == ["Setup"]
    assert document.text == text


def test_a_rule_below_a_paragraph_of_two_lines_is_no_heading() -> None:
    assert headings("one\ntwo\n---\nthree") == [None]


def test_front_matter_gives_title_date_and_tags_and_leaves_the_text() -> None:
    text = '---\ntitle: "Roof repair"\ndate: 2026-03-01\ntags:\n  - house\n  - roof\n---\n# Plan\nx'
    document = parse(text.encode(), filename="a.md")
    assert document.title == "Roof repair"
    assert document.created_at == datetime(2026, 3, 1)
    assert document.text == "# Plan\nx"
    assert document.tags == ("house", "roof")


def test_front_matter_may_list_its_tags_on_one_line() -> None:
    for tags in ("[house, 'roof']", "house, roof"):
        assert split_front_matter(f"---\ntags: {tags}\n---\n")[0].tags == ("house", "roof")


def test_a_rule_at_the_top_is_not_front_matter() -> None:
    assert parse(b"---\n\nJust text.\n\n---\nmore", filename="a.md").text.startswith("---\n\nJust")


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    assert parse(b"hello there\n# Roof\nx", filename="a.md").title == "Roof"

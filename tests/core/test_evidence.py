"""Units of evidence: what can be quoted, and what it stands under."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.evidence import Unit, UnitKind, evidence_units, units_of
from tests.core.passages import BOILER, KITCHEN, passage


def unit(text: str) -> Unit:
    return next(one for one in evidence_units([KITCHEN]) if one.text == text)


def test_a_table_row_is_quoted_without_its_bars_and_knows_its_columns() -> None:
    row = unit("Tiles | Fliesen Otto | 780 EUR")
    assert row.kind is UnitKind.ROW
    assert row.header == "Item | Supplier | Cost"
    assert row.frame.split("\n") == ["Kitchen renovation", "Budget", "Item | Supplier | Cost"]


def test_a_header_row_and_a_heading_state_nothing() -> None:
    assert unit("Item | Supplier | Cost").kind is UnitKind.HEADING
    assert unit("Decisions").kind is UnitKind.HEADING


def test_a_sentence_stands_under_its_own_heading() -> None:
    sentence = unit("Anna wants the sink under the window.")
    assert sentence.frame.split("\n") == ["Kitchen renovation", "Decisions"]
    assert "We chose oak fronts" in sentence.nearby


def test_a_list_item_stands_under_the_line_that_leads_into_the_list() -> None:
    item = unit("which extractor hood")
    assert item.kind is UnitKind.ITEM
    assert item.frame.endswith("Still open:")
    assert item.in_context == "Still open: which extractor hood"


def test_a_short_list_is_also_a_unit_with_its_lead() -> None:
    whole = unit("Still open:\n- colour of the walls\n- which extractor hood")
    assert whole.kind is UnitKind.LIST


def test_a_long_list_is_quoted_by_item_only() -> None:
    text = "\n".join(f"- item number {n} of a long list" for n in range(30))
    assert {one.kind for one in units_of(text)} == {UnitKind.ITEM}


def test_counted_paragraphs_that_nothing_leads_into_are_no_list() -> None:
    paragraph = "Whoever is the last to leave the house closes the windows, turns the lights off."
    items = f"1. {paragraph}\n2. {paragraph}\n3. {paragraph}"
    assert UnitKind.LIST not in {one.kind for one in units_of(items)}
    assert UnitKind.LIST in {one.kind for one in units_of(f"We agreed:\n{items}")}


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        ("* one", "one"),
        ("3. three", "three"),
        ("- [x] done", "done"),
        ("## A title ##", "A title"),
        ("| a | b |", "a | b"),
    ],
)
def test_marks_of_markup_are_not_quoted(line: str, quoted: str) -> None:
    assert [one.text for one in units_of(line)] == [quoted]


def test_rules_and_table_separators_are_no_units() -> None:
    assert [one.text for one in units_of("Above.\n\n---\n\nBelow.")] == ["Above.", "Below."]


def test_what_two_passages_say_is_one_unit() -> None:
    copy = passage(BOILER.text.upper(), note_id="copy")
    assert {one.passage for one in evidence_units([BOILER, copy])} == {0}


@given(st.text(alphabet="ab .:|-#*\n1)?[]", max_size=120))
def test_every_unit_is_word_for_word_what_stands_at_its_offsets(text: str) -> None:
    for one in units_of(text, "Title"):
        assert one.text == text[one.start : one.end] != ""


def test_a_title_that_only_repeats_how_the_text_begins_frames_nothing() -> None:
    note = passage("The key is under the third pot. Ask Anna.", title="The key is under…")
    assert {one.frame for one in evidence_units([note])} == {""}


def test_a_title_that_is_the_first_line_frames_the_lines_below_it() -> None:
    text = "The Crazy Ones\nOctober 14, 1998"
    title, date = evidence_units([passage(text, title="The Crazy Ones")])
    assert (title.kind, title.frame) == (UnitKind.HEADING, "")
    assert date.frame == "The Crazy Ones"


def test_a_first_sentence_that_serves_as_title_frames_nothing() -> None:
    text = "Ada moved in May.\nShe likes it."
    assert {one.frame for one in evidence_units([passage(text, title="Ada moved in May.")])} == {""}


def test_a_line_of_a_table_of_contents_is_no_unit() -> None:
    units = units_of("3.2 Groups . . . . . . . . 47\n3.3 Rings .......... 51\n")
    assert not any("Groups" in one.text or "Rings" in one.text for one in units)


def test_a_rule_below_a_table_makes_no_header_of_its_last_row() -> None:
    rows = "| Item | Cost |\n| --- | --- |\n| Tiles | 780 EUR |\n| Oven | 749 |\n\n---\n\nDone."
    kinds = {one.text: (one.kind, one.header) for one in units_of(rows)}
    assert kinds["Tiles | 780 EUR"] == (UnitKind.ROW, "Item | Cost")
    assert kinds["Oven | 749"] == (UnitKind.ROW, "Item | Cost")
    assert kinds["Done."] == (UnitKind.SENTENCE, "")


def test_the_index_of_a_book_is_no_evidence() -> None:
    entries = ["Punkt, 34", "Rand, 3, 28", "Raum", "hausdorffscher, 8", "kompakter, 14", "Weg, 22"]
    assert evidence_units([passage("\n".join(entries))]) == []


def test_a_short_list_of_names_and_numbers_is_evidence() -> None:
    units = evidence_units([passage("Ann, 34\nBen, 28\nOur guests so far.")])
    assert any("Ben" in one.text for one in units)


def test_dates_at_the_ends_of_lines_make_no_index() -> None:
    lines = [f"{month} 3, 2026 the meter read {number}." for number, month in enumerate("ABCDEF")]
    assert evidence_units([passage("\n".join(lines))]) != []


def test_a_sentence_that_refers_back_is_quoted_with_the_one_before_it() -> None:
    text = "On level 4 the model changes. In this case the larger one is chosen. It costs more."
    assert [one.text for one in units_of(text)] == [
        "On level 4 the model changes.",
        "On level 4 the model changes. In this case the larger one is chosen.",
        "It costs more.",
    ]


def test_a_paragraph_that_refers_back_is_quoted_with_the_end_of_the_one_before_it() -> None:
    text = "The model changes.\n\nThis time the larger one is chosen."
    assert [one.text for one in units_of(text)] == ["The model changes.", text]


@pytest.mark.parametrize(
    "text",
    [
        f"{'Long ' * 90}. This is short.",
        "## A title.\nThis is below it.",
    ],
)
def test_what_refers_to_a_long_sentence_or_a_heading_stands_alone(
    text: str,
) -> None:
    assert units_of(text)[-1].text.startswith("This is")


def test_a_later_sentence_of_a_line_stands_under_the_label_of_the_line() -> None:
    told = units_of("Ada: Hello Ben. I moved to Oslo. Ben: Why?\nNobody said this.")
    assert {one.text: one.frame for one in told} == {
        "Ada: Hello Ben.": "",
        "I moved to Oslo.": "Ada",
        "Ben: Why?": "",
        "Nobody said this.": "Ben: Why?",
    }
    assert told[1].in_context == "Ada: I moved to Oslo."


def test_what_stands_beside_a_row_or_a_setting_is_not_about_it() -> None:
    rows = units_of("Item: Paint; Cost: 45\nItem: Tiles; Cost: 780\n\nBoth are ordered.")
    assert [one.nearby for one in rows[:2]] == ["", ""]
    assert rows[2].nearby == "Item: Tiles; Cost: 780"

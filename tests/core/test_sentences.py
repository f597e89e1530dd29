"""Sentences begin and end where a reader would say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["He left.", "Was it late?", "Yes!", '"Really?" she asked.', "(It was.)", "So"],
        ["Dr. Smith paid $3.14, e.g. for tea.", "He left."],
        ["J. K. Rowling wrote it at 5 p.m. on a train.", "Then more."],
        ["See no. 5 and fig. 2.", "He said no.", "Fine."],
        ["Am 3. Mai kam Herr Dr. Meier z.B. zu spät.", "Am 4. Juni nicht."],
        ["wait ... and then go.", "Now."],
        ["1. First item.", "It has two sentences."],
        ["The file a.txt is here.", "Version 2.0 too."],
    ],
)
def test_full_stops_end_sentences_but_not_abbreviations_numbers_or_dates(
    expected: list[str],
) -> None:
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["今日は晴れです。", "明日は雨ですか？", "はい！", "以上"],
        ["यह घर है।", "वह पेड़ है।"],
        ["هل هذا بيت؟", "نعم."],
    ],
)
def test_other_scripts_have_their_own_full_stops(expected: list[str]) -> None:
    separator = "" if expected[0][0] == "今" else " "
    assert sentences(separator.join(expected)) == expected


def test_headings_items_rows_labels_and_paragraphs_are_sentences_of_their_own() -> None:
    text = (
        "# Shopping\n- milk\n- bread and\n  butter\n1. one\n| a | b |\n| c | d |\n"
        "Alice: hello there\nBob: hi\n\nlast paragraph"
    )
    assert sentences(text) == [
        "# Shopping",
        "- milk",
        "- bread and\n  butter",
        "1. one",
        "| a | b |",
        "| c | d |",
        "Alice: hello there",
        "Bob: hi",
        "last paragraph",
    ]


def test_a_heading_ends_with_its_line_however_long() -> None:
    heading = "## Everything that has to be packed before the ferry leaves for the island"
    assert sentences(f"{heading}\npassports and tickets") == [heading, "passports and tickets"]


def test_a_wrapped_line_goes_on_and_a_short_one_ends() -> None:
    wrapped = "This paragraph is wrapped by the editor it was written in and\nGoes on here."
    assert sentences(wrapped) == [wrapped]
    assert sentences("12 Garden Street\nBerlin") == ["12 Garden Street", "Berlin"]


@given(st.text(alphabet="aB1 .!?。\n-#|\"')\t:"))
def test_spans_are_in_order_stripped_and_hold_every_character(text: str) -> None:
    position = 0
    for start, end in sentence_spans(text):
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()

"""What the lines of printed pages show: labels, items, rows, exponents, running heads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.evidence import Unit, UnitKind, units_of
from dome_mcp.core.printed import is_label, printed_spans, row_headers, row_name

COUNTRIES = """Table 1: Countries
Country Population (millions) Area (km2
) Capital
Austria 8.9 83,879 Vienna
Czech Republic 10.7 78,866 Prague, which lies on the Vltava
Denmark 5.8 42,951 Copenhagen"""


def printed(text: str) -> list[str]:
    return [text[start:end] for start, end in printed_spans(text)]


def unit(text: str, quoted: str) -> Unit:
    return next(one for one in units_of(text, is_printed=True) if one.text == quoted)


def test_the_label_of_a_definition_is_no_part_of_what_it_defines() -> None:
    text = "It is the Euler number of K.\nDefinition 20\nA closed curve is called a knot."
    assert printed(text) == [
        "It is the Euler number of K.",
        "Definition 20",
        "A closed curve is called a knot.",
    ]
    assert unit(text, "Definition 20").kind is UnitKind.HEADING


def test_a_label_with_a_name_frames_what_follows_and_a_bare_number_does_not() -> None:
    text = "Theorem 1.1 (Heine-Borel)\nIt is compact.\nExample 3\nA closed interval is one."
    assert unit(text, "It is compact.").frame == "Theorem 1.1 (Heine-Borel)"
    assert unit(text, "A closed interval is one.").frame == ""


@pytest.mark.parametrize("line", ["May 2023", "In 5 days", "Meet at 4.", "Definition 20 holds"])
def test_what_only_has_a_number_in_it_is_no_label(line: str) -> None:
    assert not is_label(line)


def test_lettered_items_are_quoted_one_by_one() -> None:
    text = (
        "a) A space is connected, if it has no\nopen parts.\n(b) A set is connected, if\nit is one."
    )
    items = [one.text for one in units_of(text, is_printed=True) if one.kind is UnitKind.ITEM]
    assert items == [
        "A space is connected, if it has no\nopen parts.",
        "A set is connected, if\nit is one.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "A closed curve in R\n3 is called a knot.",
        "Let it be a curve in R\n3\n, so that it has no ends.",
        "GL(K) General linear group (from\nGeneral Linear Group)",
        "It is in Elementary Geometry (2.\nEdition), from page 281.",
    ],
)
def test_an_exponent_and_a_bracket_end_no_sentence(text: str) -> None:
    assert printed(text) == [text]


def test_a_short_line_ends_a_paragraph_even_after_a_letter() -> None:
    text = (
        "The elements of T are called the open sets of X.\nA set is closed if X without it is open."
        " There are also sets that are neither the one nor the other"
    )
    assert printed(text)[0] == "The elements of T are called the open sets of X."


def test_the_rows_of_a_table_without_marks_know_their_columns() -> None:
    row = unit(COUNTRIES, "Austria 8.9 83,879 Vienna")
    assert row.kind is UnitKind.ROW
    assert row.header == "Country Population (millions) Area (km2 ) Capital"
    assert row.in_context == f"{row.header}: {row.text}"
    assert unit(COUNTRIES, "Denmark 5.8 42,951 Copenhagen").header == row.header


def test_the_columns_of_a_table_without_marks_state_nothing() -> None:
    columns = "Country Population (millions) Area (km2\n) Capital"
    assert unit(COUNTRIES, columns).kind is UnitKind.HEADING


def test_two_lines_with_figures_are_no_table() -> None:
    assert row_headers(["Flat 80 90", "House 120 140", "We took the house."]) == {}


def test_a_sentence_above_a_table_is_not_its_header() -> None:
    texts = ["We measured three times.", "Ada 1 2", "Bo 3 4", "Cy 5 6"]
    assert row_headers(texts) == {1: "", 2: "", 3: ""}


def test_a_running_head_and_a_page_number_are_no_evidence() -> None:
    text = "21 1.6. WAYS AND KNOTS\nA knot is a closed curve.\nIt has no ends.\n22"
    assert printed(text) == ["A knot is a closed curve.", "It has no ends."]


def test_a_note_that_was_not_printed_may_begin_with_a_number() -> None:
    text = "4711\nis the code of the door.\nAsk Ada."
    assert units_of(text)[0].text.startswith("4711")


def test_a_scrap_of_a_formula_is_no_evidence() -> None:
    assert printed("x ∈ T\n\nThe curve is closed.") == ["The curve is closed."]


def test_a_scrap_in_a_script_without_letters_of_its_own_is_evidence() -> None:
    assert printed("山\n\n川") == ["山", "川"]


@given(st.text(alphabet=" \nAbx1.,:()[]|-山"))
def test_what_is_printed_is_quoted_word_for_word_and_once(text: str) -> None:
    end = 0
    for one in units_of(text, is_printed=True):
        assert text[one.start : one.end] == one.text
        if one.kind is not UnitKind.LIST:
            assert one.start >= end
            end = one.end


FACTS = """We compared three countries, which had
Indonesia Germany Austria
Continent Asia Europe
Capital Jakarta Berlin Vienna
Currency Rupia EUR -
as of last year."""


def test_lines_of_names_below_a_line_of_names_are_rows_with_it_as_header() -> None:
    row = unit(FACTS, "Capital Jakarta Berlin Vienna")
    assert row.kind is UnitKind.ROW
    assert row.header == "Indonesia Germany Austria"
    assert unit(FACTS, "Indonesia Germany Austria").kind is UnitKind.HEADING
    assert unit(FACTS, "Currency Rupia EUR -").header == row.header


@pytest.mark.parametrize(
    "lines",
    [
        ["Ada Byron Lovelace", "London Paris Rome", "Chapter One"],
        ["The Crazy Ones", "October 1998", "Here they are."],
        ["Indonesia Germany Austria", "Capital Jakarta Berlin Vienna", "and so on."],
    ],
)
def test_names_without_something_for_each_on_two_lines_are_no_table(lines: list[str]) -> None:
    assert row_headers(lines) == {}


def test_rows_may_be_counted() -> None:
    bill = "Pos Article Number Price\n1 Garden bench 2 189.00\n2 Cushion 4 24.50\n3 Lamp 1 35.00"
    row = unit(bill, "2 Cushion 4 24.50")
    assert row.header == "Pos Article Number Price"
    assert row_name(row.text) == "Cushion"
    assert row_name("1 Garden bench 2 189.00") == "Garden bench"


def test_a_row_that_looks_like_a_label_is_a_row() -> None:
    text = FACTS.replace("Currency Rupia EUR -", "Population 273.879.750")
    assert unit(text, "Population 273.879.750").kind is UnitKind.ROW


def test_columns_head_only_the_rows_below_them() -> None:
    below = unit(f"{COUNTRIES}\nAll figures are of last year.", "All figures are of last year.")
    assert below.frame == ""


def test_the_caption_above_the_columns_states_nothing() -> None:
    assert unit(COUNTRIES, "Table 1: Countries").kind is UnitKind.HEADING

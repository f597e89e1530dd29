"""Words as evidence compares them."""

import pytest

from dome_mcp.core.terms import fold, likeness, numbers_in, stem, stems_of, terms_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tile", "Tiles"),
        ("planned", "planning"),
        ("renovate", "renovation"),
        ("delivery", "deliveries"),
        ("tear", "torn"),
        ("children", "child"),
        ("Kündigung", "Kündigungen"),
        ("Tomate", "Tomaten"),
        ("Café", "cafe"),
        ("１２", "12"),
        ("1,200", "1200"),
    ],
)
def test_forms_of_one_word_are_alike(one: str, other: str) -> None:
    assert likeness(stem(one), {stem(other)}) == 1.0


@pytest.mark.parametrize(
    ("one", "other"), [("tile", "title"), ("1200", "120"), ("rent", "current"), ("cat", "category")]
)
def test_other_words_are_not_alike(one: str, other: str) -> None:
    assert likeness(stem(one), {stem(other)}) == 0.0


def test_a_word_inside_a_compound_counts_in_part() -> None:
    assert 0.0 < likeness(stem("Pressure"), {stem("overpressure")}) < 1.0


def test_terms_stand_where_the_text_has_them() -> None:
    text = "Anna's sink costs 1,140.50 EUR at 06:45."
    words = [text[term.start : term.end] for term in terms_of(text)]
    assert words == ["Anna", "sink", "costs", "1,140.50", "EUR", "at", "06:45"]


def test_a_script_without_spaces_gives_pairs_of_characters() -> None:
    assert [term.stem for term in terms_of("浅草寺 hotel")] == ["浅草", "草寺", "hotel"]
    assert stems_of("茶") == {"茶"}


def test_numbers_lose_separators_units_and_leading_zeros() -> None:
    assert numbers_in(terms_of("1,200 and 450ml on 07.05 with 0 left")) == {
        "1200",
        "450",
        "7.05",
        "0",
    }


def test_folding_keeps_what_makes_another_letter() -> None:
    assert fold("Ärger ÉTÉ") == "arger ete"
    assert fold("どこ") == "どこ"
    assert fold("한국") == "한국"

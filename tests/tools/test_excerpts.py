"""Excerpts: the part of a text that speaks of the question."""

import pytest

from dome_mcp.tools.excerpts import excerpt, shortened

WORDS = " ".join(f"word{number}" for number in range(200))


def test_a_short_text_is_shown_as_it_stands() -> None:
    assert excerpt("The turbine\n\nhums.", "turbine", width=50) == "The turbine\n\nhums."


def test_a_text_that_is_long_for_its_line_breaks_alone_is_shown_whole() -> None:
    assert excerpt("The turbine" + "\n" * 80 + "hums.", "turbine", width=50) == "The turbine hums."


def test_the_densest_part_wins_over_the_first_hit() -> None:
    text = f"A turbine. {WORDS} The turbine hums loudly at noon. {WORDS}"
    assert "hums loudly" in excerpt(text, "turbine hums noon", width=80)


def test_inflected_words_are_hits() -> None:
    text = f"{WORDS} They were planning a wedding. {WORDS}"
    assert "planning a wedding" in excerpt(text, "wedding plans", width=80)


def test_stop_words_are_no_hits() -> None:
    text = f"This is what it was about, in the end. {WORDS} Turbine. {WORDS}"
    assert "Turbine" in excerpt(text, "what was the turbine about", width=60)


def test_without_hits_the_beginning_is_shown() -> None:
    assert excerpt(WORDS, "turbine", width=40).startswith("word0 word1")


@pytest.mark.parametrize("width", [20, 57, 160, 350])
def test_no_word_is_cut_and_the_width_is_kept(width: int) -> None:
    shown = excerpt(WORDS, "word120", width=width)
    assert len(shown) <= width + 2
    assert "word120" in shown
    assert set(shown.strip("…").split()) <= set(WORDS.split())


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    assert shortened("x" * 100, 10) == "x" * 10 + "…"

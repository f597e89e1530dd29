"""Signs of measure and their words."""

import pytest

from dome_mcp.core.measures import measure_stems
from dome_mcp.core.terms import stem


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Area (km2 )", "kilometres"),
        ("Area (km²)", "square"),
        ("60 m²", "Quadratmeter"),
        ("Spacing cm", "centimetres"),
        ("a 5 kg sack", "kilos"),
        ("12g of salt", "grams"),
        ("€238.50", "euros"),
        ("Amount EUR", "euros"),
        ("at 20 °C", "degrees"),
        ("a share of 7 %", "percent"),
    ],
)
def test_a_sign_of_measure_is_read_in_words(text: str, word: str) -> None:
    assert stem(word) in measure_stems(text)


@pytest.mark.parametrize(
    "text", ["room m", "t and g", "key2", "5 men", "a kitchen", "Platz (Mitte)"]
)
def test_a_letter_that_counts_nothing_is_no_measure(text: str) -> None:
    assert not measure_stems(text)

"""Closeness in meaning reads alike whatever the model's cosines are."""

import math
import random

import pytest

from dome_mcp.core.closeness import BACKGROUND, SPREAD, STATEMENTS, Scale

NUMBERS = random.Random(5)  # noqa: S311  nothing secret
DIMENSIONS = 48


def unit_vector(*, near: list[float] | None = None) -> list[float]:
    values = [NUMBERS.gauss(0, 1) for _ in range(DIMENSIONS)]
    if near is not None:
        values = [value + 12 * other for value, other in zip(values, near, strict=True)]
    length = math.hypot(*values)
    return [value / length for value in values]


def squeezed(vector: list[float]) -> list[float]:
    """A vector whose cosines with others of this kind are 0.6 + 0.4 times what they were."""
    return [*(math.sqrt(0.4) * value for value in vector), math.sqrt(0.6)]


MEASURED = [unit_vector() for _ in STATEMENTS]


def test_a_model_that_finds_everything_alike_gives_the_same_closeness() -> None:
    text = unit_vector()
    others = [unit_vector(), unit_vector(near=text), text]
    plain = Scale.of(MEASURED).closeness(text, others)
    distorted = Scale.of([squeezed(vector) for vector in MEASURED]).closeness(
        squeezed(text), [squeezed(vector) for vector in others]
    )
    assert distorted == pytest.approx(plain)
    assert plain[0] < plain[1] < plain[2]


def test_what_is_unrelated_is_as_close_and_as_scattered_as_the_thresholds_expect() -> None:
    scale, text = Scale.of(MEASURED), unit_vector()
    found = scale.closeness(text, MEASURED)
    mean = sum(found) / len(found)
    spread = math.sqrt(sum((value - mean) ** 2 for value in found) / len(found))
    assert mean == pytest.approx(BACKGROUND)
    assert spread == pytest.approx(SPREAD, rel=0.5)


def test_nothing_is_closer_than_one() -> None:
    text = unit_vector(near=MEASURED[0])
    assert Scale([-value for value in text], 1.0).closeness(text, [text]) == [1.0]


def test_a_model_that_tells_nothing_apart_finds_nothing_related() -> None:
    same = unit_vector()
    scale = Scale.of([same for _ in STATEMENTS])
    assert scale.closeness(same, [same, unit_vector()]) == [BACKGROUND, BACKGROUND]

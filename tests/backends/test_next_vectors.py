"""The name of a second Vectorize index."""

import re

import pytest

from dome_mcp.backends.cloudflare.embedding_models import EMBEDDING_MODELS
from dome_mcp.backends.cloudflare.next_vectors import next_index_name
from dome_mcp.backends.cloudflare.vectorize_shapes import MAX_NAME_BYTES


@pytest.mark.parametrize("first", ["dome", "Dome_1", "d" * MAX_NAME_BYTES])
@pytest.mark.parametrize("model", [*EMBEDDING_MODELS, "/home/anna/models/my model v2/int8"])
def test_a_name_is_one_that_vectorize_takes(first: str, model: str) -> None:
    name = next_index_name(first, model)
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
    assert len(name) <= MAX_NAME_BYTES


def test_the_same_move_has_the_same_name_and_every_other_another() -> None:
    pairs = [("dome", "a/b"), ("dome", "a-b"), ("dome-a", "b"), ("d" * 60, "a"), ("d" * 60, "b")]
    names = [next_index_name(*pair) for pair in pairs]
    assert names == [next_index_name(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)

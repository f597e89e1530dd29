"""Cursors: what a listing gave comes back, and nothing else gets through to the database."""

import base64
import json

import pytest

from dome_mcp.core.cursors import from_cursor, to_cursor
from dome_mcp.core.errors import InvalidInput


def made_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize("position", [(0, ""), (1_772_438_400_000, "01KYVX"), (-5, "hook")])
def test_a_cursor_leads_back_to_its_position(position: tuple[int, str]) -> None:
    assert from_cursor(to_cursor(position), tool="list_tasks") == position


FOREIGN = [
    *("", "====", "é", "not base64!", made_of({}), made_of(["a", "b"]), made_of([1])),
    *(made_of([10**30, "x"]), made_of([float("inf"), "x"]), made_of([float("nan"), "x"])),
    *(made_of([1, "\ud800"]), made_of([None, None]), "A" * 10_000),
]


@pytest.mark.parametrize("cursor", FOREIGN)
def test_anything_else_is_refused_with_what_to_send(cursor: str) -> None:
    with pytest.raises(InvalidInput, match="not one that list_tasks gave") as caught:
        from_cursor(cursor, tool="list_tasks")
    assert "next_cursor" in caught.value.hint

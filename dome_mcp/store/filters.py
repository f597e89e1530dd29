"""The condition that a `NoteFilter` puts on the notes of a statement."""

import json
from dataclasses import dataclass

from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Value
from dome_mcp.core.timestamps import to_ms

# A filter on tags is asked of each row that a search has found, or is where a listing starts.
_HAS_TAG = """EXISTS (
  SELECT 1 FROM note_tags t
  WHERE t.user_id = ?{user} AND t.name = ?{tag} AND t.note_key = n.note_key)"""
_OF_TAG = """n.note_key IN (
  SELECT t.note_key FROM note_tags t WHERE t.user_id = ?{user} AND t.name = ?{tag})"""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL about `notes n`, over parameters that are numbered from the `first` it was made with.

    It has only the terms that the filter needs, so that SQLite can choose an index by them.
    """

    sql: str
    params: tuple[Value, ...]


def among(
    user_id: str, notes: NoteFilter, *, first: int = 1, starts_from_tags: bool = False
) -> Condition:
    """Holds for the notes of this user, and not deleted, that the filter lets through."""
    terms = [f"n.user_id = ?{first} AND n.deleted_at_ms IS NULL"]
    params: list[Value] = [user_id]

    def add(term: str, value: Value) -> None:
        params.append(value)
        terms.append(term.format(it=first + len(params) - 1))

    if notes.context is not None:
        add("n.context = ?{it}", notes.context)
    if notes.since is not None:
        add("n.created_at_ms >= CAST(?{it} AS INTEGER)", to_ms(notes.since))
    if notes.until is not None:
        add("n.created_at_ms < CAST(?{it} AS INTEGER)", to_ms(notes.until))
    if notes.note_ids:
        add("n.note_id IN (SELECT value FROM json_each(?{it}))", json.dumps(notes.note_ids))
    has_tag = (_OF_TAG if starts_from_tags else _HAS_TAG).replace("{user}", str(first))
    for tag in notes.tags:
        add(has_tag.replace("{tag}", "{it}"), tag.casefold())
    return Condition("\n  AND ".join(terms), tuple(params))

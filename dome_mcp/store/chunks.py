"""Chunks and their full-text rows: the statements, and the way between rows and values."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dome_mcp.core.drafts import DraftChunk
from dome_mcp.core.model import Chunk
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.queries import indexed_text
from dome_mcp.store.notes import optional, to_int

SLICE_CHARACTERS = 200_000
"""How much text one JSON parameter carries; well under D1's 2 MB for a bound value.
Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-11)."""

_INSERT = """
INSERT INTO chunks (
  chunk_id, note_key, user_id, ordinal, start_offset, end_offset, page, heading, text,
  content_hash)
SELECT j.value ->> 'id', n.note_key, n.user_id, j.value ->> 'ordinal', j.value ->> 'start',
  j.value ->> 'end', j.value ->> 'page', j.value ->> 'heading', j.value ->> 'text',
  j.value ->> 'hash'
FROM json_each(?2) AS j JOIN notes n ON n.note_id = ?1 AND n.user_id = ?3"""

_MOVE = """
UPDATE chunks SET
  ordinal = j.value ->> 'ordinal', start_offset = j.value ->> 'start',
  end_offset = j.value ->> 'end', page = j.value ->> 'page'
FROM json_each(?1) AS j WHERE chunks.chunk_id = j.value ->> 'id' AND chunks.user_id = ?2"""

_INDEX = """
INSERT INTO chunks_fts (rowid, title, heading, text)
SELECT c.chunk_key, ?1, j.value ->> 'heading', coalesce(j.value ->> 'text', c.text)
FROM json_each(?2) AS j JOIN chunks c ON c.chunk_id = j.value ->> 'id' AND c.user_id = ?3"""

_UNINDEX = """
DELETE FROM chunks_fts WHERE rowid IN (
  SELECT c.chunk_key FROM chunks c
  WHERE c.user_id = ?2 AND c.chunk_id IN (SELECT value FROM json_each(?1)))"""

_DELETE = """
DELETE FROM chunks WHERE user_id = ?2 AND chunk_id IN (SELECT value FROM json_each(?1))"""

_OF_NOTE = """
SELECT c.chunk_id, c.ordinal, c.start_offset, c.end_offset, c.page, c.heading, c.text,
  c.content_hash, c.embedded_with
FROM chunks c JOIN notes n ON n.note_key = c.note_key
WHERE n.note_id = ?1 AND n.user_id = ?2 ORDER BY c.ordinal, c.chunk_key"""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as its row has it."""

    chunk_id: str
    ordinal: int
    start: int
    end: int
    page: int | None
    heading: str | None
    text: str
    content_hash: str
    embedded_with: str | None


def insert_chunks(note_id: str, chunks: Sequence[DraftChunk], *, user_id: str) -> list[Statement]:
    """Writes chunk rows, without a vector, under a note of the user that has its row."""
    return [
        Statement(_INSERT, (note_id, json.dumps([_record(draft) for draft in part]), user_id))
        for part in _slices(chunks)
    ]


def move_chunks(chunks: Sequence[DraftChunk], *, user_id: str) -> list[Statement]:
    """Gives chunks whose text stayed their new place in the note."""
    places = [
        {
            "id": draft.chunk_id,
            "ordinal": draft.chunk.ordinal,
            "start": draft.chunk.start,
            "end": draft.chunk.end,
            "page": draft.chunk.page,
        }
        for draft in chunks
    ]
    return [Statement(_MOVE, (json.dumps(places), user_id))] if places else []


def index_chunks(title: str, chunks: Sequence[DraftChunk], *, user_id: str) -> list[Statement]:
    """Writes the full-text rows of chunks that have their row and no full-text row yet."""
    statements: list[Statement] = []
    for part in _slices(chunks):
        records = [_index_record(draft) for draft in part]
        row = (indexed_text(title), json.dumps(records), user_id)
        statements.append(Statement(_INDEX, row))
    return statements


def unindex_chunks(chunk_ids: Sequence[str], *, user_id: str) -> list[Statement]:
    """Deletes full-text rows; to be run while the chunk rows are still there."""
    return [Statement(_UNINDEX, (json.dumps(chunk_ids), user_id))] if chunk_ids else []


def delete_chunks(chunk_ids: Sequence[str], *, user_id: str) -> list[Statement]:
    return [Statement(_DELETE, (json.dumps(chunk_ids), user_id))] if chunk_ids else []


def chunks_of_note(note_id: str, user_id: str) -> Statement:
    return Statement(_OF_NOTE, (note_id, user_id))


def to_stored_chunk(row: Row) -> StoredChunk:
    return StoredChunk(
        chunk_id=str(row["chunk_id"]),
        ordinal=to_int(row["ordinal"]),
        start=to_int(row["start_offset"]),
        end=to_int(row["end_offset"]),
        page=optional_int(row, "page"),
        heading=optional(row["heading"]),
        text=str(row["text"]),
        content_hash=str(row["content_hash"]),
        embedded_with=optional(row["embedded_with"]),
    )


def to_draft(stored: StoredChunk) -> DraftChunk:
    """A stored chunk as the draft that would write it again."""
    chunk = Chunk(
        ordinal=stored.ordinal,
        start=stored.start,
        end=stored.end,
        text=stored.text,
        page=stored.page,
        heading=stored.heading,
    )
    return DraftChunk(stored.chunk_id, stored.content_hash, chunk)


def optional_int(row: Row, column: str) -> int | None:
    return None if row[column] is None else to_int(row[column])


def _record(draft: DraftChunk) -> dict[str, str | int | None]:
    chunk = draft.chunk
    return {
        "id": draft.chunk_id,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading": chunk.heading,
        "text": chunk.text,
        "hash": draft.content_hash,
    }


def _index_record(draft: DraftChunk) -> dict[str, str | None]:
    """What is indexed; the text only where it differs from the row's."""
    text = indexed_text(draft.chunk.text)
    return {
        "id": draft.chunk_id,
        "heading": indexed_text(draft.chunk.heading or ""),
        "text": None if text == draft.chunk.text else text,
    }


def _slices(chunks: Sequence[DraftChunk]) -> Iterator[list[DraftChunk]]:
    part: list[DraftChunk] = []
    characters = 0
    for draft in chunks:
        if part and characters + len(draft.chunk.text) > SLICE_CHARACTERS:
            yield part
            part, characters = [], 0
        part.append(draft)
        characters += len(draft.chunk.text)
    if part:
        yield part

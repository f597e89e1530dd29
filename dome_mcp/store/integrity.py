"""What the rows say against each other: the statements behind a check-up and its repairs."""

import json
from collections.abc import Sequence

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.queries import indexed_text
from dome_mcp.store.notes import to_int

# FTS5 keeps a row a document in its own table `…_docsize`: the cheapest list of what it holds.
_UNINDEXED = """
SELECT chunk_key AS key FROM chunks
WHERE chunk_key NOT IN (SELECT id FROM chunks_fts_docsize) ORDER BY chunk_key"""

_ORPHAN_WORDS = """
SELECT id AS key FROM chunks_fts_docsize
WHERE id NOT IN (SELECT chunk_key FROM chunks) ORDER BY id"""

_DELETE_WORDS = """
DELETE FROM chunks_fts WHERE rowid IN (SELECT value FROM json_each(?1))"""

_DELETE_ALL_WORDS = "INSERT INTO chunks_fts (chunks_fts) VALUES ('delete-all')"

_CHECK_WORDS = "INSERT INTO chunks_fts (chunks_fts) VALUES ('integrity-check')"

_SAMPLE = """
SELECT c.chunk_key, c.heading, c.text, n.title
FROM chunks c JOIN notes n ON n.note_key = c.note_key
WHERE n.deleted_at_ms IS NULL
  AND c.chunk_key % max(1, (SELECT max(chunk_key) FROM chunks) / CAST(?1 AS INTEGER)) = 0
ORDER BY c.chunk_key LIMIT CAST(?1 AS INTEGER)"""

_CHUNKS_BY_KEY = """
SELECT c.chunk_key, c.heading, c.text, n.title
FROM chunks c JOIN notes n ON n.note_key = c.note_key
WHERE c.chunk_key IN (SELECT value FROM json_each(?1)) ORDER BY c.chunk_key"""

_DISAGREEING = """
SELECT j.value ->> 'key' AS key FROM json_each(?1) AS j
WHERE NOT EXISTS (
  SELECT 1 FROM chunks_fts f
  WHERE f.chunks_fts MATCH (j.value ->> 'match') AND f.rowid = (j.value ->> 'key'))"""

_INDEX = """
INSERT INTO chunks_fts (rowid, title, heading, text)
SELECT j.value ->> 'key', j.value ->> 'title', j.value ->> 'heading', j.value ->> 'text'
FROM json_each(?1) AS j
WHERE (j.value ->> 'key') IN (SELECT chunk_key FROM chunks)
  AND (j.value ->> 'key') NOT IN (SELECT id FROM chunks_fts_docsize)"""

_DEAD_CHUNKS = """
SELECT c.chunk_id AS id FROM chunks c
WHERE NOT EXISTS (
  SELECT 1 FROM notes n WHERE n.note_key = c.note_key AND n.deleted_at_ms IS NULL)
ORDER BY c.chunk_key"""

# Whatever user's, and only what is still dead: a note may have come back meanwhile.
_UNINDEX_DEAD = """
DELETE FROM chunks_fts WHERE rowid IN (
  SELECT c.chunk_key FROM chunks c
  WHERE c.chunk_id IN (SELECT value FROM json_each(?1)) AND NOT EXISTS (
    SELECT 1 FROM notes n WHERE n.note_key = c.note_key AND n.deleted_at_ms IS NULL))"""

_DELETE_DEAD = """
DELETE FROM chunks
WHERE chunk_id IN (SELECT value FROM json_each(?1)) AND NOT EXISTS (
  SELECT 1 FROM notes n WHERE n.note_key = chunks.note_key AND n.deleted_at_ms IS NULL)"""

# An offset counts code points, as substr() does with TEXT.
_TORN_NOTES = """
SELECT n.note_id, n.user_id FROM notes n
WHERE n.deleted_at_ms IS NULL AND n.body IS NOT NULL
  AND (n.characters <> length(n.body) OR NOT EXISTS (
    SELECT 1 FROM chunks c WHERE c.note_key = n.note_key) OR EXISTS (
    SELECT 1 FROM chunks c WHERE c.note_key = n.note_key
      AND substr(n.body, c.start_offset + 1, c.end_offset - c.start_offset) <> c.text))
ORDER BY n.note_key"""

_LONG_NOTES = """
SELECT n.note_id, n.user_id FROM notes n
WHERE n.deleted_at_ms IS NULL AND n.body IS NULL ORDER BY n.note_key"""

_FORGET_CHUNK_VECTORS = """
UPDATE chunks SET embedded_with = NULL
WHERE chunk_id IN (SELECT value FROM json_each(?1))"""


def unindexed_chunks() -> Statement:
    """The keys of chunks that have no full-text row."""
    return Statement(_UNINDEXED)


def orphan_words() -> Statement:
    """The keys of full-text rows that have no chunk."""
    return Statement(_ORPHAN_WORDS)


def delete_words(chunk_keys: Sequence[int]) -> Statement:
    return Statement(_DELETE_WORDS, (json.dumps(chunk_keys),))


def delete_all_words() -> Statement:
    """Empties the full-text index, whatever state it is in."""
    return Statement(_DELETE_ALL_WORDS)


def check_words() -> Statement:
    """Fails where the full-text index contradicts itself."""
    return Statement(_CHECK_WORDS)


def sampled_chunks(limit: int) -> Statement:
    """About `limit` chunks, evenly spread over the table, with what is indexed of them."""
    return Statement(_SAMPLE, (limit,))


def chunks_by_key(chunk_keys: Sequence[int]) -> Statement:
    """The same of chunks that are named."""
    return Statement(_CHUNKS_BY_KEY, (json.dumps(chunk_keys),))


def disagreeing_words(rows: Sequence[Row]) -> Statement:
    """The keys of those chunks whose full-text row does not hold their words, in order.

    `rows` are those of `sampled_chunks`.
    """
    records = [
        {"key": to_int(row["chunk_key"]), "match": match} for row in rows if (match := _match(row))
    ]
    return Statement(_DISAGREEING, (json.dumps(records),))


def index_rows(rows: Sequence[Row]) -> Statement:
    """Writes the full-text rows of chunks that have none; `rows` are those of `chunks_by_key`."""
    records = [{"key": to_int(row["chunk_key"]), **_columns(row)} for row in rows]
    return Statement(_INDEX, (json.dumps(records),))


def dead_chunks() -> Statement:
    """The ids of chunks whose note is deleted or was never there."""
    return Statement(_DEAD_CHUNKS)


def delete_dead_chunks(chunk_ids: Sequence[str]) -> list[Statement]:
    """Deletes those of these chunks that are dead, with their full-text rows."""
    ids = (json.dumps(chunk_ids),)
    return [Statement(_UNINDEX_DEAD, ids), Statement(_DELETE_DEAD, ids)]


def torn_notes() -> Statement:
    """Notes whose row holds a text that its chunks or its length disagree with."""
    return Statement(_TORN_NOTES)


def long_notes() -> Statement:
    """Notes whose text is not in their row."""
    return Statement(_LONG_NOTES)


def forget_chunk_vectors(chunk_ids: Sequence[str]) -> Statement:
    """Makes chunks pending."""
    return Statement(_FORGET_CHUNK_VECTORS, (json.dumps(chunk_ids),))


def _columns(row: Row) -> dict[str, str]:
    return {name: indexed_text(str(row[name] or "")) for name in ("title", "heading", "text")}


def _match(row: Row) -> str:
    """A MATCH expression for exactly this chunk's words, column by column, in their order."""
    phrases: list[str] = []
    for name, words in _columns(row).items():
        if any(map(str.isalnum, words)):
            quoted = words.replace('"', '""')
            phrases.append(f'{name} : "{quoted}"')
    return " AND ".join(phrases)

"""Notes on their way from one database to another: rows, tags, chunks and full text, many at once.

Unlike an export, a note keeps its revision, its chunks and where its blobs are; nothing of it is
made anew but its full-text rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dome_mcp.core.ports import Row, Statement, Value
from dome_mcp.core.queries import indexed_text
from dome_mcp.store.moving_rows import Record, slices, to_value
from dome_mcp.store.notes import to_int

_NOTE_COLUMNS = (
    "note_id", "title", "context", "source_uri", "content_type", "content_hash", "body_key",
    "blob_key", "characters", "created_at_ms", "updated_at_ms", "revision", "body",
)  # fmt: skip
_CHUNK_COLUMNS = (
    "chunk_id", "ordinal", "start_offset", "end_offset", "page", "heading", "text", "content_hash",
)  # fmt: skip

_MANIFEST = """
SELECT note_id, context, content_hash, characters, revision, updated_at_ms FROM notes
WHERE user_id = ?1 AND note_id > ?2 AND deleted_at_ms IS NULL
ORDER BY note_id LIMIT CAST(?3 AS INTEGER)"""

_SAME_IDS = """
SELECT note_id, revision, updated_at_ms FROM notes
WHERE user_id = ?1 AND note_id IN (SELECT value FROM json_each(?2))"""

_SAME_CONTENTS = """
SELECT note_id, context, content_hash FROM notes
WHERE user_id = ?1 AND deleted_at_ms IS NULL AND (context, content_hash) IN (
  SELECT j.value ->> 0, j.value ->> 1 FROM json_each(?2) AS j)"""

_WHOLE = f"""
SELECT {", ".join(f"n.{name}" for name in _NOTE_COLUMNS)},
  (SELECT json_group_array(name) FROM (
    SELECT name FROM note_tags t WHERE t.note_key = n.note_key ORDER BY name)) AS tags
FROM notes n
WHERE n.user_id = ?1 AND n.deleted_at_ms IS NULL
  AND n.note_id IN (SELECT value FROM json_each(?2))
ORDER BY n.note_id"""

_CHUNKS = f"""
SELECT n.note_id, {", ".join(f"c.{name}" for name in _CHUNK_COLUMNS)}, c.embedded_with
FROM notes n JOIN chunks c ON c.note_key = n.note_key
WHERE n.user_id = ?1 AND n.deleted_at_ms IS NULL
  AND n.note_id IN (SELECT value FROM json_each(?2))
ORDER BY n.note_id, c.ordinal, c.chunk_key"""

_CHUNK_IDS = """
SELECT c.chunk_id FROM notes n JOIN chunks c ON c.note_key = n.note_key
WHERE n.user_id = ?1 AND n.note_id IN (SELECT value FROM json_each(?2))"""

_KEYS = """
  SELECT n.note_key FROM notes n
  WHERE n.user_id = ?1 AND n.note_id IN (SELECT value FROM json_each(?2))"""

_REMOVE = (
    f"""
DELETE FROM chunks_fts WHERE rowid IN (
  SELECT c.chunk_key FROM chunks c WHERE c.user_id = ?1 AND c.note_key IN ({_KEYS}))""",
    f"DELETE FROM chunks WHERE user_id = ?1 AND note_key IN ({_KEYS})",
    f"DELETE FROM note_tags WHERE user_id = ?1 AND note_key IN ({_KEYS})",
    """
DELETE FROM notes WHERE user_id = ?1 AND note_id IN (SELECT value FROM json_each(?2))""",
)

# Another user's id is left alone, and then nothing below finds a note to belong to. A content that
# the user has under another id makes the batch fail.
_INSERT = f"""
INSERT INTO notes (user_id, {", ".join(_NOTE_COLUMNS)})
SELECT ?1, {", ".join(f"j.value ->> '{name}'" for name in _NOTE_COLUMNS)}
FROM json_each(?2) AS j WHERE true
ON CONFLICT (note_id) DO NOTHING"""

_ADD_TAGS = """
INSERT INTO note_tags (user_id, name, note_key)
SELECT ?1, tag.value, n.note_key
FROM json_each(?2) AS j JOIN notes n ON n.note_id = j.value ->> 'note_id' AND n.user_id = ?1,
  json_each(j.value ->> 'tags') AS tag"""

_INSERT_CHUNKS = f"""
INSERT INTO chunks (user_id, {", ".join(_CHUNK_COLUMNS)}, note_key)
SELECT ?1, {", ".join(f"j.value ->> '{name}'" for name in _CHUNK_COLUMNS)}, n.note_key
FROM json_each(?2) AS j JOIN notes n ON n.note_id = j.value ->> 'note_id' AND n.user_id = ?1"""

_INDEX = """
INSERT INTO chunks_fts (rowid, title, heading, text)
SELECT c.chunk_key, j.value ->> 'title', j.value ->> 'heading',
  coalesce(j.value ->> 'text', c.text)
FROM json_each(?2) AS j JOIN chunks c ON c.chunk_id = j.value ->> 'id' AND c.user_id = ?1"""

_MARK_EMBEDDED = """
UPDATE chunks SET embedded_with = ?2
WHERE user_id = ?1 AND chunk_id IN (SELECT value FROM json_each(?3))"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What has to be known of a note to tell whether it must be moved."""

    note_id: str
    context: str
    content_hash: str
    characters: int
    revision: int
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class WholeNote:
    """A note's row with its tags, and its chunks' rows; `embedded` names the vectors' models."""

    row: Record
    chunks: tuple[Record, ...]
    embedded: Mapping[str, str | None]

    @property
    def note_id(self) -> str:
        return str(self.row["note_id"])

    @property
    def blob_keys(self) -> tuple[str, ...]:
        """Where its original and its long text are, as far as it has them."""
        keys = (self.row["blob_key"], self.row["body_key"])
        return tuple(str(key) for key in keys if key is not None)


def manifest(user_id: str, *, after: str, limit: int) -> Statement:
    """What the user's notes behind an id are, in the order of their ids."""
    return Statement(_MANIFEST, (user_id, after, limit))


def same_ids(user_id: str, note_ids: Sequence[str]) -> Statement:
    """The standing of the user's notes that have one of these ids, deleted ones too."""
    return Statement(_SAME_IDS, (user_id, json.dumps(note_ids)))


def same_contents(user_id: str, contents: Sequence[tuple[str, str]]) -> Statement:
    """The user's notes that have one of these pairs of context and content hash."""
    return Statement(_SAME_CONTENTS, (user_id, json.dumps(contents)))


def whole_notes(user_id: str, note_ids: Sequence[str]) -> list[Statement]:
    """Two statements: the rows of notes, and those of their chunks; for `to_whole_notes`."""
    ids = json.dumps(note_ids)
    return [Statement(_WHOLE, (user_id, ids)), Statement(_CHUNKS, (user_id, ids))]


def chunk_ids_of(user_id: str, note_ids: Sequence[str]) -> Statement:
    return Statement(_CHUNK_IDS, (user_id, json.dumps(note_ids)))


def remove_notes(user_id: str, note_ids: Sequence[str]) -> list[Statement]:
    """Removes notes without a trace; their vectors must have been unstaged."""
    return [Statement(sql, (user_id, json.dumps(note_ids))) for sql in _REMOVE]


def put_notes(user_id: str, notes: Sequence[WholeNote]) -> list[Statement]:
    """Writes notes, none of which may be there, with their chunks, which have no vector yet."""
    chunks = [{**chunk, "note_id": note.note_id} for note in notes for chunk in note.chunks]
    statements: list[Statement] = []
    for part in slices([note.row for note in notes]):
        statements += (Statement(_INSERT, (user_id, part)), Statement(_ADD_TAGS, (user_id, part)))
    statements += (Statement(_INSERT_CHUNKS, (user_id, part)) for part in slices(chunks))
    words = [_words(str(note.row["title"]), chunk) for note in notes for chunk in note.chunks]
    return statements + [Statement(_INDEX, (user_id, part)) for part in slices(words)]


def mark_embedded(user_id: str, chunk_ids: Sequence[str], *, model: str) -> Statement:
    """Records that chunks have a vector of this model."""
    return Statement(_MARK_EMBEDDED, (user_id, model, json.dumps(chunk_ids)))


def to_entry(row: Row) -> Entry:
    return Entry(
        note_id=str(row["note_id"]),
        context=str(row["context"]),
        content_hash=str(row["content_hash"]),
        characters=to_int(row["characters"]),
        revision=to_int(row["revision"]),
        updated_at_ms=to_int(row["updated_at_ms"]),
    )


def to_changed(row: Row) -> tuple[str, tuple[int, int]]:
    """The id of a row of `same_ids`, when the note was changed, and its revision."""
    return str(row["note_id"]), (to_int(row["updated_at_ms"]), to_int(row["revision"]))


def to_whole_notes(rows: Sequence[Row], chunk_rows: Sequence[Row]) -> list[WholeNote]:
    """The notes of what `whole_notes` read, in the order of their ids."""
    chunks: dict[str, list[Record]] = {}
    embedded: dict[str, dict[str, str | None]] = {}
    for row in chunk_rows:
        note_id, model = str(row["note_id"]), row["embedded_with"]
        chunks.setdefault(note_id, []).append(_record(row, _CHUNK_COLUMNS))
        models = embedded.setdefault(note_id, {})
        models[str(row["chunk_id"])] = None if model is None else str(model)
    return [
        WholeNote(
            _record(row, (*_NOTE_COLUMNS, "tags")),
            tuple(chunks.get(str(row["note_id"]), ())),
            embedded.get(str(row["note_id"]), {}),
        )
        for row in rows
    ]


def _record(row: Row, names: Sequence[str]) -> Record:
    return {name: to_value(row[name]) for name in names}


def _words(title: str, chunk: Record) -> dict[str, Value]:
    """What is indexed of a chunk; the text only where it differs from the row's."""
    stored = str(chunk["text"])
    text = indexed_text(stored)
    return {
        "id": chunk["chunk_id"],
        "title": indexed_text(title),
        "heading": indexed_text(str(chunk["heading"] or "")),
        "text": None if text == stored else text,
    }

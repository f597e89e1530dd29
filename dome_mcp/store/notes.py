"""Notes and their tags: the statements, and the way between rows and values."""

import json
from collections.abc import Sequence

from dome_mcp.core.drafts import NoteDraft
from dome_mcp.core.model import Note, NoteFilter
from dome_mcp.core.ports import Row, Statement, Value
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store import filters

NOTE_COLUMNS = """
  n.note_id, n.user_id, n.title, n.context, n.source_uri, n.content_type, n.content_hash,
  n.body, n.body_key, n.blob_key, n.characters, n.created_at_ms, n.updated_at_ms, n.revision,
  (SELECT json_group_array(t.name) FROM note_tags t WHERE t.note_key = n.note_key) AS tags,
  (SELECT count(*) FROM chunks c WHERE c.note_key = n.note_key) AS chunks,
  (SELECT count(*) FROM chunks c WHERE c.note_key = n.note_key AND c.embedded_with IS NULL)
    AS pending"""

_INSERT = """
INSERT INTO notes (
  note_id, user_id, title, context, source_uri, content_type, content_hash, body, body_key,
  blob_key, characters, created_at_ms, updated_at_ms, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1)"""

_CLEAR_TAGS = """
DELETE FROM note_tags WHERE note_key = (
  SELECT note_key FROM notes WHERE note_id = ?1 AND user_id = ?2)"""

_ADD_TAGS = """
INSERT INTO note_tags (user_id, name, note_key)
SELECT n.user_id, wanted.value, n.note_key
FROM json_each(?3) AS wanted JOIN notes n ON n.note_id = ?1 AND n.user_id = ?2"""

# The compare-and-set: a stale revision, or a note deleted meanwhile, makes `revision` NULL, which
# the column forbids, so the whole batch fails and nothing of it is written.
_REVISE = """
UPDATE notes SET
  title = ?3, context = ?4, content_type = ?5, content_hash = ?6, body = ?7, body_key = ?8,
  blob_key = ?9, characters = ?10, created_at_ms = ?11, updated_at_ms = ?12,
  revision = CASE
    WHEN revision = CAST(?13 AS INTEGER) AND deleted_at_ms IS NULL THEN revision + 1
  END
WHERE note_id = ?1 AND user_id = ?2"""

_BURY = """
UPDATE notes SET
  title = '', context = '', source_uri = NULL, content_type = '', content_hash = note_id,
  body = NULL, body_key = NULL, blob_key = NULL, characters = 0,
  deleted_at_ms = ?3, updated_at_ms = ?3,
  revision = CASE
    WHEN revision = CAST(?4 AS INTEGER) AND deleted_at_ms IS NULL THEN revision + 1
  END
WHERE note_id = ?1 AND user_id = ?2"""

_BY_ID = f"""
SELECT {NOTE_COLUMNS} FROM notes n
WHERE n.note_id = ?1 AND n.user_id = ?2 AND n.deleted_at_ms IS NULL"""

_BY_CONTENT = f"""
SELECT {NOTE_COLUMNS} FROM notes n
WHERE n.user_id = ?1 AND n.context = ?2 AND n.content_hash = ?3 AND n.deleted_at_ms IS NULL"""

_BY_SOURCE = f"""
SELECT {NOTE_COLUMNS} FROM notes n
WHERE n.user_id = ?1 AND n.context = ?2 AND n.source_uri = ?3 AND n.deleted_at_ms IS NULL
ORDER BY n.note_id DESC LIMIT 1"""

_BY_IDS = f"""
SELECT {NOTE_COLUMNS} FROM notes n
WHERE n.user_id = ?2 AND n.deleted_at_ms IS NULL
  AND n.note_id IN (SELECT value FROM json_each(?1))
ORDER BY n.note_id"""

_CONTENTS_PRESENT = """
SELECT context, content_hash FROM notes
WHERE user_id = ?2 AND deleted_at_ms IS NULL
  AND content_hash IN (SELECT value FROM json_each(?1))
ORDER BY note_id"""

_SOURCES_PRESENT = """
SELECT context, source_uri FROM notes
WHERE user_id = ?2 AND deleted_at_ms IS NULL
  AND source_uri IN (SELECT value FROM json_each(?1))
ORDER BY note_id"""

_LIST = f"""
SELECT {NOTE_COLUMNS} FROM notes n
WHERE (?1 IS NULL OR (n.created_at_ms, n.note_id) < (CAST(?1 AS INTEGER), ?2)) AND {{condition}}
ORDER BY n.created_at_ms DESC, n.note_id DESC
LIMIT CAST(?3 AS INTEGER)"""

# A deleted note has no tags, so for one tag alone the notes need not be looked at.
_TAGGED = """
SELECT group_concat(note_key) AS keys FROM note_tags WHERE user_id = ?1 AND name = ?2"""

_ELIGIBLE = "SELECT group_concat(n.note_key) AS keys FROM notes n WHERE {condition}"

_COUNTS = """
SELECT
  (SELECT count(*) FROM notes WHERE user_id = ?1 AND deleted_at_ms IS NULL) AS notes,
  (SELECT count(*) FROM chunks WHERE user_id = ?1) AS chunks,
  (SELECT count(*) FROM chunks WHERE user_id = ?1 AND embedded_with IS NULL) AS pending"""

# By prefix without LIKE: D1 takes no pattern of more than 50 bytes.
_TAG_COUNTS = """
SELECT name, count(*) AS notes FROM note_tags
WHERE user_id = ?1 AND substr(name, 1, length(?2)) = ?2 COLLATE NOCASE
GROUP BY name ORDER BY notes DESC, name LIMIT CAST(?3 AS INTEGER)"""

_CONTEXT_COUNTS = """
SELECT context AS name, count(*) AS notes FROM notes
WHERE user_id = ?1 AND context <> '' AND deleted_at_ms IS NULL
  AND substr(context, 1, length(?2)) = ?2 COLLATE NOCASE
GROUP BY context ORDER BY notes DESC, name LIMIT CAST(?3 AS INTEGER)"""

_ID_PREFIX = """
SELECT note_id AS name FROM notes
WHERE user_id = ?1 AND deleted_at_ms IS NULL
  AND substr(note_id, 1, length(?2)) = ?2 COLLATE NOCASE
ORDER BY note_id DESC LIMIT CAST(?3 AS INTEGER)"""

_BLOB_KEYS = """
SELECT blob_key AS key FROM notes WHERE blob_key IS NOT NULL
UNION SELECT body_key FROM notes WHERE body_key IS NOT NULL"""


def insert_note(
    draft: NoteDraft,
    *,
    user_id: str,
    body: str | None,
    body_key: str | None,
    original_key: str | None,
    now_ms: int,
) -> list[Statement]:
    """Writes the note's row and tags; a constraint fails where the content is already there."""
    row = (
        draft.note_id, user_id, draft.title, draft.context, draft.source, draft.content_type,
        draft.content_hash, body, body_key, original_key, len(draft.text), to_ms(draft.created_at),
        now_ms,
    )  # fmt: skip
    return [Statement(_INSERT, row), *set_tags(draft.note_id, user_id, tags=draft.tags)]


def revise_note(
    note: Note, *, body: str | None, body_key: str | None, revision: int
) -> list[Statement]:
    """Writes the note as it shall be; a constraint fails where `revision` is not the stored one."""
    row = (
        note.note_id, note.user_id, note.title, note.context or "", note.content_type,
        note.content_hash, body, body_key, note.blob_key, note.characters,
        to_ms(note.created_at), to_ms(note.updated_at), revision,
    )  # fmt: skip
    return [Statement(_REVISE, row), *set_tags(note.note_id, note.user_id, tags=note.tags)]


def bury_note(note: Note, *, now_ms: int) -> list[Statement]:
    """Leaves a tombstone; a constraint fails where the note changed or is gone already."""
    return [
        Statement(_BURY, (note.note_id, note.user_id, now_ms, note.revision)),
        Statement(_CLEAR_TAGS, (note.note_id, note.user_id)),
    ]


def set_tags(note_id: str, user_id: str, *, tags: Sequence[str]) -> list[Statement]:
    """Makes `tags` the only ones the note has."""
    statements = [Statement(_CLEAR_TAGS, (note_id, user_id))]
    if tags:
        statements.append(Statement(_ADD_TAGS, (note_id, user_id, json.dumps(tags))))
    return statements


def note_by_id(note_id: str, user_id: str) -> Statement:
    return Statement(_BY_ID, (note_id, user_id))


def note_by_content(content_hash: str, user_id: str, *, context: str) -> Statement:
    return Statement(_BY_CONTENT, (user_id, context, content_hash))


def note_by_source(source: str, user_id: str, *, context: str) -> Statement:
    return Statement(_BY_SOURCE, (user_id, context, source))


def notes_by_id(note_ids: Sequence[str], user_id: str) -> Statement:
    return Statement(_BY_IDS, (json.dumps(note_ids), user_id))


def contents_present(content_hashes: Sequence[str], user_id: str) -> Statement:
    """The contexts and hashes, among these, that some note of the user has."""
    return Statement(_CONTENTS_PRESENT, (json.dumps(content_hashes), user_id))


def sources_present(sources: Sequence[str], user_id: str) -> Statement:
    """The contexts and source URIs, among these, that some note of the user has."""
    return Statement(_SOURCES_PRESENT, (json.dumps(sources), user_id))


def notes_page(
    user_id: str, among: NoteFilter, *, after: tuple[int, str] | None, limit: int
) -> Statement:
    """Newest first, those after the (created_at_ms, note_id) of the last one seen."""
    condition = filters.among(user_id, among, first=4)
    position = after or (None, None)
    return Statement(_LIST.format(condition=condition.sql), (*position, limit, *condition.params))


def eligible_notes(user_id: str, among: NoteFilter) -> Statement:
    """One row, one TEXT column `keys`: the note_keys in `among`, separated by commas."""
    if among == NoteFilter(tags=among.tags) and len(among.tags) == 1:
        return Statement(_TAGGED, (user_id, among.tags[0].casefold()))
    condition = filters.among(user_id, among, starts_from_tags=True)
    return Statement(_ELIGIBLE.format(condition=condition.sql), condition.params)


def note_counts(user_id: str) -> Statement:
    return Statement(_COUNTS, (user_id,))


def tag_counts(user_id: str, *, prefix: str = "", limit: int = 100) -> Statement:
    return Statement(_TAG_COUNTS, (user_id, prefix, limit))


def context_counts(user_id: str, *, prefix: str = "", limit: int = 100) -> Statement:
    return Statement(_CONTEXT_COUNTS, (user_id, prefix, limit))


def ids_with_prefix(user_id: str, *, prefix: str, limit: int = 100) -> Statement:
    return Statement(_ID_PREFIX, (user_id, prefix, limit))


def blob_keys() -> Statement:
    """Every blob that some note of any user needs."""
    return Statement(_BLOB_KEYS)


def to_note(row: Row) -> Note:
    """The note of a row read with `NOTE_COLUMNS`; its text where the row holds it."""
    return Note(
        note_id=str(row["note_id"]),
        user_id=str(row["user_id"]),
        title=str(row["title"]),
        context=str(row["context"]) or None,
        tags=to_tags(row["tags"]),
        source=optional(row["source_uri"]),
        content_type=str(row["content_type"]),
        created_at=from_ms(to_int(row["created_at_ms"])),
        updated_at=from_ms(to_int(row["updated_at_ms"])),
        revision=to_int(row["revision"]),
        characters=to_int(row["characters"]),
        chunks=to_int(row["chunks"]),
        pending=to_int(row["pending"]),
        content_hash=str(row["content_hash"]),
        blob_key=optional(row["blob_key"]),
        body_key=optional(row["body_key"]),
        text=optional(row["body"]),
    )


def to_tags(value: Value) -> tuple[str, ...]:
    """The tags of a `json_group_array` column, sorted."""
    return tuple(sorted(json.loads(str(value))))


def to_int(value: Value) -> int:
    """The integer of a column that SQLite may give as REAL or text."""
    return int(float(value)) if isinstance(value, (str, float)) else int(value or 0)


def optional(value: Value) -> str | None:
    return None if value is None else str(value)

"""Chunks that wait for their vector: which, what is embedded of them, and what makes them wait."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from dome_mcp.core.drafts import DraftChunk, NoteDraft
from dome_mcp.core.model import Note
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.meta import EMBEDDING_MODEL, EMBEDDING_SHAPE
from dome_mcp.store.notes import optional, to_int

REFUSED = ""
"""As `embedded_with`: the model refused the chunk; it has no vector and is not asked again."""

_FACTS = """
SELECT
  (SELECT count(*) FROM chunks WHERE embedded_with IS NULL AND user_id = ?1) AS pending,
  (SELECT value FROM meta WHERE name = ?2) AS model,
  (SELECT value FROM meta WHERE name = ?3) AS shape"""

_PENDING = """
SELECT c.chunk_key, c.chunk_id, c.ordinal, c.heading, c.text, n.title, n.context, n.created_at_ms,
  n.note_id, n.revision
FROM chunks c JOIN notes n ON n.note_key = c.note_key
WHERE c.embedded_with IS NULL AND c.user_id = ?1
ORDER BY c.user_id, c.chunk_key LIMIT CAST(?2 AS INTEGER)"""

# Each user is the next after the last in the index, so that this reads as many rows as there are
# users, however many chunks wait.
_USERS_WITH_PENDING = """
WITH RECURSIVE waiting (user_id) AS (
  SELECT min(user_id) FROM chunks WHERE embedded_with IS NULL
  UNION ALL
  SELECT (SELECT min(c.user_id) FROM chunks c
    WHERE c.embedded_with IS NULL AND c.user_id > w.user_id)
  FROM waiting w WHERE w.user_id IS NOT NULL)
SELECT user_id FROM waiting WHERE user_id IS NOT NULL ORDER BY user_id"""

# A row's own key breaks the tie between notes of one moment; a note without a row yet is the last.
_NOTED_BEFORE = """
SELECT j.value ->> 'id' AS chunk_id, (
  SELECT group_concat(text, char(10)) FROM (
    SELECT c.text FROM (
      SELECT p.note_key, p.created_at_ms FROM notes p
      WHERE p.user_id = ?1 AND p.context = j.value ->> 'context' AND p.deleted_at_ms IS NULL
        AND p.created_at_ms BETWEEN (j.value ->> 'at') - CAST(?3 AS INTEGER) AND j.value ->> 'at'
        AND p.note_id <> j.value ->> 'note'
        AND (p.created_at_ms < j.value ->> 'at' OR p.note_key < coalesce(
          (SELECT o.note_key FROM notes o WHERE o.note_id = j.value ->> 'note'), p.note_key + 1))
      ORDER BY p.created_at_ms DESC, p.note_key DESC LIMIT CAST(?4 AS INTEGER)) p
    JOIN chunks c ON c.note_key = p.note_key AND c.ordinal = 0
    ORDER BY p.created_at_ms, p.note_key)) AS before
FROM json_each(?2) AS j ORDER BY 1"""

# The revision is compared so that a note whose title changed since its text was read is done anew.
# The model is compared so that who has not heard of another one leaves its chunks pending.
_MARK_EMBEDDED = """
UPDATE chunks SET embedded_with = ?1
FROM json_each(?2) AS j JOIN notes n ON n.note_id = j.value ->> 'note' AND n.user_id = ?3
WHERE chunks.chunk_id = j.value ->> 'id' AND chunks.note_key = n.note_key
  AND n.revision = j.value ->> 'revision'
  AND ?4 = coalesce((SELECT value FROM meta WHERE name = ?5), ?4)"""

_FORGET_VECTORS = "UPDATE chunks SET embedded_with = NULL WHERE embedded_with <> ?1"

_EMBEDDED_OTHERWISE = "SELECT chunk_id FROM chunks WHERE embedded_with <> ?1 ORDER BY chunk_key"

_FORGET_FOLLOWERS = """
UPDATE chunks SET embedded_with = NULL
WHERE ordinal = 0 AND embedded_with IS NOT NULL AND note_key IN (
  SELECT f.note_key FROM notes n JOIN notes f
    ON f.user_id = n.user_id AND f.context = n.context AND f.deleted_at_ms IS NULL
  WHERE n.note_id = ?1 AND n.user_id = ?2 AND n.context <> ''
    AND (f.created_at_ms, f.note_key) > (n.created_at_ms, n.note_key)
    AND f.created_at_ms <= n.created_at_ms + CAST(?3 AS INTEGER)
  ORDER BY f.created_at_ms, f.note_key LIMIT CAST(?4 AS INTEGER))"""

_FORGET_NOTE_VECTORS = """
UPDATE chunks SET embedded_with = NULL
WHERE note_key = (SELECT note_key FROM notes WHERE note_id = ?1 AND user_id = ?2)"""


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk that waits for its vector, with what its embedded text is made of."""

    chunk_id: str
    note_id: str
    revision: int
    title: str
    heading: str | None
    text: str
    created_at_ms: int
    context: str
    ordinal: int


def index_facts(user_id: str) -> Statement:
    """One row: how many chunks are `pending`, and the `model` and `shape` of the vectors."""
    return Statement(_FACTS, (user_id, EMBEDDING_MODEL, EMBEDDING_SHAPE))


def pending_of(
    note: Note | NoteDraft, drafts: Sequence[DraftChunk], *, revision: int
) -> list[PendingChunk]:
    """The drafts as chunks that wait for a vector, once `note` is stored at `revision`."""
    return [
        PendingChunk(
            chunk_id=draft.chunk_id,
            note_id=note.note_id,
            revision=revision,
            title=note.title,
            heading=draft.chunk.heading,
            text=draft.chunk.text,
            created_at_ms=to_ms(note.created_at),
            context=note.context or "",
            ordinal=draft.chunk.ordinal,
        )
        for draft in drafts
    ]


def pending_chunks(user_id: str, *, limit: int) -> Statement:
    """The oldest chunks without a vector."""
    return Statement(_PENDING, (user_id, limit))


def users_with_pending() -> Statement:
    """The users that have chunks without a vector."""
    return Statement(_USERS_WITH_PENDING)


def noted_before(
    chunks: Sequence[PendingChunk], user_id: str, *, within_ms: int, notes: int
) -> Statement:
    """What was noted in the same context just before each chunk's note, oldest first.

    At most `notes` notes, none older than `within_ms` before it; NULL where there is none.
    """
    places = [
        {
            "id": chunk.chunk_id,
            "note": chunk.note_id,
            "context": chunk.context,
            "at": chunk.created_at_ms,
        }
        for chunk in chunks
    ]
    return Statement(_NOTED_BEFORE, (user_id, json.dumps(places), within_ms, notes))


def mark_embedded(
    model: str, chunks: Sequence[PendingChunk], *, user_id: str, is_refused: bool = False
) -> Statement:
    """Records that chunks have a vector of `model`, or were refused by it.

    Where their note is as it was read, and `model` is still the present one.
    """
    records = [
        {"id": chunk.chunk_id, "note": chunk.note_id, "revision": chunk.revision}
        for chunk in chunks
    ]
    mark = REFUSED if is_refused else model
    params = (mark, json.dumps(records), user_id, model, EMBEDDING_MODEL)
    return Statement(_MARK_EMBEDDED, params)


def embedded_otherwise(model: str) -> Statement:
    """The ids of chunks whose vector is of another model."""
    return Statement(_EMBEDDED_OTHERWISE, (model,))


def forget_vectors(model: str) -> Statement:
    """Makes every chunk pending whose vector is of another model."""
    return Statement(_FORGET_VECTORS, (model,))


def forget_followers(note_id: str, user_id: str, *, within_ms: int, notes: int) -> Statement:
    """Makes the notes pending whose vectors `noted_before` gave a trace of this one."""
    return Statement(_FORGET_FOLLOWERS, (note_id, user_id, within_ms, notes))


def forget_note_vectors(note_id: str, user_id: str) -> Statement:
    """Makes a note's chunks pending; their old vectors serve until the new ones are there."""
    return Statement(_FORGET_NOTE_VECTORS, (note_id, user_id))


def to_pending_chunk(row: Row) -> PendingChunk:
    return PendingChunk(
        chunk_id=str(row["chunk_id"]),
        note_id=str(row["note_id"]),
        revision=to_int(row["revision"]),
        title=str(row["title"]),
        heading=optional(row["heading"]),
        text=str(row["text"]),
        created_at_ms=to_int(row["created_at_ms"]),
        context=str(row["context"]),
        ordinal=to_int(row["ordinal"]),
    )

"""Which chunks have a vector of the next model, while all are being moved from one to another.

The table is there only while that goes on. A chunk that is embedded anew by the present model, or
waits to be, leaves it by the trigger: what was embedded of it for the next model is out of date.
"""

import json
from collections.abc import Sequence

from dome_mcp.core.ports import Statement
from dome_mcp.store.embedding import REFUSED, PendingChunk

_BEGIN = (
    """
    CREATE TABLE IF NOT EXISTS moved_chunks (
      chunk_key INTEGER NOT NULL REFERENCES chunks (chunk_key) ON DELETE CASCADE,
      model TEXT NOT NULL,
      is_refused INTEGER NOT NULL,
      PRIMARY KEY (chunk_key, model)
    ) WITHOUT ROWID""",
    """
    CREATE TRIGGER IF NOT EXISTS chunk_embedded_anew AFTER UPDATE OF embedded_with ON chunks BEGIN
      DELETE FROM moved_chunks WHERE chunk_key = NEW.chunk_key;
    END""",
)

_UNMOVED = """
SELECT c.chunk_key, c.chunk_id, c.ordinal, c.heading, c.text, n.title, n.context, n.created_at_ms,
  n.note_id, n.revision, c.user_id
FROM chunks c JOIN notes n ON n.note_key = c.note_key
WHERE c.chunk_key > CAST(?2 AS INTEGER) AND c.embedded_with IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM moved_chunks m WHERE m.chunk_key = c.chunk_key AND m.model = ?1)
ORDER BY c.chunk_key LIMIT CAST(?3 AS INTEGER)"""

_MEASURE_UNMOVED = """
SELECT count(*) AS embedded, count(*) FILTER (WHERE m.chunk_key IS NULL) AS unmoved,
  coalesce(sum(length(c.text)) FILTER (WHERE m.chunk_key IS NULL), 0) AS characters
FROM chunks c LEFT JOIN moved_chunks m ON m.chunk_key = c.chunk_key AND m.model = ?1
WHERE c.embedded_with IS NOT NULL"""

# The revision is compared so that a note that changed since its text was read is done anew.
_MARK_MOVED = """
INSERT INTO moved_chunks (chunk_key, model, is_refused)
SELECT c.chunk_key, ?1, CAST(?3 AS INTEGER)
FROM json_each(?2) AS j
JOIN chunks c ON c.chunk_id = j.value ->> 'id'
JOIN notes n ON n.note_key = c.note_key AND n.note_id = j.value ->> 'note'
WHERE n.revision = j.value ->> 'revision'
ON CONFLICT (chunk_key, model) DO UPDATE SET is_refused = excluded.is_refused"""

_END_FOLLOWING = "DROP TRIGGER IF EXISTS chunk_embedded_anew"

_ADOPT = f"""
UPDATE chunks SET embedded_with = (
  SELECT CASE m.is_refused WHEN 0 THEN m.model ELSE '{REFUSED}' END
  FROM moved_chunks m WHERE m.chunk_key = chunks.chunk_key AND m.model = ?1)
WHERE embedded_with IS NOT NULL"""

_FORGET_CHUNKS = """
UPDATE chunks SET embedded_with = NULL
WHERE chunk_id IN (SELECT value FROM json_each(?1)) AND embedded_with <> ?2"""


def begin_moving() -> list[Statement]:
    """Makes the table and what keeps it true; harmless where they are there."""
    return [Statement(sql) for sql in _BEGIN]


def unmoved_chunks(model: str, *, after: int, limit: int) -> Statement:
    """The next chunks without a vector of `model`, as `to_pending_chunk` reads them.

    In the order of their `chunk_key`, those above `after`, each with its `user_id`; of those alone
    that the present model has embedded.
    """
    return Statement(_UNMOVED, (model, after, limit))


def measure_unmoved(model: str) -> Statement:
    """One row: how many chunks are `embedded`, how many of them `unmoved`, and how many
    `characters` these have."""
    return Statement(_MEASURE_UNMOVED, (model,))


def mark_moved(model: str, chunks: Sequence[PendingChunk], *, is_refused: bool) -> Statement:
    """Records that chunks have a vector of `model`, or were refused by it, as they were read."""
    records = [
        {"id": chunk.chunk_id, "note": chunk.note_id, "revision": chunk.revision}
        for chunk in chunks
    ]
    return Statement(_MARK_MOVED, (model, json.dumps(records), int(is_refused)))


def adopt_moved(model: str) -> list[Statement]:
    """Makes `model` the one that embedded the moved chunks; all others become pending."""
    return [Statement(_END_FOLLOWING), Statement(_ADOPT, (model,))]


def end_moving() -> list[Statement]:
    """Takes the table away; harmless where there is none."""
    return [Statement(_END_FOLLOWING), Statement("DROP TABLE IF EXISTS moved_chunks")]


def forget_chunks(chunk_ids: Sequence[str], model: str) -> Statement:
    """Makes those of the chunks pending whose vector is of another model."""
    return Statement(_FORGET_CHUNKS, (json.dumps(list(chunk_ids)), model))

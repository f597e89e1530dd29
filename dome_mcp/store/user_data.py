"""Everything that a user has, table by table: counting it, and deleting it in pieces.

Each statement deletes so many rows at most, and may be repeated; what has to go first goes first.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.notes import to_int

NOBODY_ANY_MORE = "(deleted)"
"""Whose an audit entry is when its user was deleted; no user's id can be this."""

_KEYS = {
    # Nothing may fire any more before what has fired goes.
    "reminders": "reminder_id",
    "deliveries": "delivery_key",
    "idempotency": "idempotency_key",
    "jobs": "job_id",
    "exchanges": "exchange_id",
    "channels": "name",
    "task_tags": "name, task_key",
    "tasks": "task_id",
    "note_tags": "name, note_key",
    "notes": "note_id",
}
"""The tables that are emptied by nothing but a DELETE, in this order, and what tells their rows."""

# A writer who is still at work may have put something under a row, which then waits for its turn.
_HELD_BY = {
    "tasks": "SELECT 1 FROM task_tags h WHERE h.task_key = held.task_key",
    "notes": """
    SELECT 1 FROM chunks h WHERE h.note_key = held.note_key
    UNION ALL SELECT 1 FROM note_tags h WHERE h.note_key = held.note_key""",
}

PLAIN_TABLES = tuple(_KEYS)
COUNTED_TABLES = (*PLAIN_TABLES, "chunks", "firings", "uploads", "tokens", "audit")
"""Every table of these migrations in which a user may have rows, but for `users` itself."""

_MARK = """
INSERT INTO users (user_id, created_at_ms, deleting_at_ms) VALUES (?1, ?2, ?2)
ON CONFLICT (user_id) DO UPDATE SET
  deleting_at_ms = coalesce(users.deleting_at_ms, excluded.deleting_at_ms)"""

_DELETE_TOKENS = "DELETE FROM tokens WHERE user_id = ?1"

_DELETE = """
DELETE FROM {table} WHERE user_id = ?1 AND ({key}) IN (
  SELECT {key} FROM {table} AS held
  WHERE user_id = ?1{unless_held} LIMIT CAST(?2 AS INTEGER))
RETURNING 1 AS deleted"""

_CHUNKS = """
SELECT chunk_id, chunk_key FROM chunks WHERE user_id = ?1 AND chunk_key > CAST(?3 AS INTEGER)
ORDER BY chunk_key LIMIT CAST(?2 AS INTEGER)"""

_FIRINGS = """
SELECT reminder_id, due_at_ms FROM firings WHERE user_id = ?1
ORDER BY reminder_id, due_at_ms LIMIT CAST(?2 AS INTEGER)"""

_DELETE_FIRINGS = """
DELETE FROM firings WHERE user_id = ?1 AND (reminder_id, due_at_ms) IN (
  SELECT j.value ->> 0, j.value ->> 1 FROM json_each(?2) AS j)"""

_DELETE_LINKS = """
DELETE FROM used_links WHERE link_id IN (SELECT value FROM json_each(?1))"""

_UPLOADS = """
SELECT upload_id FROM uploads WHERE user_id = ?1
ORDER BY upload_id LIMIT CAST(?2 AS INTEGER)"""

_DELETE_UPLOADS = """
DELETE FROM uploads
WHERE user_id = ?1 AND upload_id IN (SELECT value FROM json_each(?2))"""

_DELETE_LEASE = "DELETE FROM leases WHERE name = 'index:' || ?1"

# That something was done stays, because the log is there to tell what happened to the whole
# system; who did it to what, with which token and from where goes, because that is about a person.
_ANONYMISE = """
UPDATE audit SET user_id = ?3, credential = '', source = '', target = ''
WHERE user_id = ?1 AND audit_key IN (
  SELECT audit_key FROM audit WHERE user_id = ?1 LIMIT CAST(?2 AS INTEGER))
RETURNING 1 AS changed"""

_EACH_COUNT = ",\n  ".join(
    f"(SELECT count(*) FROM {table} WHERE user_id = ?1) AS {table}" for table in COUNTED_TABLES
)
_COUNTS = f"SELECT {_EACH_COUNT}"

# What is there and what goes are looked at together, so that no row is left without its user.
_NOTHING_LEFT = "\n  AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table} WHERE user_id = ?1)" for table in COUNTED_TABLES
)
_DELETE_USER = f"""
DELETE FROM users WHERE user_id = ?1 AND deleting_at_ms IS NOT NULL
  AND {_NOTHING_LEFT}
RETURNING user_id"""

_CLEAN_WORDS = "INSERT INTO chunks_fts (chunks_fts) VALUES ('optimize')"


def begin_deletion(user_id: str, *, now: datetime) -> list[Statement]:
    """Marks the user as one who is being deleted, and takes all tokens away."""
    return [Statement(_MARK, (user_id, to_ms(now))), Statement(_DELETE_TOKENS, (user_id,))]


def delete_rows(table: str, user_id: str, *, limit: int) -> Statement:
    """Deletes some of the user's rows of one of PLAIN_TABLES; a row for each."""
    held = _HELD_BY.get(table)
    unless_held = f" AND NOT EXISTS ({held})" if held else ""
    sql = _DELETE.format(table=table, key=_KEYS[table], unless_held=unless_held)
    return Statement(sql, (user_id, limit))


def some_chunks(user_id: str, *, after: int, limit: int) -> Statement:
    """The `chunk_id` and `chunk_key` of some of the user's chunks, those after a key.

    No index has them, so that each page were a longer search from the start.
    """
    return Statement(_CHUNKS, (user_id, limit, after))


def some_firings(user_id: str, *, limit: int) -> Statement:
    """The `reminder_id` and `due_at_ms` of some of the user's firings."""
    return Statement(_FIRINGS, (user_id, limit))


def delete_firings(
    user_id: str, firings: Sequence[tuple[str, int]], *, link_ids: Sequence[str]
) -> list[Statement]:
    """Deletes firings, by reminder and due time, and the marks that their links were used."""
    return [
        Statement(_DELETE_FIRINGS, (user_id, json.dumps(firings))),
        Statement(_DELETE_LINKS, (json.dumps(link_ids),)),
    ]


def some_uploads(user_id: str, *, limit: int) -> Statement:
    """The ids of some of the user's uploads."""
    return Statement(_UPLOADS, (user_id, limit))


def delete_uploads(user_id: str, upload_ids: Sequence[str]) -> Statement:
    return Statement(_DELETE_UPLOADS, (user_id, json.dumps(upload_ids)))


def delete_lease(user_id: str) -> Statement:
    """Ends the lease by which the user's vectors are made."""
    return Statement(_DELETE_LEASE, (user_id,))


def anonymise_entries(user_id: str, *, limit: int) -> Statement:
    """Makes some of the user's audit entries nobody's; a row for each."""
    return Statement(_ANONYMISE, (user_id, limit, NOBODY_ANY_MORE))


def clean_words() -> Statement:
    """Has the full-text index forget for good what was deleted from it."""
    return Statement(_CLEAN_WORDS)


def row_counts(user_id: str) -> Statement:
    """One row: how many rows the user has, by table."""
    return Statement(_COUNTS, (user_id,))


def end_deletion(user_id: str) -> Statement:
    """Deletes the user, where nothing of them is left; then there is a row."""
    return Statement(_DELETE_USER, (user_id,))


def to_row_counts(row: Row) -> dict[str, int]:
    return {table: to_int(row[table]) for table in COUNTED_TABLES}

"""Requests that may be repeated: under which key, what was asked, and what was answered."""

from datetime import datetime

from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.housekeeping import AT_ONCE

_CLAIM = """
INSERT INTO idempotency (user_id, idempotency_key, fingerprint, started_at_ms)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (user_id, idempotency_key) DO NOTHING"""

_FIND = """
SELECT fingerprint, started_at_ms, status, headers, body FROM idempotency
WHERE user_id = ?1 AND idempotency_key = ?2"""

# The first answer stays: a repetition that ran beside it may word the same outcome differently.
_ANSWER = """
UPDATE idempotency SET status = ?4, headers = ?5, body = ?6
WHERE user_id = ?1 AND idempotency_key = ?2 AND started_at_ms = CAST(?3 AS INTEGER)
  AND status IS NULL"""

# The repetition still finds out which note it was; what was answered from the note is asked anew.
_FORGET_NOTE = """
UPDATE idempotency SET
  status = iif(body ->> '$.note_id' = ?2, status, NULL),
  headers = iif(body ->> '$.note_id' = ?2, headers, NULL),
  body = iif(body ->> '$.note_id' = ?2, json_object('note_id', ?2), NULL)
WHERE user_id = ?1 AND CASE WHEN json_valid(body) THEN body ->> '$.note_id' = ?2 OR EXISTS (
  SELECT 1 FROM json_each(body, '$.passages') p WHERE p.value ->> '$.note_id' = ?2) END"""

_FORGET = f"""
DELETE FROM idempotency WHERE (user_id, idempotency_key) IN (
  SELECT user_id, idempotency_key FROM idempotency WHERE started_at_ms < CAST(?1 AS INTEGER)
  ORDER BY started_at_ms LIMIT {AT_ONCE})"""


def claim_key(user_id: str, key: str, *, fingerprint: str, now: datetime) -> Statement:
    """Writes down a request that begins now, unless one with this key has begun before."""
    return Statement(_CLAIM, (user_id, key, fingerprint, to_ms(now)))


def request_under(user_id: str, key: str) -> Statement:
    """One row when a request with this key has begun; its status is NULL until it is answered."""
    return Statement(_FIND, (user_id, key))


def record_answer(
    user_id: str, key: str, *, started_at: datetime, status: int, headers: str, body: str
) -> Statement:
    """Writes down the answer to the request that began then, unless it has one."""
    return Statement(_ANSWER, (user_id, key, to_ms(started_at), status, headers, body))


def forget_note_in_answers(note_id: str, user_id: str) -> Statement:
    """Leaves the id alone of answers that told about a note, and nothing of those made of it."""
    return Statement(_FORGET_NOTE, (user_id, note_id))


def forget_requests_before(instant: datetime) -> Statement:
    """Drops what began longer ago, at most `AT_ONCE` of it."""
    return Statement(_FORGET, (to_ms(instant),))

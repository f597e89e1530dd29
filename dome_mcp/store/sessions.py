"""What was asked and answered, by session; see core/sessions.py."""

import json
from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.sessions import Exchange, Session
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.housekeeping import AT_ONCE
from dome_mcp.store.notes import to_int
from dome_mcp.store.schedules import to_texts

_COLUMNS = "exchange_id, session_id, question, answer, note_ids, asked_at_ms"

_INSERT = f"""
INSERT INTO exchanges (user_id, {_COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, CAST(?7 AS INTEGER)) ON CONFLICT DO NOTHING"""

_LAST = f"""
SELECT {_COLUMNS} FROM exchanges
WHERE user_id = ?1 AND session_id = ?2 AND asked_at_ms >= CAST(?3 AS INTEGER)
ORDER BY asked_at_ms DESC, exchange_id DESC LIMIT CAST(?4 AS INTEGER)"""

# SQLite takes a bare column from the row that has the min().
_SESSIONS = """
SELECT session_id, question, count(*) AS exchanges,
  min(asked_at_ms) AS began_at_ms, (
    SELECT max(l.asked_at_ms) FROM exchanges l
    WHERE l.user_id = e.user_id AND l.session_id = e.session_id
  ) AS last_at_ms
FROM exchanges e WHERE user_id = ?1 AND asked_at_ms >= CAST(?2 AS INTEGER)
GROUP BY session_id ORDER BY last_at_ms DESC, session_id LIMIT CAST(?3 AS INTEGER)"""

_PAGE = f"""
SELECT {_COLUMNS} FROM exchanges WHERE user_id = ?1 AND exchange_id > ?2
ORDER BY exchange_id LIMIT CAST(?3 AS INTEGER)"""

_CITED = """
SELECT DISTINCT j.value AS note_id FROM exchanges e, json_each(e.note_ids) j
WHERE e.user_id = ?1"""

_PRESENT = """
SELECT note_id FROM notes
WHERE user_id = ?1 AND deleted_at_ms IS NULL
  AND note_id IN (SELECT value FROM json_each(?2))"""

_FORGET_CITING = """
DELETE FROM exchanges WHERE user_id = ?1 AND EXISTS (
  SELECT 1 FROM json_each(exchanges.note_ids) j
  WHERE j.value IN (SELECT value FROM json_each(?2)))"""

_ANY = "SELECT 1 AS found FROM exchanges WHERE user_id = ?1 LIMIT 1"

_DELETE = "DELETE FROM exchanges WHERE user_id = ?1 AND session_id = ?2 RETURNING 1 AS deleted"

_FORGET = f"""
DELETE FROM exchanges WHERE exchange_id IN (
  SELECT exchange_id FROM exchanges WHERE asked_at_ms < CAST(?1 AS INTEGER)
  ORDER BY asked_at_ms LIMIT {AT_ONCE})"""


def insert_exchange(exchange: Exchange, user_id: str) -> Statement:
    """Stores an exchange; does nothing where it is stored."""
    row = (
        exchange.exchange_id, exchange.session_id, exchange.question, exchange.answer,
        json.dumps(exchange.note_ids), to_ms(exchange.asked_at),
    )  # fmt: skip
    return Statement(_INSERT, (user_id, *row))


def last_exchanges(session_id: str, user_id: str, *, since: datetime, limit: int) -> Statement:
    """The last exchanges of a session, the last one first."""
    return Statement(_LAST, (user_id, session_id, to_ms(since), limit))


def sessions(user_id: str, *, since: datetime, limit: int) -> Statement:
    """The user's sessions, the last one used first, for `to_session`."""
    return Statement(_SESSIONS, (user_id, to_ms(since), limit))


def exchanges_by_id(user_id: str, *, limit: int, after: str = "") -> Statement:
    """A page of all that the user asked, in the order of ids, which is that of time."""
    return Statement(_PAGE, (user_id, after, limit))


def delete_session(session_id: str, user_id: str) -> Statement:
    """Deletes a session's exchanges; a row for each."""
    return Statement(_DELETE, (user_id, session_id))


def forget_before(before: datetime) -> Statement:
    """Deletes what was asked earlier, by anybody, at most `AT_ONCE` of it."""
    return Statement(_FORGET, (to_ms(before),))


def cited_notes(user_id: str) -> Statement:
    """The ids of the notes that the user's answers cite, a row for each."""
    return Statement(_CITED, (user_id,))


def present_notes(note_ids: Sequence[str], user_id: str) -> Statement:
    """Which of the notes the user has, a row for each."""
    return Statement(_PRESENT, (user_id, json.dumps(note_ids)))


def forget_citing(note_ids: Sequence[str], user_id: str) -> Statement:
    """Deletes what cites one of the notes."""
    return Statement(_FORGET_CITING, (user_id, json.dumps(note_ids)))


def any_exchange(user_id: str) -> Statement:
    """A row where the user has asked anything that is kept."""
    return Statement(_ANY, (user_id,))


def to_exchange(row: Row) -> Exchange:
    return Exchange(
        exchange_id=str(row["exchange_id"]),
        session_id=str(row["session_id"]),
        question=str(row["question"]),
        answer=str(row["answer"]),
        note_ids=to_texts(row["note_ids"]),
        asked_at=from_ms(to_int(row["asked_at_ms"])),
    )


def to_session(row: Row) -> Session:
    return Session(
        session_id=str(row["session_id"]),
        question=str(row["question"]),
        exchanges=to_int(row["exchanges"]),
        began_at=from_ms(to_int(row["began_at_ms"])),
        last_at=from_ms(to_int(row["last_at_ms"])),
    )

"""The audit log: the statements, and the way between rows and entries."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from dome_mcp.core.audit import AuditEntry, Outcome
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.housekeeping import AT_ONCE
from dome_mcp.store.notes import to_int

_COLUMNS = """
  a.audit_key, a.at_ms, a.user_id, a.credential, a.source, a.action, a.target, a.outcome, a.times"""

_INSERT = """
INSERT INTO audit (at_ms, user_id, credential, source, action, target, outcome, times)
SELECT j.value ->> 'at', j.value ->> 'user', j.value ->> 'credential', j.value ->> 'source',
  j.value ->> 'action', j.value ->> 'target', j.value ->> 'outcome', j.value ->> 'times'
FROM json_each(?1) AS j ORDER BY j.key"""

_ALL = f"""
SELECT {_COLUMNS} FROM audit a
WHERE a.audit_key < CAST(?1 AS INTEGER)
ORDER BY a.audit_key DESC LIMIT CAST(?2 AS INTEGER)"""

_OF_USER = f"""
SELECT {_COLUMNS} FROM audit a
WHERE a.user_id = ?3 AND a.audit_key < CAST(?1 AS INTEGER)
ORDER BY a.audit_key DESC LIMIT CAST(?2 AS INTEGER)"""

_FORGET = f"""
DELETE FROM audit WHERE audit_key IN (
  SELECT audit_key FROM audit WHERE at_ms < CAST(?1 AS INTEGER)
  ORDER BY at_ms LIMIT {AT_ONCE})"""

_AFTER_ALL = 9007199254740991


def insert_entries(entries: Sequence[AuditEntry]) -> Statement:
    """Writes the entries in their order; a second run writes them once more."""
    records = [
        {
            "at": to_ms(entry.at),
            "user": entry.user_id,
            "credential": entry.credential,
            "source": entry.source,
            "action": entry.action,
            "target": entry.target,
            "outcome": entry.outcome,
            "times": entry.times,
        }
        for entry in entries
    ]
    return Statement(_INSERT, (json.dumps(records),))


def all_entries(*, before: int | None, limit: int) -> Statement:
    """The entries of all users, and of nobody, the last written first."""
    return Statement(_ALL, (_AFTER_ALL if before is None else before, limit))


def entries_of(user_id: str, *, before: int | None, limit: int) -> Statement:
    """The user's entries, the last written first."""
    return Statement(_OF_USER, (_AFTER_ALL if before is None else before, limit, user_id))


def forget_entries_before(instant: datetime) -> Statement:
    """Drops what is older, at most `AT_ONCE` of it."""
    return Statement(_FORGET, (to_ms(instant),))


def to_entry(row: Row) -> AuditEntry:
    return AuditEntry(
        at=from_ms(to_int(row["at_ms"])),
        user_id=str(row["user_id"]),
        credential=str(row["credential"]),
        source=str(row["source"]),
        action=str(row["action"]),
        target=str(row["target"]),
        outcome=cast("Outcome", str(row["outcome"])),
        times=to_int(row["times"]),
    )

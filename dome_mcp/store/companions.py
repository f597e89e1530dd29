"""Heartbeats: the rows by which companions show that they are alive."""

from datetime import datetime

from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms

_BEAT = """
INSERT INTO heartbeats (name, at_ms, details) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms, details = excluded.details"""

_LATEST = "SELECT name, at_ms, details FROM heartbeats ORDER BY at_ms DESC, name LIMIT 20"
_FORGET = "DELETE FROM heartbeats WHERE name = ?1"
_FORGET_OLDER = "DELETE FROM heartbeats WHERE at_ms < CAST(?1 AS INTEGER)"


def beat(name: str, *, now: datetime, details: str) -> Statement:
    """Says that `name` is alive now; `details` is a JSON object."""
    return Statement(_BEAT, (name, to_ms(now), details))


def latest_beats() -> Statement:
    """The newest beats of up to twenty companions, newest first."""
    return Statement(_LATEST)


def forget_beat(name: str) -> Statement:
    """Takes back the beat of one that ends in good order."""
    return Statement(_FORGET, (name,))


def forget_beats_before(instant: datetime) -> Statement:
    return Statement(_FORGET_OLDER, (to_ms(instant),))

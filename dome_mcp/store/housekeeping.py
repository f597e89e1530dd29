"""When the house was kept last, by whoever came first, and what no other module's rows are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import to_int

AT_ONCE = 5_000
"""So many rows a statement forgets at most: D1 asks money for each, and others wait meanwhile."""

_FACT = "housekeeping"

# A time far ahead was written by a clock that was wrong, and would put off everything until then.
_CLAIM = """
INSERT INTO meta (name, value) VALUES (?1, json_object('at_ms', CAST(?2 AS INTEGER)))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE meta.value ->> '$.at_ms' <= CAST(?3 AS INTEGER)
  OR meta.value ->> '$.at_ms' > CAST(?4 AS INTEGER)
RETURNING name"""

_NOTE_FAILURES = """
UPDATE meta SET value = json_set(value, '$.failures', json(?3))
WHERE name = ?1 AND value ->> '$.at_ms' = CAST(?2 AS INTEGER)"""

_LAST = "SELECT value FROM meta WHERE name = ?1"

_OLD_DIGESTS = """
DELETE FROM {table} WHERE due_at_ms < CAST(?1 AS INTEGER) AND {is_over} AND reminder_id IN (
  SELECT reminder_id FROM reminders WHERE kind = 'digest')"""
_FORGET_DELIVERIES = _OLD_DIGESTS.format(
    table="deliveries", is_over="state IN ('DELIVERED', 'FAILED')"
)
# What is still on its way is made of its firing.
_FORGET_FIRINGS = _OLD_DIGESTS.format(
    table="firings",
    is_over="""NOT EXISTS (
    SELECT 1 FROM deliveries d
    WHERE d.reminder_id = firings.reminder_id AND d.due_at_ms = firings.due_at_ms)""",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """When the house was kept, and what of it failed."""

    at: datetime
    failures: tuple[str, ...] = ()


def claim_housekeeping(now: datetime, *, pause: timedelta) -> Statement:
    """Takes the house to keep, a row where it was not kept within `pause`; one caller has it."""
    return Statement(_CLAIM, (_FACT, to_ms(now), to_ms(now - pause), to_ms(now + pause)))


def note_failures(at: datetime, failures: Sequence[str]) -> Statement:
    """Says what failed of the run that began then."""
    return Statement(_NOTE_FAILURES, (_FACT, to_ms(at), json.dumps(failures)))


def last_housekeeping() -> Statement:
    """A row for `to_kept`, none where the house was never kept."""
    return Statement(_LAST, (_FACT,))


def forget_digests_before(instant: datetime) -> list[Statement]:
    """Drops how the digests fared that were due earlier; what a day has of them are a few rows."""
    params = (to_ms(instant),)
    return [Statement(_FORGET_DELIVERIES, params), Statement(_FORGET_FIRINGS, params)]


def to_kept(row: Row) -> Kept:
    content = json.loads(str(row["value"]))
    return Kept(from_ms(to_int(content["at_ms"])), tuple(content.get("failures", ())))

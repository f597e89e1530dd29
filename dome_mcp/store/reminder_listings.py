"""Reminders as they are listed, and the last firings and deliveries of each."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.firings import DELIVERY_COLUMNS, FIRING_COLUMNS
from dome_mcp.store.notes import to_int
from dome_mcp.store.reminders import REMINDER_COLUMNS

ReminderListing = Literal["upcoming", "fired", "failed", "missed", "all"]

Position = tuple[int, str]
"""Where a listing stands: what it is ordered by, and the reminder's id."""

_NEVER = 9007199254740991
_LAST_FIRED = """
(SELECT max(f.fired_at_ms) FROM firings f WHERE f.reminder_id = r.reminder_id)"""
_LAST_FAILED = """
(SELECT max(d.settled_at_ms) FROM deliveries d
 WHERE d.reminder_id = r.reminder_id AND d.state = 'FAILED')"""

# Overdue by more than a minute, nothing fires it; or it fired for more than its own occurrence.
_IS_MISSED = """
(r.due_at_ms < CAST(?6 AS INTEGER) - 60000 OR r.missed > 0 OR EXISTS (
  SELECT 1 FROM firings f WHERE f.reminder_id = r.reminder_id AND f.missed > 0))"""

_LISTINGS: Mapping[ReminderListing, tuple[str, str]] = MappingProxyType(
    {
        "upcoming": ("r.state = 'active' AND r.due_at_ms IS NOT NULL", "r.due_at_ms"),
        "fired": (f"{_LAST_FIRED} IS NOT NULL", f"-{_LAST_FIRED}"),
        "failed": (f"{_LAST_FAILED} IS NOT NULL", f"-{_LAST_FAILED}"),
        "missed": (_IS_MISSED, "-r.updated_at_ms"),
        "all": ("true", f"coalesce(r.due_at_ms, {_NEVER})"),
    }
)
"""For each listing, which reminders it has and what it is ordered by."""

_PAGE = f"""
SELECT * FROM (
  SELECT {REMINDER_COLUMNS}, {{order}} AS position FROM reminders r
  WHERE r.user_id = ?1 AND (?2 IS NULL OR r.task_id = ?2) AND ?6 IS NOT NULL AND {{condition}})
WHERE ?3 IS NULL OR (position, reminder_id) > (CAST(?3 AS INTEGER), ?4)
ORDER BY position, reminder_id
LIMIT CAST(?5 AS INTEGER)"""

_LAST_FIRINGS = f"""
SELECT * FROM (
  SELECT {FIRING_COLUMNS}, row_number() OVER (
    PARTITION BY f.reminder_id ORDER BY f.due_at_ms DESC) AS nth
  FROM firings f
  WHERE f.user_id = ?2 AND f.reminder_id IN (SELECT value FROM json_each(?1)))
WHERE nth <= CAST(?3 AS INTEGER)
ORDER BY reminder_id, nth"""

_LAST_DELIVERIES = f"""
SELECT * FROM (
  SELECT {DELIVERY_COLUMNS}, dense_rank() OVER (
    PARTITION BY d.reminder_id ORDER BY d.due_at_ms DESC) AS nth
  FROM deliveries d
  WHERE d.user_id = ?2 AND d.reminder_id IN (SELECT value FROM json_each(?1)))
WHERE nth <= CAST(?3 AS INTEGER)
ORDER BY reminder_id, nth, channel"""

_FAILED_OF_OPEN = f"""
SELECT {DELIVERY_COLUMNS}
FROM deliveries d JOIN firings f ON f.reminder_id = d.reminder_id AND f.due_at_ms = d.due_at_ms
WHERE f.user_id = ?1 AND f.acknowledged_at_ms IS NULL AND d.state = 'FAILED'
ORDER BY d.settled_at_ms DESC, d.delivery_key
LIMIT 1000"""

_COUNTS = """
SELECT
  (SELECT count(*) FROM reminders
   WHERE user_id = ?1 AND state = 'active' AND due_at_ms IS NOT NULL) AS upcoming,
  (SELECT count(*) FROM firings WHERE user_id = ?1 AND acknowledged_at_ms IS NULL) AS open,
  (SELECT count(*) FROM deliveries WHERE user_id = ?1 AND state = 'FAILED') AS failed,
  (SELECT count(*) FROM channels WHERE user_id = ?1) AS channels"""


def reminders_page(
    user_id: str,
    listing: ReminderListing,
    *,
    task_id: str | None,
    after: Position | None,
    limit: int,
    now: datetime,
) -> Statement:
    """What is to come: the soonest first; what has been: the latest. Rows have a `position`."""
    condition, order = _LISTINGS[listing]
    row = (user_id, task_id, *(after or (None, None)), limit, to_ms(now))
    return Statement(_PAGE.format(condition=condition, order=order), row)


def last_firings(reminder_ids: Sequence[str], user_id: str, *, each: int) -> Statement:
    """Up to `each` firings of each of these reminders, the latest first."""
    return Statement(_LAST_FIRINGS, (json.dumps(reminder_ids), user_id, each))


def last_deliveries(reminder_ids: Sequence[str], user_id: str, *, each: int) -> Statement:
    """The deliveries of the last `each` firings of each of these reminders, the latest first."""
    return Statement(_LAST_DELIVERIES, (json.dumps(reminder_ids), user_id, each))


def failed_of_open(user_id: str) -> Statement:
    """The deliveries that were given up, of firings that nobody acknowledged; latest first."""
    return Statement(_FAILED_OF_OPEN, (user_id,))


def reminder_counts(user_id: str) -> Statement:
    """One row: reminders upcoming, firings open, deliveries failed, and channels."""
    return Statement(_COUNTS, (user_id,))


def to_position(row: Row) -> Position:
    """Where a listing stands after this row of it."""
    return to_int(row["position"]), str(row["reminder_id"])

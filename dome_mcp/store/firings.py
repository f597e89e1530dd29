"""Firings and their deliveries as a user sees them: the inbox, what failed, acknowledging."""

from datetime import datetime
from typing import cast

from dome_mcp.core.agenda import Delivery, DeliveryState, Firing
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import optional, to_int
from dome_mcp.store.reminders import REMINDER_COLUMNS
from dome_mcp.store.schedules import to_instant

# The firing's own names, where a reminder in the same row has a column of that name.
FIRING_COLUMNS = """
  f.reminder_id, f.user_id, f.due_at_ms AS fired_due_at_ms, f.occurrence_at_ms, f.fired_at_ms,
  f.missed AS fired_missed, f.acknowledged_at_ms"""

DELIVERY_COLUMNS = """
  d.delivery_key, d.reminder_id, d.user_id, d.due_at_ms, d.channel, d.state, d.attempt, d.refusals,
  d.not_before_ms, d.lease_until_ms, d.last_error, d.receipt"""

_OPEN = f"""
SELECT {REMINDER_COLUMNS}, {FIRING_COLUMNS}
FROM firings f JOIN reminders r ON r.reminder_id = f.reminder_id
WHERE f.user_id = ?1 AND f.acknowledged_at_ms IS NULL
ORDER BY f.fired_at_ms DESC, f.reminder_id DESC, f.due_at_ms DESC
LIMIT CAST(?2 AS INTEGER)"""

_AT = f"""
SELECT {FIRING_COLUMNS} FROM firings f
WHERE f.reminder_id = ?1 AND f.user_id = ?2 AND f.due_at_ms = CAST(?3 AS INTEGER)"""

_ACKNOWLEDGE = """
UPDATE firings SET acknowledged_at_ms = CAST(?3 AS INTEGER)
WHERE reminder_id = ?1 AND user_id = ?2 AND acknowledged_at_ms IS NULL
  AND (?4 IS NULL OR due_at_ms = CAST(?4 AS INTEGER))
RETURNING due_at_ms"""

# One that is being sent is let go; should the channel refuse it, `begin` removes it.
_WITHDRAW = """
DELETE FROM deliveries
WHERE reminder_id = ?1 AND user_id = ?2 AND state = 'PENDING'
  AND (?3 IS NULL OR due_at_ms = CAST(?3 AS INTEGER))"""


def open_firings(user_id: str, *, limit: int) -> Statement:
    """The inbox: what fired and nobody acknowledged, newest first, each with its reminder.

    A row is read with both `to_firing` and `to_reminder`.
    """
    return Statement(_OPEN, (user_id, limit))


def firing_at(reminder_id: str, user_id: str, *, due_at_ms: int) -> Statement:
    """The firing of a reminder at this due time."""
    return Statement(_AT, (reminder_id, user_id, due_at_ms))


def acknowledge(
    reminder_id: str, user_id: str, *, now: datetime, due_at: datetime | None = None
) -> list[Statement]:
    """Closes the reminder's open firings, or the one of `due_at`, and withdraws what waits of them.

    The first statement has a row for each firing that it closed.
    """
    due_at_ms = None if due_at is None else to_ms(due_at)
    return [
        Statement(_ACKNOWLEDGE, (reminder_id, user_id, to_ms(now), due_at_ms)),
        Statement(_WITHDRAW, (reminder_id, user_id, due_at_ms)),
    ]


def to_firing(row: Row) -> Firing:
    """The firing of a row read with `FIRING_COLUMNS`."""
    return Firing(
        reminder_id=str(row["reminder_id"]),
        user_id=str(row["user_id"]),
        due_at=from_ms(to_int(row["fired_due_at_ms"])),
        occurrence_at=from_ms(to_int(row["occurrence_at_ms"])),
        fired_at=from_ms(to_int(row["fired_at_ms"])),
        missed=to_int(row["fired_missed"]),
        acknowledged_at=to_instant(row["acknowledged_at_ms"]),
    )


def to_delivery(row: Row) -> Delivery:
    """The delivery of a row read with `DELIVERY_COLUMNS`."""
    return Delivery(
        delivery_key=str(row["delivery_key"]),
        reminder_id=str(row["reminder_id"]),
        user_id=str(row["user_id"]),
        due_at=from_ms(to_int(row["due_at_ms"])),
        channel=str(row["channel"]),
        state=cast("DeliveryState", str(row["state"])),
        attempt=to_int(row["attempt"]),
        not_before=from_ms(to_int(row["not_before_ms"])),
        lease_until=to_instant(row["lease_until_ms"]),
        last_error=optional(row["last_error"]),
        receipt=optional(row["receipt"]),
        refusals=to_int(row["refusals"]),
    )

"""Digests: set and ended by their channel, and what of a day they tell."""

import json
from datetime import datetime

from dome_mcp.core.agenda import Delivery, Reminder
from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.reminders import REMINDER_COLUMNS, insert_reminder
from dome_mcp.store.schedules import schedule_columns, to_optional_ms

# Together with the insert, which leaves a digest as it is that is there already.
_SET = """
UPDATE reminders SET
  zone = ?3, start_local = ?4, rule = ?5, exdates = ?6, anchor = ?7, channels = ?8,
  state = 'active', due_at_ms = CAST(?9 AS INTEGER), next_at_ms = CAST(?9 AS INTEGER),
  snooze_at_ms = NULL, snooze_of_ms = NULL, updated_at_ms = CAST(?10 AS INTEGER),
  revision = revision + 1
WHERE reminder_id = ?1 AND user_id = ?2"""

_END = """
UPDATE reminders SET
  state = 'cancelled', due_at_ms = NULL, next_at_ms = NULL, snooze_at_ms = NULL,
  snooze_of_ms = NULL, updated_at_ms = CAST(?3 AS INTEGER), revision = revision + 1
WHERE reminder_id = ?1 AND user_id = ?2 AND state <> 'cancelled'"""

_OF_USER = f"""
SELECT {REMINDER_COLUMNS} FROM reminders r
WHERE r.user_id = ?1 AND r.kind = 'digest' AND r.state = 'active' ORDER BY r.reminder_id"""

_COMING = f"""
SELECT {REMINDER_COLUMNS} FROM reminders r
WHERE r.user_id = ?1 AND r.state = 'active' AND r.kind <> 'digest'
  AND r.due_at_ms >= CAST(?2 AS INTEGER) AND r.due_at_ms < CAST(?3 AS INTEGER)
ORDER BY r.due_at_ms, r.reminder_id LIMIT CAST(?4 AS INTEGER)"""

_WITHDRAW = """
DELETE FROM deliveries
WHERE delivery_key = ?1 AND user_id = ?2 AND attempt = CAST(?3 AS INTEGER) AND state = 'SENDING'"""


def set_digest(digest: Reminder) -> list[Statement]:
    """Writes a digest as it was drafted, in place of the one that has its id."""
    row = (
        digest.reminder_id, digest.user_id, *schedule_columns(digest.schedule),
        json.dumps(digest.channels), to_optional_ms(digest.due_at), to_ms(digest.updated_at),
    )  # fmt: skip
    return [insert_reminder(digest), Statement(_SET, row)]


def end_digest(digest_id: str, user_id: str, *, now: datetime) -> Statement:
    """Cancels a digest; does nothing where there is none."""
    return Statement(_END, (digest_id, user_id, to_ms(now)))


def digests_of(user_id: str) -> Statement:
    """The user's digests that are on."""
    return Statement(_OF_USER, (user_id,))


def coming_reminders(user_id: str, after: datetime, until: datetime, *, limit: int) -> Statement:
    """The user's reminders that are due in a stretch of time, the first one first; no digests."""
    return Statement(_COMING, (user_id, to_ms(after), to_ms(until), limit))


def withdraw(delivery: Delivery) -> Statement:
    """Drops a delivery that its holder has begun and that there is nothing to send for."""
    return Statement(_WITHDRAW, (delivery.delivery_key, delivery.user_id, delivery.attempt))

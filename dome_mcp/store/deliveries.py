"""The reminder engine's statements: due, record, claim, begin, settle.

What keeps them safe to repeat, and safe beside others:

- `record` writes firings, deliveries and the reminder's next time together, and each only where
  the reminder is still as it was read. Who comes second with one reminder writes nothing of it
  and does not disturb the other reminders of the batch.
- `claim` raises `attempt`, which fences: `begin` and `settle` act for the present claim alone.
- `lease_until_ms` is set while somebody holds a delivery, claimed or sending. So a message that
  comes twice, or comes late, finds nothing to begin.
- The rows say when something is to be tried again, never the queue.

The states follow `TRANSITIONS` of core/reminders.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.agenda import Channel, Delivery, Firing, Reminder
from dome_mcp.core.notices import quoted
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.reminders import Plan, Settlement, delivery_key
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.channels import CHANNEL_COLUMNS, to_channel
from dome_mcp.store.firings import DELIVERY_COLUMNS, FIRING_COLUMNS, to_delivery, to_firing
from dome_mcp.store.notes import to_int
from dome_mcp.store.reminders import REMINDER_COLUMNS, to_reminder
from dome_mcp.store.schedules import to_instant, to_optional_ms, to_texts

# Each is one step into an index.
_NEXT_TIMES = """
SELECT
  (SELECT min(due_at_ms) FROM reminders WHERE due_at_ms IS NOT NULL) AS reminder_ms,
  (SELECT min(not_before_ms) FROM deliveries WHERE state = 'PENDING') AS pending_ms,
  (SELECT min(lease_until_ms) FROM deliveries WHERE state = 'SENDING') AS sending_ms"""

_DUE = f"""
SELECT {REMINDER_COLUMNS}, (
  SELECT json_group_array(c.name) FROM channels c WHERE c.user_id = r.user_id AND c.is_default = 1
) AS default_channels
FROM reminders r
WHERE r.due_at_ms <= CAST(?1 AS INTEGER)
ORDER BY r.due_at_ms, r.reminder_id
LIMIT CAST(?2 AS INTEGER)"""

# CROSS JOIN keeps the order of the loops: the plans outside, a look-up of each reminder inside.
_UNCHANGED = """
JOIN reminders r ON r.reminder_id = p.value ->> 'reminder_id'
  AND r.due_at_ms = p.value ->> 'due_at_ms' AND r.revision = p.value ->> 'revision'"""

# A digest waits for nobody to acknowledge it: what it tells of has its own place.
_INSERT_FIRINGS = f"""
INSERT INTO firings (
  reminder_id, due_at_ms, user_id, occurrence_at_ms, fired_at_ms, missed, acknowledged_at_ms)
SELECT
  r.reminder_id, f.value ->> 'due_at_ms', r.user_id, f.value ->> 'occurrence_at_ms',
  CAST(?2 AS INTEGER), f.value ->> 'missed',
  CASE r.kind WHEN 'digest' THEN CAST(?2 AS INTEGER) END
FROM json_each(?1) AS p CROSS {_UNCHANGED}
CROSS JOIN json_each(p.value, '$.firings') AS f
WHERE true
ON CONFLICT DO NOTHING"""

_INSERT_DELIVERIES = f"""
INSERT INTO deliveries (
  delivery_key, reminder_id, user_id, due_at_ms, channel, state, not_before_ms, created_at_ms)
SELECT
  d.value ->> 'key', r.reminder_id, r.user_id, f.value ->> 'due_at_ms', d.value ->> 'channel',
  'PENDING', CAST(?2 AS INTEGER), CAST(?2 AS INTEGER)
FROM json_each(?1) AS p CROSS {_UNCHANGED}
CROSS JOIN json_each(p.value, '$.firings') AS f
CROSS JOIN json_each(f.value, '$.deliveries') AS d
WHERE true
ON CONFLICT DO NOTHING"""

_ADVANCE = """
UPDATE reminders SET
  state = p.value ->> 'state', due_at_ms = p.value ->> 'next_due_at_ms',
  next_at_ms = p.value ->> 'next_at_ms', snooze_at_ms = p.value ->> 'snooze_at_ms',
  snooze_of_ms = p.value ->> 'snooze_of_ms', missed = p.value ->> 'passed_over',
  updated_at_ms = CAST(?2 AS INTEGER), revision = reminders.revision + 1
FROM json_each(?1) AS p
WHERE reminders.reminder_id = p.value ->> 'reminder_id'
  AND reminders.due_at_ms = p.value ->> 'due_at_ms'
  AND reminders.revision = p.value ->> 'revision'
RETURNING reminder_id"""

# What a sender that is gone left behind, then what waits, each by its own partial index.
_CLAIM = """
UPDATE deliveries SET
  last_error = CASE state
    WHEN 'SENDING' THEN 'Whoever sent it fell silent; it may have arrived.'
    ELSE last_error END,
  state = 'PENDING', attempt = attempt + 1,
  not_before_ms = CAST(?3 AS INTEGER), lease_until_ms = CAST(?3 AS INTEGER)
WHERE delivery_key IN (
  SELECT delivery_key FROM (
    SELECT delivery_key FROM deliveries
    WHERE state = 'SENDING' AND lease_until_ms <= CAST(?1 AS INTEGER)
    ORDER BY lease_until_ms, delivery_key LIMIT CAST(?2 AS INTEGER))
  UNION ALL
  SELECT delivery_key FROM (
    SELECT delivery_key FROM deliveries
    WHERE state = 'PENDING' AND not_before_ms <= CAST(?1 AS INTEGER)
    ORDER BY not_before_ms, delivery_key LIMIT CAST(?2 AS INTEGER))
  LIMIT CAST(?2 AS INTEGER))
RETURNING delivery_key, attempt"""

# The user has seen the notice, or wants no more of it, since it was claimed.
_DROP_UNWANTED = """
DELETE FROM deliveries
WHERE delivery_key = ?1 AND attempt = CAST(?2 AS INTEGER) AND state = 'PENDING'
  AND NOT EXISTS (
    SELECT 1 FROM firings f JOIN reminders r ON r.reminder_id = f.reminder_id
    WHERE f.reminder_id = deliveries.reminder_id AND f.due_at_ms = deliveries.due_at_ms
      AND (f.acknowledged_at_ms IS NULL OR r.kind = 'digest') AND r.state <> 'cancelled')"""

_BEGIN = """
UPDATE deliveries SET state = 'SENDING', lease_until_ms = CAST(?3 AS INTEGER)
WHERE delivery_key = ?1 AND attempt = CAST(?2 AS INTEGER)
  AND state = 'PENDING' AND lease_until_ms IS NOT NULL
RETURNING delivery_key"""

_DELIVERY = f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.delivery_key = ?1"

_CONTENT = f"""
SELECT {REMINDER_COLUMNS}, {FIRING_COLUMNS}, n.title AS note_title, (
  SELECT c.text FROM chunks c WHERE c.note_key = n.note_key ORDER BY c.ordinal LIMIT 1
) AS note_text
FROM deliveries d
JOIN reminders r ON r.reminder_id = d.reminder_id
JOIN firings f ON f.reminder_id = d.reminder_id AND f.due_at_ms = d.due_at_ms
LEFT JOIN tasks t ON t.task_id = r.task_id AND t.user_id = r.user_id
LEFT JOIN notes n ON n.user_id = r.user_id AND n.deleted_at_ms IS NULL
  AND n.note_id = COALESCE(r.note_ids ->> 0, t.note_ids ->> 0)
WHERE d.delivery_key = ?1"""

_CHANNEL = f"""
SELECT {CHANNEL_COLUMNS}
FROM deliveries d JOIN channels c ON c.user_id = d.user_id AND c.name = d.channel
WHERE d.delivery_key = ?1"""

_SETTLE = """
UPDATE deliveries SET
  state = ?3, not_before_ms = CAST(?4 AS INTEGER), refusals = CAST(?5 AS INTEGER),
  last_error = ?6, receipt = ?7, lease_until_ms = NULL,
  settled_at_ms = CASE ?3 WHEN 'PENDING' THEN NULL ELSE CAST(?8 AS INTEGER) END
WHERE delivery_key = ?1 AND attempt = CAST(?2 AS INTEGER) AND state = 'SENDING'
RETURNING state"""


@dataclass(frozen=True, slots=True)
class Claim:
    """What travels on the queue: which delivery, and under which fencing number."""

    delivery_key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A plan for a reminder as it was read, and the channels that its firings go out by."""

    before: Reminder
    plan: Plan
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A delivery in the hands of its sender, with all that makes its notice.

    `channel` is None where the user has none of that name any more.
    """

    delivery: Delivery
    reminder: Reminder
    firing: Firing
    channel: Channel | None
    snippet: str


def next_times() -> Statement:
    """One row: when the first reminder is due, delivery is claimable, and sender is given up."""
    return Statement(_NEXT_TIMES)


def due(now: datetime, *, limit: int) -> Statement:
    """The reminders that are due, the longest waiting first, with their user's default channels."""
    return Statement(_DUE, (to_ms(now), limit))


def record(recordings: Sequence[Recording], *, now: datetime) -> list[Statement]:
    """Fires reminders and moves them on; the last statement's rows name those that were written.

    To be run as one batch. A reminder that is no longer as it was read is left out; a second run
    writes nothing.
    """
    params = (json.dumps([_to_json(each) for each in recordings]), to_ms(now))
    return [Statement(sql, params) for sql in (_INSERT_FIRINGS, _INSERT_DELIVERIES, _ADVANCE)]


def claim(now: datetime, *, until: datetime, limit: int) -> Statement:
    """Takes up to `limit` deliveries that wait, or that a lost sender left, until `until`.

    A row for each, to be read with `to_claim`. Whoever held one before can change it no more.
    """
    return Statement(_CLAIM, (to_ms(now), limit, to_ms(until)))


def begin(claimed: Claim, *, lease_until: datetime) -> list[Statement]:
    """Puts a claimed delivery into sending and reads what its notice is made of.

    To be run as one batch and read with `to_begun`. A delivery that the user needs no more,
    because it is acknowledged or its reminder cancelled, is removed instead.
    """
    held = (claimed.delivery_key, claimed.attempt)
    read = (claimed.delivery_key,)
    return [
        Statement(_DROP_UNWANTED, held),
        Statement(_BEGIN, (*held, to_ms(lease_until))),
        Statement(_DELIVERY, read),
        Statement(_CONTENT, read),
        Statement(_CHANNEL, read),
    ]


def settle(delivery: Delivery, settlement: Settlement, *, now: datetime) -> Statement:
    """Writes how an attempt ended; a row with the new state, none for a holder that is too late."""
    row = (
        delivery.delivery_key, delivery.attempt, settlement.state, to_ms(settlement.not_before),
        settlement.refusals, settlement.last_error, settlement.receipt, to_ms(now),
    )  # fmt: skip
    return Statement(_SETTLE, row)


def to_next_time(row: Row) -> datetime | None:
    """The earliest of the times of `next_times`, None where nothing is waiting."""
    times = (to_instant(row[name]) for name in ("reminder_ms", "pending_ms", "sending_ms"))
    return min((at for at in times if at is not None), default=None)


def to_due(row: Row) -> tuple[Reminder, tuple[str, ...]]:
    """The reminder of a row of `due`, and the names of its user's default channels."""
    return to_reminder(row), tuple(sorted(to_texts(row["default_channels"])))


def to_claim(row: Row) -> Claim:
    return Claim(str(row["delivery_key"]), to_int(row["attempt"]))


def to_begun(results: Sequence[Sequence[Row]]) -> Begun | None:
    """What the batch of `begin` read, None where there was nothing to begin."""
    _, begun, delivery, content, channel = results
    if not begun:
        return None
    row = content[0]
    title = row["note_title"]
    return Begun(
        delivery=to_delivery(delivery[0]),
        reminder=to_reminder(row),
        firing=to_firing(row),
        channel=to_channel(channel[0]) if channel else None,
        snippet="" if title is None else quoted(str(title), str(row["note_text"] or "")),
    )


def _to_json(recording: Recording) -> dict[str, object]:
    before, after = recording.before, recording.plan.after
    return {
        "reminder_id": before.reminder_id,
        "revision": before.revision,
        "due_at_ms": to_optional_ms(before.due_at),
        "state": after.state,
        "next_due_at_ms": to_optional_ms(after.due_at),
        "next_at_ms": to_optional_ms(after.next_at),
        "snooze_at_ms": to_optional_ms(after.snooze_at),
        "snooze_of_ms": to_optional_ms(after.snooze_of),
        "passed_over": after.missed,
        "firings": [_firing(each, recording.channels) for each in recording.plan.firings],
    }


def _firing(firing: Firing, channels: Sequence[str]) -> dict[str, object]:
    return {
        "due_at_ms": to_ms(firing.due_at),
        "occurrence_at_ms": to_ms(firing.occurrence_at),
        "missed": firing.missed,
        "deliveries": [
            {"key": delivery_key(firing, channel), "channel": channel} for channel in channels
        ],
    }

"""Channels: the statements, and the way between rows and values."""

import json
from datetime import datetime

from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.notes import to_int

CHANNEL_COLUMNS = "c.user_id, c.name, c.kind, c.address, c.options, c.is_default"

_INSERT = """
INSERT INTO channels (user_id, name, kind, address, options, is_default, created_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, CAST(?6 AS INTEGER), ?7)
ON CONFLICT (user_id, name) DO {conflict}
RETURNING name"""

_REPLACE = """UPDATE SET
  kind = excluded.kind, address = excluded.address, options = excluded.options,
  is_default = excluded.is_default, created_at_ms = excluded.created_at_ms"""

_ALL = f"SELECT {CHANNEL_COLUMNS} FROM channels c WHERE c.user_id = ?1 ORDER BY c.name"

_DEFAULTS = f"""
SELECT {CHANNEL_COLUMNS} FROM channels c
WHERE c.user_id = ?1 AND c.is_default = 1 ORDER BY c.name"""

_DELETE = "DELETE FROM channels WHERE name = ?1 AND user_id = ?2 RETURNING name"

# Only what failed since the channel was added, and since the last notice that got through.
_FAILURES = """
SELECT c.name, (
  SELECT f.last_error FROM deliveries f
  WHERE f.user_id = c.user_id AND f.state = 'FAILED' AND f.channel = c.name
    AND f.settled_at_ms >= c.created_at_ms
    AND NOT EXISTS (
      SELECT 1 FROM deliveries d
      WHERE d.user_id = c.user_id AND d.channel = c.name AND d.state = 'DELIVERED'
        AND d.settled_at_ms > f.settled_at_ms)
  ORDER BY f.settled_at_ms DESC, f.delivery_key LIMIT 1) AS last_error
FROM channels c WHERE c.user_id = ?1 ORDER BY c.name"""

_NAMED_BY = """
SELECT count(*) AS reminders FROM reminders r
WHERE r.user_id = ?2 AND r.state = 'active'
  AND EXISTS (SELECT 1 FROM json_each(r.channels) AS named WHERE named.value = ?1)"""


def insert_channel(channel: Channel, *, now: datetime, replaces: bool) -> Statement:
    """One row when the channel was written; none where the name is taken and not replaced."""
    sql = _INSERT.format(conflict=_REPLACE if replaces else "NOTHING")
    row = (
        channel.user_id, channel.name, channel.kind, channel.address,
        json.dumps(dict(channel.options)), int(channel.is_default), to_ms(now),
    )  # fmt: skip
    return Statement(sql, row)


def channels_of(user_id: str) -> Statement:
    """The user's channels, by name."""
    return Statement(_ALL, (user_id,))


def default_channels(user_id: str) -> Statement:
    """The channels of a reminder that names none, by name."""
    return Statement(_DEFAULTS, (user_id,))


def delete_channel(name: str, user_id: str) -> Statement:
    """One row when there was such a channel."""
    return Statement(_DELETE, (name, user_id))


def failures(user_id: str) -> Statement:
    """Each channel's `name`, and the `last_error` of its last notice where that failed for good."""
    return Statement(_FAILURES, (user_id,))


def reminders_naming(name: str, user_id: str) -> Statement:
    """One row: how many active `reminders` name the channel."""
    return Statement(_NAMED_BY, (name, user_id))


def to_channel(row: Row) -> Channel:
    """The channel of a row read with `CHANNEL_COLUMNS`."""
    options: dict[str, str] = json.loads(str(row["options"]))
    return Channel(
        name=str(row["name"]),
        user_id=str(row["user_id"]),
        kind=str(row["kind"]),
        address=str(row["address"]),
        options=tuple(sorted(options.items())),
        is_default=bool(to_int(row["is_default"])),
    )

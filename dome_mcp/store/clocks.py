"""When a user's next reminder is due: what an alarm clock beside the database is set by."""

from datetime import datetime

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.schedules import to_instant

# Whatever else is listed for a user is over, and due no more: one step into an index.
_NEXT_DUE = """
SELECT min(due_at_ms) AS due_at_ms FROM reminders WHERE user_id = ?1 AND state = 'active'"""

_USERS_DUE = """
SELECT user_id FROM reminders
WHERE due_at_ms > CAST(?1 AS INTEGER) AND due_at_ms <= CAST(?2 AS INTEGER)
GROUP BY user_id ORDER BY min(due_at_ms), user_id LIMIT CAST(?3 AS INTEGER)"""


def next_due(user_id: str) -> Statement:
    """One row: when the user's next reminder is due; see `to_next_due`."""
    return Statement(_NEXT_DUE, (user_id,))


def users_due(after: datetime, until: datetime, *, limit: int) -> Statement:
    """The users who have a reminder that is due in a stretch of time, the first one's first."""
    return Statement(_USERS_DUE, (to_ms(after), to_ms(until), limit))


def to_next_due(row: Row) -> datetime | None:
    """None where nothing of the user is due any more."""
    return to_instant(row["due_at_ms"])

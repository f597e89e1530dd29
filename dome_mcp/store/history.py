"""All of a user's firings and deliveries, page by page, for an export."""

from dome_mcp.core.ports import Statement
from dome_mcp.store.firings import DELIVERY_COLUMNS, FIRING_COLUMNS

# A firing's own name for its due time is not what it is sorted by.
_FIRINGS = f"""
SELECT {FIRING_COLUMNS} FROM firings f
WHERE f.user_id = ?1 AND (f.reminder_id, f.due_at_ms) > (?2, CAST(?3 AS INTEGER))
ORDER BY f.reminder_id, f.due_at_ms LIMIT CAST(?4 AS INTEGER)"""

_DELIVERIES = f"""
SELECT {DELIVERY_COLUMNS} FROM deliveries d
WHERE d.user_id = ?1 AND d.delivery_key > ?2
ORDER BY d.delivery_key LIMIT CAST(?3 AS INTEGER)"""

_BEFORE_ALL = 1 - (1 << 53)


def firings_by_reminder(
    user_id: str, *, after: tuple[str, int] = ("", _BEFORE_ALL), limit: int
) -> Statement:
    """The user's firings after a reminder's id and a due time, in that order."""
    return Statement(_FIRINGS, (user_id, *after, limit))


def deliveries_by_key(user_id: str, *, after: str = "", limit: int) -> Statement:
    """The user's deliveries after a key, in that order."""
    return Statement(_DELIVERIES, (user_id, after, limit))

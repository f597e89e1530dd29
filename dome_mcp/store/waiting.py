"""The deliveries that nobody who runs can serve."""

from datetime import datetime

from dome_mcp.core.awaiting import AWAITING
from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms

# By the partial index of what is pending, which is little.
_UNSERVED = f"""
SELECT channel, last_error, count(*) AS deliveries
FROM deliveries
WHERE state = 'PENDING' AND user_id = ?1 AND substr(last_error, 1, {len(AWAITING)}) = ?2
GROUP BY channel, last_error ORDER BY channel, last_error"""

_RELEASE = f"""
UPDATE deliveries SET not_before_ms = CAST(?1 AS INTEGER)
WHERE state = 'PENDING' AND not_before_ms > CAST(?1 AS INTEGER) AND lease_until_ms IS NULL
  AND substr(last_error, 1, {len(AWAITING)}) = ?2"""


def unserved(user_id: str) -> Statement:
    """A row for each channel of a user's deliveries that wait, with what they wait for."""
    return Statement(_UNSERVED, (user_id, AWAITING))


def release_unserved(now: datetime) -> Statement:
    """Lets whoever comes first claim, at once, what waits for a companion and is in no hands."""
    return Statement(_RELEASE, (to_ms(now), AWAITING))

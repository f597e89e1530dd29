"""Leases: who does a piece of background work now, among all processes on one database."""

from datetime import datetime, timedelta

from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms

_TAKE = """
INSERT INTO leases (name, holder, until_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
WHERE leases.holder = excluded.holder OR leases.until_ms <= CAST(?4 AS INTEGER)
RETURNING holder"""

_LIVE = "SELECT holder FROM leases WHERE name = ?1 AND until_ms > CAST(?2 AS INTEGER)"
_GIVE_BACK = "DELETE FROM leases WHERE name = ?1 AND holder = ?2"


def take_lease(name: str, holder: str, *, now: datetime, duration: timedelta) -> Statement:
    """Takes or renews a lease; one row when the holder has it, none when another has."""
    return Statement(_TAKE, (name, holder, to_ms(now + duration), to_ms(now)))


def live_lease(name: str, *, now: datetime) -> Statement:
    """The holder of a lease, one row while somebody has it."""
    return Statement(_LIVE, (name, to_ms(now)))


def give_back_lease(name: str, holder: str) -> Statement:
    """Ends a lease early; does nothing to another holder's."""
    return Statement(_GIVE_BACK, (name, holder))

"""Links that were used: the rows that make a link work once."""

from datetime import datetime

from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms

_USE = "INSERT INTO used_links (link_id, used_at_ms) VALUES (?1, ?2)"
_USED = "SELECT used_at_ms FROM used_links WHERE link_id = ?1"
_FORGET = "DELETE FROM used_links WHERE used_at_ms < CAST(?1 AS INTEGER)"


def use_link(link_id: str, *, now: datetime) -> Statement:
    """Marks a link as used; a constraint fails for one that is, and with it the whole batch."""
    return Statement(_USE, (link_id, to_ms(now)))


def link_use(link_id: str) -> Statement:
    """One row when the link was used."""
    return Statement(_USED, (link_id,))


def forget_links_before(instant: datetime) -> Statement:
    """Drops the marks of links that have expired since."""
    return Statement(_FORGET, (to_ms(instant),))

"""What a Worker does when something is due, by its cron or by an alarm: it ticks."""

import logging
from datetime import datetime

from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.ports import Database, EventQueue
from dome_mcp.services.dispatch import tick

_MOST_TICKS = 10
"""In one run, so that it ends before the next one begins."""

_POLICY = DeliveryPolicy(claim_seconds=180.0)
"""A queue may be minutes behind, and whoever claims again what waits in it makes it longer. A lost
message costs its reminder so long."""

_log = logging.getLogger("dome.firing")


async def fire(database: Database, queue: EventQueue, *, now: datetime) -> None:
    """Ticks until nothing more is to be sent.

    Raises:
        BackendUnavailable: the queue or the database failed; see `tick`.
    """
    for _ in range(_MOST_TICKS):
        ticked = await tick(database, queue, _POLICY, now=now)
        if not ticked.claimed:
            return
        _log.info("fired %d, claimed %d", ticked.fired, ticked.claimed)

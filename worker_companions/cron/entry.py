"""The Worker that fires reminders: once a minute, and to the second by its users' clocks.

It puts what is due on the queue, digests too, and never delivers. What a run that failed left
behind, the next one takes up. Once an hour it asks whether the house is to be kept.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from workers import WorkerEntrypoint

from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Database
from dome_mcp.core.timestamps import from_ms
from dome_mcp.services.clocks import users_due_within
from dome_mcp.services.companions import WORKER_BEAT_SECONDS, beat
from dome_mcp.services.housekeeping import keep_house
from dome_mcp.store.housekeeping import Kept
from worker_companions.bindings import D1BindingDatabase, QueueBinding
from worker_companions.clock import Clock as Clock  # the runtime looks for the classes here
from worker_companions.clock import Clocks
from worker_companions.firing import fire
from worker_companions.memory import Memory as Memory

_NAME = "dome-cron"

_AHEAD = timedelta(minutes=3)
"""So far ahead clocks are told what is due, so that one cron more may fail meanwhile."""
_MOST_CLOCKS = 200
"""Of a run. It may call 1,000 services of the account, of which the rows take a few dozen.

Source: https://developers.cloudflare.com/workers/platform/limits/#subrequests (2026-11)."""

_log = logging.getLogger("dome.cron")


class Default(WorkerEntrypoint):
    async def scheduled(self, controller: Any, *_rest: Any) -> None:
        """Fires what is due by now, or by the time that the run was meant for, and shows life."""
        logging.basicConfig(level=logging.INFO)
        database = D1BindingDatabase(self.env.DB)
        queue = QueueBinding(self.env.DELIVERIES)
        now = max(datetime.now(UTC), from_ms(int(controller.scheduledTime)))
        try:
            await fire(database, queue, now=now)
            await _tell_clocks(Clocks(self.env.CLOCKS), database, now=now)
        except BackendError as error:
            await _show_life(database, now=now, errors=[f"{now:%Y-%m-%d %H:%M} UTC: {error}"])
            raise
        await _show_life(database, now=now, errors=await _keep_house(database, now=now))


async def _tell_clocks(clocks: Clocks, database: Database, *, now: datetime) -> None:
    """Has the clocks look whose users have something due before the next runs; see clock.py."""
    for user_id in await users_due_within(database, _AHEAD, now=now, limit=_MOST_CLOCKS):
        await clocks.look(user_id)


async def _keep_house(database: Database, *, now: datetime) -> Sequence[str]:
    """Forgets what is past its time, where it is time for that; what went wrong."""
    if now.minute:
        return ()
    try:
        kept = await keep_house(database, now=now)
    except BackendError as error:
        kept = Kept(now, (str(error),))
    failures = kept.failures if kept else ()
    for failure in failures:
        _log.warning("%s", failure)
    return failures


async def _show_life(database: Database, *, now: datetime, errors: Sequence[str]) -> None:
    details = {"every_seconds": WORKER_BEAT_SECONDS, "errors": list(errors)}
    await beat(database, _NAME, now=now, details=details)

"""An alarm clock for each user, so that a reminder fires at its second and not at the next minute.

A clock is a Durable Object under the user's id. It is told to look at the rows whenever something
may be due earlier than it thinks: by a Worker that wrote for the user, and by the minute's cron,
which sees what was written from elsewhere. It never knows more than the rows do, so an alarm that
comes twice, or for a reminder that was moved, finds nothing to do; and where a clock is lost, the
cron fires what is due.

An alarm comes at least once, within milliseconds as a rule and at most a minute late, and is tried
six times more when it fails.
Source: https://developers.cloudflare.com/durable-objects/api/alarms/ (2026-11).
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from workers import DurableObject

from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.clocks import next_due
from worker_companions.bindings import D1BindingDatabase, QueueBinding, outages
from worker_companions.firing import fire

BACKEND = "durable-objects"

_USER = "user_id"
_FARTHEST = timedelta(days=1)
"""So far ahead an alarm is set at most: a clock whose user was deleted forgets them by then."""
_SOONEST = timedelta(seconds=1)
"""So soon at most, however long something has been due: what cannot be fired is not hammered."""


class Clock(DurableObject):
    """One user's clock. What it stores is whose it is, and its alarm."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._storage = ctx.storage
        self._database = D1BindingDatabase(env.DB)
        self._queue = QueueBinding(env.DELIVERIES)

    async def look(self, user_id: str) -> None:
        """Sees when something is due, and is set to that unless it is set to an earlier time."""
        await self._storage.put(_USER, user_id)
        await self._wind(user_id)

    async def alarm(self, *_info: Any) -> None:
        """Fires what is due, and is set for what comes next."""
        logging.basicConfig(level=logging.INFO)
        await fire(self._database, self._queue, now=datetime.now(UTC))
        user_id = await self._storage.get(_USER)
        if user_id is not None:
            await self._wind(user_id)

    async def _wind(self, user_id: str) -> None:
        due = await next_due(self._database, user_id=user_id)
        set_to = await self._storage.getAlarm()
        if due is None:
            if set_to is None:
                await self._storage.deleteAll()
            return
        now = datetime.now(UTC)
        at = to_ms(max(now + _SOONEST, min(due, now + _FARTHEST)))
        if set_to is None or at < set_to:
            await self._storage.setAlarm(at)


class Clocks:
    """The clocks of all users, by the binding of their namespace."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def look(self, user_id: str) -> None:
        """Has the user's clock look at the rows; harmless to repeat.

        Raises:
            BackendUnavailable: the clock cannot be reached; then the cron fires what is due.
        """
        with outages(BACKEND, "look", "A clock"):
            await self._binding.getByName(user_id).look(user_id)

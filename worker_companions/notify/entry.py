"""The Worker that delivers: it is given the queue's messages, and tries each delivery once.

A channel that it cannot serve (see channels.py) is left to a companion that can. When to try again
stands in the rows, whatever went wrong, so each message is done when it was tried. Where the Worker
itself failed or was ended, again and again, the message comes as a dead letter, which the
delivery's row tells of from then on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from workers import WorkerEntrypoint

from dome_mcp.core.agenda import DeliveryPolicy, DeliveryState
from dome_mcp.core.errors import DomeError, InvalidInput
from dome_mcp.core.ports import Database
from dome_mcp.link_pages import link_secret, notice_actions
from dome_mcp.services.dispatch import ComposeActions, attempt_delivery, record_dead_letter
from worker_companions.bindings import D1BindingDatabase
from worker_companions.channels import worker_notifiers

_DEAD_LETTERS = "-dead-letters"
"""How the name of their queue ends, whatever the installation is called."""

_log = logging.getLogger("dome.notify")


class Default(WorkerEntrypoint):
    async def queue(self, batch: Any, *_rest: Any) -> None:
        """Delivers a batch at once, or notes that nobody could.

        Raises:
            BackendError: nothing was begun, because the database failed; the batch comes again.
        """
        logging.basicConfig(level=logging.INFO)
        database = D1BindingDatabase(self.env.DB)
        if str(batch.queue).endswith(_DEAD_LETTERS):
            for message in batch.messages:
                await _record(message, database)
            return
        attempt = partial(
            attempt_delivery,
            database=database,
            notifiers=worker_notifiers(self.env, _now),
            policy=DeliveryPolicy(),
            compose_actions=await _actions(database, self.env),
        )
        async with asyncio.TaskGroup() as tasks:
            for message in batch.messages:
                tasks.create_task(_deliver(message, attempt))


async def _deliver(message: Any, attempt: Callable[..., Awaitable[DeliveryState | None]]) -> None:
    """Tries the delivery that a message names, and is done with the message."""
    try:
        state = await attempt(message.body, now=_now())
        _log.info("a delivery is %s", state or "another's, or needed no more")
    except DomeError as error:
        _log.warning("%s", error)
    except Exception:  # noqa: BLE001  one delivery's failure is not the others'
        _log.exception("a delivery failed")
    message.ack()


async def _record(message: Any, database: Database) -> None:
    try:
        state = await record_dead_letter(message.body, database, DeliveryPolicy(), now=_now())
        _log.warning("a dead letter: its delivery is %s", state or "another's, or settled")
    except InvalidInput as error:
        _log.warning("a dead letter: %s", error)
    message.ack()


async def _actions(database: Database, env: Any) -> ComposeActions | None:
    """Makes the links of notices; None where nothing is set up to answer them."""
    url = getattr(env, "DOME_PUBLIC_URL", None)
    if not url:
        return None
    return partial(notice_actions, secret=await link_secret(database), base_url=url)


def _now() -> datetime:
    return datetime.now(UTC)

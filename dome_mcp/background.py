"""The work that goes on beside the calls: vectors for the notes that still wait for them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from dome_mcp.app import Dome
from dome_mcp.core.errors import BackendError
from dome_mcp.services.indexing import Step, index_step

_IDLE_SECONDS = 20.0
"""How often an idle process looks for work that another left behind."""

_AFTER_FAILURE_SECONDS = 30.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(dome: Dome) -> AsyncIterator[None]:
    """Keeps the index up to date for as long as the block runs."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_indexed, dome)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def keep_indexed(dome: Dome) -> None:
    """Loads the model, so that no search waits for it, then embeds what is pending, for good."""
    while True:
        idle_seconds = _IDLE_SECONDS
        try:
            if dome.ports.embedder is not None:
                await dome.ports.embedder.warm_up()
            await catch_up(dome)
        except BackendError as error:
            _log.warning("indexing stopped for now: %s", error)
            idle_seconds = _AFTER_FAILURE_SECONDS
        await dome.pending.wait(idle_seconds)


async def catch_up(dome: Dome, report: Callable[[Step], None] | None = None) -> Step:
    """Embeds until nothing is left or another process does it; `report` hears of each step.

    Raises:
        BackendError: the model or the database failed; what was done is kept.
    """
    while True:
        step = await index_step(
            dome.ports, user_id=dome.user_id, holder=dome.holder, now=dome.now()
        )
        if report is not None:
            report(step)
        if not step.done:
            return step

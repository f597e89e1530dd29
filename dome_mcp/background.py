"""The work that goes on beside the calls: vectors for the notes that still wait for them."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from dome_mcp.app import Dome
from dome_mcp.core.errors import BackendError, DomeError
from dome_mcp.services.indexing import Step, index_step, users_with_pending
from dome_mcp.services.reindexing import index_facts

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
    """Loads the model, so that no search waits for it, then embeds what is pending.

    For good, or until the vectors are another model's or elsewhere: then `dome` is outdated.
    """
    while True:
        idle_seconds = _IDLE_SECONDS
        try:
            if await _is_outdated(dome):
                _log.info("the vectors were moved; opening again to follow")
                dome.outdated.set()
                return
            if dome.ports.embedder is not None:
                await dome.ports.embedder.warm_up()
            if not await catch_up_all(dome):
                idle_seconds = _AFTER_FAILURE_SECONDS
            if dome.ports.vectors is not None:
                # What was staged by somebody who could not carry it out, or has left since.
                await dome.ports.vectors.settle()
        except BackendError as error:
            _log.warning("indexing stopped for now: %s", error)
            idle_seconds = _AFTER_FAILURE_SECONDS
        await dome.pending.wait(idle_seconds)


async def _is_outdated(dome: Dome) -> bool:
    """Whether the database says something else of its vectors than when `dome` was opened."""
    return bool(dome.index_facts) and await index_facts(dome.ports.database) != dome.index_facts


async def catch_up_all(dome: Dome) -> bool:
    """Embeds for every user in turn, a step each, until nobody has anything left to be done here.

    Returns whether it went well for all of them: one whose step fails is left out, so that the
    others need not wait for whatever is the matter.

    Raises:
        BackendError: not even the users can be told.
    """
    left_out: set[str] = set()
    is_well = True
    while users := [each for each in await users_with_pending(dome.ports) if each not in left_out]:
        for user_id in users:
            try:
                step = await index_step(
                    dome.ports, user_id=user_id, holder=dome.holder, now=dome.now()
                )
            except Exception as error:  # noqa: BLE001  one user's data must not stop the others'
                # Its text may be what the user stored.
                _log.warning("indexing stopped for one user: %s", _in_words(error))
                is_well = False
                left_out.add(user_id)
                continue
            if not step.done:
                left_out.add(user_id)
    return is_well


async def catch_up(dome: Dome, report: Callable[[Step], None] | None = None) -> Step:
    """Embeds for one user until nothing is left or another process does it.

    `report` hears of each step.

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


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, DomeError) else type(error).__name__

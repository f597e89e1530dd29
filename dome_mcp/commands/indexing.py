"""Waiting for the vectors, for the commands that leave chunks without them."""

import anyio

from dome_mcp.app import Dome
from dome_mcp.background import catch_up
from dome_mcp.commands.output import Progress
from dome_mcp.core.model import IndexState
from dome_mcp.services.indexing import Step, semantics

_LOOK_SECONDS = 0.5
"""How often to look at what another process is embedding."""


async def wait_for_vectors(dome: Dome, show: Progress) -> IndexState:
    """Embeds, or watches another process embed, until nothing is pending.

    Returns how far the index is: not all the way where there is no model to do it.

    Raises:
        BackendError: the model or the database failed; what was done is kept.
    """
    total = 0

    def report(step: Step) -> None:
        nonlocal total
        total = max(total, step.done + step.left)
        show("embedding chunks", total - step.left, total)

    while True:
        step = await catch_up(dome, report)
        if not (step.left and step.is_elsewhere):
            return await index_state(dome)
        await anyio.sleep(_LOOK_SECONDS)


async def index_state(dome: Dome) -> IndexState:
    """How far the user's vectors are."""
    return (await semantics(dome.ports, user_id=dome.user_id)).state

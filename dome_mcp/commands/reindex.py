"""`dome-mcp reindex`: all vectors by the present model, or over to another."""

from dataclasses import replace

import anyio

from dome_mcp.app import Dome
from dome_mcp.background import catch_up_all
from dome_mcp.commands.indexing import wait_for_vectors
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reindex_cost import cost_of_move
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.core.model import IndexState
from dome_mcp.services.reindexing import (
    adopt_model,
    begin_move,
    end_move,
    finish_move,
    is_moved,
    measure_move,
    move_step,
)
from dome_mcp.services.repair import forget_every_vector
from dome_mcp.services.restoring import restore_index
from dome_mcp.services.status import counts
from dome_mcp.store import meta
from dome_mcp.wiring import Moving, open_moving, open_services, vector_place

_LOOK_SECONDS = 2.0
"""How often to look whether an index elsewhere has taken in what it was sent; each look is four of
the 1,200 requests that Cloudflare allows in five minutes."""


async def reindex(invocation: Invocation) -> int:
    """Adopts the present model and makes the vectors that it has not made yet, or all.

    An index elsewhere is made again and sent what it lacks, which takes no embedding.
    """
    if invocation.arguments.to:
        return await _move(invocation)
    settings = invocation.settings()
    async with open_services(settings, is_adopting=True) as dome:
        place = vector_place(settings, dome.index_facts)
        # First, because it refuses a model that the index cannot hold.
        if sent := await restore_index(dome.ports, place=place):
            invocation.output.remark(f"The index lacked vectors; {sent} are sent again.")
        await adopt_model(dome.ports, place=place, name=await _chosen(dome))
        if invocation.arguments.all:
            await forget_every_vector(dome.ports)
        before = await counts(dome.ports, user_id=dome.user_id)
        with invocation.output.progress() as show:
            index = await wait_for_vectors(dome, show)
        model = dome.ports.embedder.model if dome.ports.embedder else None
    embedded = before.pending_chunks - index.pending_chunks
    return _report(invocation, str(model), before.chunks, embedded, index)


async def _chosen(dome: Dome) -> str | None:
    """The model that an earlier `--to` chose, where no setting names another since."""
    if dome.settings.embedding_model is not None:
        return None
    return await meta.fact(dome.ports.database, meta.EMBEDDING_NAME)


async def _move(invocation: Invocation) -> int:
    """Makes the vectors of another model beside the present ones, and then changes over."""
    settings, target = invocation.settings(), invocation.arguments.to
    async with open_moving(settings, target) as moving:
        is_over = await is_moved(moving.dome.ports, moving.target)
        if not is_over:
            invocation.output.remark(await _cost(moving))
        with invocation.output.progress() as show:
            embedded = 0 if is_over else await _move_all(moving, show)
            await end_move(moving.dome.ports, moving.target)
            # What was written meanwhile by whoever still used the old model goes, too.
            await adopt_model(moving.ports, place=moving.place, name=target)
            moved = replace(moving.dome, ports=moving.ports)
            await catch_up_all(moved)
            index = await wait_for_vectors(moved, show)
        stored = await counts(moved.ports, user_id=moved.user_id)
    if settings.embedding_model not in (None, target):
        invocation.output.remark(f"Now set DOME_EMBEDDING_MODEL={target}.")
    if not is_over:
        invocation.output.remark(
            "Running servers follow within half a minute, and search by keyword until then."
        )
    return _report(invocation, moving.target.model, stored.chunks, embedded, index)


async def _cost(moving: Moving) -> str:
    size = await measure_move(moving.dome.ports, moving.target)
    is_in_vectorize = moving.dome.settings.cloudflare.vectors == "cloudflare"
    target = moving.target
    return cost_of_move(size, target.embedder, target.name, is_in_vectorize=is_in_vectorize)


async def _move_all(moving: Moving, show: Progress) -> int:
    """Moves every user's vectors, or what an earlier run left; returns how many were made."""
    ports, target = moving.dome.ports, moving.target
    total, made = await begin_move(ports, target), 0
    is_done = False
    while not is_done:
        before, after = made, 0
        while (step := await move_step(ports, target, after=after)).done:
            made, after = made + step.done, step.after
            show("embedding chunks", made, max(total, made))
        # What came in behind the last step has a pass of its own.
        is_done = made == before and await finish_move(ports, target)
        if not is_done and made == before:
            show("waiting for the index to take them in", made, None)
            await anyio.sleep(_LOOK_SECONDS)
    return made


def _report(
    invocation: Invocation, model: str, chunks: int, embedded: int, index: IndexState
) -> int:
    output = invocation.output
    output.value(
        {
            "model": model,
            "chunks": chunks,
            "embedded": embedded,
            "pending_chunks": index.pending_chunks,
            "index_state": index.note or "ready",
        }
    )
    output.line(f"{embedded} of {chunks} chunks embedded with {model}.")
    if index.note:
        output.line(index.note, "yellow")
    return FAILED if index.pending_chunks else 0

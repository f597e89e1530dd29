"""`dome-mcp reindex`: all vectors by the present model."""

from dome_mcp.app import opened
from dome_mcp.commands.indexing import wait_for_vectors
from dome_mcp.commands.shell import FAILED, Invocation
from dome_mcp.services.indexing import begin_reindex
from dome_mcp.services.repair import forget_every_vector
from dome_mcp.services.status import counts


async def reindex(invocation: Invocation) -> int:
    """Adopts the present model and makes the vectors that it has not made yet, or all."""
    output = invocation.output
    async with opened(invocation.settings()) as dome:
        await begin_reindex(dome.ports)
        if invocation.arguments.all:
            await forget_every_vector(dome.ports)
        before = await counts(dome.ports, user_id=dome.user_id)
        with output.progress() as show:
            index = await wait_for_vectors(dome, show)
        model = dome.ports.embedder.model if dome.ports.embedder else None
    output.value(
        {
            "model": model,
            "chunks": before.chunks,
            "embedded": before.pending_chunks - index.pending_chunks,
            "pending_chunks": index.pending_chunks,
            "index_state": index.note or "ready",
        }
    )
    output.line(f"{before.pending_chunks} of {before.chunks} chunks embedded with {model}.")
    if index.note:
        output.line(index.note, "yellow")
    return FAILED if index.pending_chunks else 0

"""Vectors follow the notes: how far behind they are, and one step of catching up."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import IndexState
from dome_mcp.core.ports import Embedder, Ports, Row, Statement
from dome_mcp.services.chunk_vectors import (
    CONTEXT_NOTES,
    CONTEXT_WITHIN_MS,
    Embedded,
    embed_chunks,
    embed_or_refuse,
)
from dome_mcp.store import embedding, leases, meta

INLINE_CHUNKS = 8
"""A note of at most so many chunks has its vectors when the call that stores it returns."""

SETTLED_CHUNKS = 512
"""While there is more to embed, so many vectors are settled together: each time costs requests
where the index lives elsewhere."""

LEASE = timedelta(seconds=30)
"""Longer than a step takes; a process that died is replaced after this time."""


@runtime_checkable
class PoolingEmbedder(Protocol):
    """An embedder whose id does not tell how it makes one vector of a text's tokens."""

    @property
    def pooling(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Semantics:
    """What search by meaning has to work with; `problem` says why it cannot be used at all."""

    state: IndexState
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of indexing did. `is_elsewhere`: another process has the work in hand."""

    done: int
    left: int
    is_elsewhere: bool = False


async def semantics(ports: Ports, *, user_id: str) -> Semantics:
    """How far the user's vectors are, and whether they can be searched with the present model."""
    rows = await ports.database.query(embedding.index_facts(user_id))
    return to_semantics(rows[0], ports.embedder)


def to_semantics(facts: Row, embedder: Embedder | None) -> Semantics:
    """The same from the row of `embedding.index_facts`, for who reads it in a batch."""
    pending = int(facts["pending"] or 0)
    problem = _problem(embedder, facts)
    if problem:
        return Semantics(IndexState(pending, problem), problem)
    if pending:
        return Semantics(IndexState(pending, f"{pending} chunks are not indexed for meaning yet."))
    return Semantics(IndexState())


async def users_with_pending(ports: Ports) -> tuple[str, ...]:
    """The users for whom there is something to embed, in a fixed order."""
    rows = await ports.database.query(embedding.users_with_pending())
    return tuple(str(row["user_id"]) for row in rows)


async def index_step(
    ports: Ports, *, user_id: str, holder: str, now: datetime, limit: int = 32
) -> Step:
    """Embeds the oldest pending chunks; to be repeated until none is left.

    One process at a time does this for a user; `holder` names the caller's process. A step that
    is cut off at any point is done again by whoever comes next.

    Raises:
        BackendError: the model or the database failed; nothing is half written.
    """
    state = await semantics(ports, user_id=user_id)
    if state.problem or ports.embedder is None or ports.vectors is None:
        return Step(0, state.state.pending_chunks)
    if not state.state.pending_chunks:
        return Step(0, 0)
    lease = leases.take_lease(f"index:{user_id}", holder, now=now, duration=LEASE)
    if not await ports.database.query(lease):
        return Step(0, state.state.pending_chunks, is_elsewhere=True)
    rows = await ports.database.query(embedding.pending_chunks(user_id, limit=limit))
    pending = [embedding.to_pending_chunk(row) for row in rows]
    if pending:
        embedded = await embed_or_refuse(pending, ports.embedder, ports.database, user_id=user_id)
        await ports.database.batch(_stored(embedded, ports, user_id=user_id))
    left = max(state.state.pending_chunks - len(pending), 0)
    if left // SETTLED_CHUNKS < state.state.pending_chunks // SETTLED_CHUNKS or not left:
        await settle_staged(ports)
    if not left:
        await ports.database.query(leases.give_back_lease(f"index:{user_id}", holder))
    return Step(len(pending), left)


async def settle_staged(ports: Ports) -> None:
    """Has the index take in what is staged, if it can now.

    What it cannot is no failure of the caller's: it is stored, searches find it, and it stays
    staged for whoever settles next.
    """
    if ports.vectors is not None:
        with suppress(BackendError):
            await ports.vectors.settle()


async def inline_vectors(
    pending: Sequence[embedding.PendingChunk], ports: Ports, *, user_id: str
) -> list[Statement]:
    """Statements that give a short note's chunks their vectors in the batch that writes them.

    None for a longer note, without a usable model, or when the model fails: the chunks are then
    pending, and `index_step` comes to them.
    """
    if not pending or len(pending) > INLINE_CHUNKS or ports.vectors is None:
        return []
    if ports.embedder is None or (await semantics(ports, user_id=user_id)).problem:
        return []
    try:
        embedded = await embed_chunks(pending, ports.embedder, ports.database, user_id=user_id)
    except BackendError:
        return []
    return _stored(embedded, ports, user_id=user_id)


def forget_in_followers(note_id: str, *, user_id: str) -> Statement:
    """The statement that has the notes embedded anew that were embedded with this one before them.

    To be run before the note changes or goes.
    """
    return embedding.forget_followers(
        note_id, user_id, within_ms=CONTEXT_WITHIN_MS, notes=CONTEXT_NOTES
    )


def _stored(embedded: Embedded, ports: Ports, *, user_id: str) -> list[Statement]:
    """The statements that put vectors into the index and say whose they are."""
    if ports.embedder is None or ports.vectors is None:
        return []
    model = ports.embedder.model
    statements: list[Statement] = []
    if embedded.done:
        statements += ports.vectors.stage(embedded.entries)
        statements.append(embedding.mark_embedded(model, embedded.done, user_id=user_id))
        statements.append(meta.set_fact_once(meta.EMBEDDING_MODEL, model))
    if embedded.refused:
        statements.append(
            embedding.mark_embedded(model, embedded.refused, user_id=user_id, is_refused=True)
        )
    return statements


def index_shape(embedder: Embedder) -> str:
    """What besides the model's id tells its vectors from others, as a fact of the database."""
    if isinstance(embedder, PoolingEmbedder):
        return f"{embedder.dimensions} {embedder.pooling}"
    return str(embedder.dimensions)


def fits_shape(stored: str | None, embedder: Embedder) -> bool:
    """Whether vectors of this shape are like the embedder's, in all that both say."""
    if stored is None:
        return True
    present = index_shape(embedder)
    return all(one == other for one, other in zip(stored.split(), present.split(), strict=False))


def _problem(embedder: Embedder | None, facts: Row) -> str | None:
    if embedder is None:
        return "No embedding model is configured; only keyword search works."
    model, shape = facts["model"], facts["shape"]
    if model is not None and model != embedder.model:
        return (
            f"The index was made with the model {model}, the present one is {embedder.model}; "
            "only keyword search works until `dome-mcp reindex` has run."
        )
    if not fits_shape(None if shape is None else str(shape), embedder):
        return (
            f"The index was made with {embedder.model} as it was, {shape}, not "
            f"{index_shape(embedder)}; only keyword search works until "
            "`dome-mcp reindex` has run."
        )
    return None

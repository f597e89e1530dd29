"""Vectors follow the notes: how far behind they are, and one step of catching up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dome_mcp.core.errors import BackendError, BackendRejected, InvalidInput
from dome_mcp.core.model import IndexState
from dome_mcp.core.ports import Embedder, Ports, Statement, VectorEntry
from dome_mcp.core.queries import embedding_text, takes_context
from dome_mcp.store import embedding, leases, meta

INLINE_CHUNKS = 8
"""A note of at most so many chunks has its vectors when the call that stores it returns."""

LEASE = timedelta(seconds=30)
"""Longer than a step takes; a process that died is replaced after this time."""

CONTEXT_NOTES = 4
"""More than fill the words of context that a short note takes, where they are short as well."""

_CONTEXT_WITHIN_MS = timedelta(hours=1) // timedelta(milliseconds=1)
"""What was noted longer ago is another conversation."""


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
    pending = int(rows[0]["pending"] or 0)
    stored = rows[0]["model"]
    problem = _problem(ports.embedder, None if stored is None else str(stored))
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
        await ports.database.batch(await _embed_or_refuse(pending, ports, user_id=user_id))
        await ports.vectors.settle()
    left = max(state.state.pending_chunks - len(pending), 0)
    if not left:
        await ports.database.query(leases.give_back_lease(f"index:{user_id}", holder))
    return Step(len(pending), left)


async def begin_reindex(ports: Ports) -> None:
    """Adopts the present model: vectors of another are dropped and their chunks made pending.

    Raises:
        InvalidInput: no embedding model is configured.
    """
    if ports.embedder is None or ports.vectors is None:
        raise InvalidInput(
            "No embedding model is configured.", "Unset DOME_EMBEDDING_MODEL or name a model."
        )
    model = ports.embedder.model
    rows = await ports.database.query(embedding.embedded_otherwise(model))
    stale = [str(row["chunk_id"]) for row in rows]
    await ports.database.batch(
        [
            *ports.vectors.unstage(stale),
            embedding.forget_vectors(model),
            meta.set_fact(meta.EMBEDDING_MODEL, model),
        ]
    )


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
        return await _embed(pending, ports, user_id=user_id)
    except BackendError:
        return []


def forget_in_followers(note_id: str, *, user_id: str) -> Statement:
    """The statement that has the notes embedded anew that were embedded with this one before them.

    To be run before the note changes or goes.
    """
    return embedding.forget_followers(
        note_id, user_id, within_ms=_CONTEXT_WITHIN_MS, notes=CONTEXT_NOTES
    )


async def _embed_or_refuse(
    pending: Sequence[embedding.PendingChunk], ports: Ports, *, user_id: str
) -> list[Statement]:
    """As `_embed`; where the model refuses the batch, each chunk is tried by itself.

    A chunk that it refuses then is left without a vector, found by keyword, so that one bad chunk
    does not keep all later ones waiting.
    """
    try:
        return await _embed(pending, ports, user_id=user_id)
    except BackendRejected:
        if len(pending) == 1:
            return [embedding.mark_embedded(embedding.REFUSED, pending, user_id=user_id)]
    statements: list[Statement] = []
    for chunk in pending:
        statements += await _embed_or_refuse([chunk], ports, user_id=user_id)
    return statements


async def _embed(
    pending: Sequence[embedding.PendingChunk], ports: Ports, *, user_id: str
) -> list[Statement]:
    """The statements that give the chunks their vectors; none without a model and an index."""
    if ports.embedder is None or ports.vectors is None:
        return []
    before = await _noted_before(pending, ports, user_id=user_id)
    texts = [
        embedding_text(item.title, item.heading, item.text, before=before.get(item.chunk_id, ""))
        for item in pending
    ]
    embedded = await ports.embedder.embed_passages(texts)
    entries = [
        VectorEntry(item.chunk_id, vector) for item, vector in zip(pending, embedded, strict=True)
    ]
    return [
        *ports.vectors.stage(entries),
        embedding.mark_embedded(ports.embedder.model, pending, user_id=user_id),
        meta.set_fact_once(meta.EMBEDDING_MODEL, ports.embedder.model),
    ]


async def _noted_before(
    pending: Sequence[embedding.PendingChunk], ports: Ports, *, user_id: str
) -> dict[str, str]:
    """What was noted just before a short note, by chunk id: it often says what the note is about.

    Only where notes share a context, and only what is at most an hour older.
    """
    short = [
        item for item in pending if item.context and not item.ordinal and takes_context(item.text)
    ]
    if not short:
        return {}
    statement = embedding.noted_before(
        short, user_id, within_ms=_CONTEXT_WITHIN_MS, notes=CONTEXT_NOTES
    )
    rows = await ports.database.query(statement)
    return {str(row["chunk_id"]): str(row["before"] or "") for row in rows}


def _problem(embedder: Embedder | None, stored: str | None) -> str | None:
    if embedder is None:
        return "No embedding model is configured; only keyword search works."
    if stored is not None and stored != embedder.model:
        return (
            f"The index was made with the model {stored}, the present one is {embedder.model}; "
            "only keyword search works until `dome-mcp reindex` has run."
        )
    return None

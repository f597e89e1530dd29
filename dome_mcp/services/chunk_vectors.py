"""From chunks to vectors: what is embedded of each, and what happens to those a model refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Embedder, VectorEntry
from dome_mcp.core.queries import embedding_text, takes_context
from dome_mcp.store import embedding
from dome_mcp.store.embedding import PendingChunk

CONTEXT_NOTES = 4
"""More than fill the words of context that a short note takes, where they are short as well."""

CONTEXT_WITHIN_MS = timedelta(hours=1) // timedelta(milliseconds=1)
"""What was noted longer ago is another conversation."""

_HARMLESS = "This text is refused by no model."


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of chunks, and the chunks that the model refuses one by one."""

    entries: tuple[VectorEntry, ...]
    done: tuple[PendingChunk, ...]
    refused: tuple[PendingChunk, ...] = ()


async def embed_chunks(
    pending: Sequence[PendingChunk], embedder: Embedder, database: Database, *, user_id: str
) -> Embedded:
    """The vectors of a user's chunks, each embedded with its title, heading and context.

    Raises:
        BackendRejected: the model refuses one of them.
        BackendError: the model or the database failed.
    """
    before = await _noted_before(pending, database, user_id=user_id)
    texts = [
        embedding_text(item.title, item.heading, item.text, before=before.get(item.chunk_id, ""))
        for item in pending
    ]
    vectors = await embedder.embed_passages(texts)
    entries = [
        VectorEntry(item.chunk_id, vector) for item, vector in zip(pending, vectors, strict=True)
    ]
    return Embedded(tuple(entries), tuple(pending))


async def embed_or_refuse(
    pending: Sequence[PendingChunk], embedder: Embedder, database: Database, *, user_id: str
) -> Embedded:
    """As `embed_chunks`; where the model refuses the batch, each chunk is tried by itself.

    A chunk that it refuses then is left without a vector, found by keyword, so that one bad chunk
    does not keep all later ones waiting.

    Raises:
        BackendRejected: it refuses whatever it is sent, as a service does when the token is wrong.
        BackendError: the model or the database failed.
    """
    try:
        return await embed_chunks(pending, embedder, database, user_id=user_id)
    except BackendRejected:
        if len(pending) == 1:
            await embedder.embed_passages([_HARMLESS])
            return Embedded((), (), tuple(pending))
    parts = [
        await embed_or_refuse([chunk], embedder, database, user_id=user_id) for chunk in pending
    ]
    return Embedded(
        tuple(entry for part in parts for entry in part.entries),
        tuple(chunk for part in parts for chunk in part.done),
        tuple(chunk for part in parts for chunk in part.refused),
    )


async def _noted_before(
    pending: Sequence[PendingChunk], database: Database, *, user_id: str
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
        short, user_id, within_ms=CONTEXT_WITHIN_MS, notes=CONTEXT_NOTES
    )
    rows = await database.query(statement)
    return {str(row["chunk_id"]): str(row["before"] or "") for row in rows}

"""The embedder and the vector index of a Worker, as its bindings and the database's facts say."""

import logging
from typing import TYPE_CHECKING, Any, cast

from dome_mcp.backends.cloudflare.embedding_models import (
    DEFAULT_EMBEDDING_MODEL,
    EMBEDDING_MODELS,
    embedding_model,
)
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_scores import plain_scores
from dome_mcp.core.ports import Database, Embedder, VectorIndex
from dome_mcp.services.indexing import index_shape
from dome_mcp.services.reindexing import index_facts
from dome_mcp.store import meta, vector_ledger
from worker_companions.ai_bindings import VectorizeBindingIndex, binding_embedder

if TYPE_CHECKING:
    from dome_mcp.backends.cloudflare.vectorize_lookup import Ledger

# A module, whose constants pyright takes for literals.
_LEDGER = cast("Ledger", vector_ledger)

_log = logging.getLogger("dome.vectors")


async def vectors_of(env: Any, database: Database) -> tuple[Embedder | None, VectorIndex | None]:
    """The embedder on `env.AI` and the index on `env.VECTORIZE`, each None where it is not usable.

    `DOME_VECTORIZE_INDEX` names the index that is bound. Where the database's vectors are in
    another, or embedded, they are left alone. The first to open a database decides both.

    Raises:
        ConfigurationError: `DOME_EMBEDDING_MODEL` is none that DOME knows how to ask.
        BackendError: the database cannot be read.
    """
    ai, index = getattr(env, "AI", None), getattr(env, "VECTORIZE", None)
    if ai is None:
        return None, None
    facts = await index_facts(database)
    moved_to_model = facts.get(meta.EMBEDDING_NAME, "")
    known = moved_to_model if moved_to_model in EMBEDDING_MODELS else DEFAULT_EMBEDDING_MODEL
    embedder = binding_embedder(
        ai, embedding_model(getattr(env, "DOME_EMBEDDING_MODEL", "") or known)
    )
    bound = str(getattr(env, "DOME_VECTORIZE_INDEX", ""))
    if index is None or not bound:
        return embedder, None
    place = f"{meta.VECTORIZE}{bound}"
    if meta.VECTOR_PLACE not in facts:
        own = {
            meta.EMBEDDING_MODEL: embedder.model,
            meta.EMBEDDING_SHAPE: index_shape(embedder),
            meta.VECTOR_PLACE: place,
        }
        await database.batch([meta.set_fact_once(*each) for each in own.items()])
        facts = await index_facts(database)
    moved_to = facts.get(meta.VECTOR_INDEX)
    if bound != moved_to and (moved_to is not None or facts[meta.VECTOR_PLACE] != place):
        _log.warning("the vectors are not in the index that is bound here, %s", bound)
        return embedder, None
    return embedder, VectorizeVectors(
        VectorizeBindingIndex(index),
        database,
        ledger=_LEDGER,
        score=plain_scores,
        model=embedder.model,
        dimensions=embedder.dimensions,
        known_as=moved_to or vector_ledger.FIRST,
    )

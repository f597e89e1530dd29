"""Compares texts in meaning: each pair's closeness, as core/closeness.py measures it.

None stands for "no model can say so now". A model that fails is no reason to fail: whoever asks
compares words instead.
"""

from collections.abc import Sequence

from dome_mcp.core.closeness import STATEMENTS, Scale
from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Embedder, Vector
from dome_mcp.services.indexing import index_shape

_scales: dict[str, Scale] = {}
"""The scale of each model that this process has compared with, by all that its vectors depend on.

To measure a model costs as much as to embed 32 short texts; they go along with the first ones that
are compared, which is no further request where the model takes so many at once."""


async def question_vector(question: str, embedder: Embedder | None) -> Vector | None:
    """What to search with, and to compare with afterwards."""
    if embedder is None or not embedder.is_ready:
        return None
    try:
        return await embedder.embed_query(question)
    except BackendError:
        return None


async def closeness_to_question(
    asked: Vector | None, texts: Sequence[str], embedder: Embedder | None
) -> list[float] | None:
    """How close each text is to the question that has this vector."""
    if embedder is None or not embedder.is_ready or asked is None:
        return None
    if not texts:
        return []
    try:
        scale, vectors = await _measured(texts, embedder)
    except BackendError:
        return None
    return scale.closeness(asked, vectors)


async def closeness_to_each(
    claims: Sequence[str], texts: Sequence[str], embedder: Embedder | None
) -> list[list[float]] | None:
    """`[c][t]`: how close claim and text are."""
    if embedder is None or not embedder.is_ready:
        return None
    try:
        scale, vectors = await _measured([*claims, *texts], embedder)
    except BackendError:
        return None
    of_texts = vectors[len(claims) :]
    return [scale.closeness(claim, of_texts) for claim in vectors[: len(claims)]]


async def _measured(texts: Sequence[str], embedder: Embedder) -> tuple[Scale, list[Vector]]:
    """The texts' vectors, and the scale to compare them on."""
    key = f"{embedder.model} {index_shape(embedder)}"
    scale = _scales.get(key)
    if scale is not None:
        return scale, await _embedded(texts, embedder)
    vectors = await _embedded([*STATEMENTS, *texts], embedder)
    scale = _scales[key] = Scale.of(vectors[: len(STATEMENTS)])
    return scale, vectors[len(STATEMENTS) :]


async def _embedded(texts: Sequence[str], embedder: Embedder) -> list[Vector]:
    vectors: list[Vector] = []
    for at in range(0, len(texts), embedder.max_batch):
        vectors += await embedder.embed_passages(texts[at : at + embedder.max_batch])
    return vectors

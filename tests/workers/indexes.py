"""A Vectorize index for a test, made as `dome-mcp cloud init` makes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import anyio

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.core.ports import Database, VectorIndex
from dome_mcp.store import vector_ledger

_PATIENCE_SECONDS = 20
_INDEXES = "/vectorize/v2/indexes"


@asynccontextmanager
async def vectorize_index(api: CloudflareApi, *, dimensions: int) -> AsyncIterator[str]:
    """The name of an empty index with its metadata indexes, deleted with the block."""
    name = f"index-{uuid4().hex}"
    config = {"dimensions": dimensions, "metric": "cosine"}
    await _call(api, "POST", _INDEXES, {"name": name, "config": config})
    for property_name, kind in METADATA_INDEXES.items():
        body = {"propertyName": property_name, "indexType": kind}
        await _call(api, "POST", f"{_INDEXES}/{name}/metadata_index/create", body)
    yield name
    await _call(api, "DELETE", f"{_INDEXES}/{name}")


async def _call(api: CloudflareApi, method: str, path: str, body: object = None) -> None:
    await api.call(
        method, path, backend="vectorize", operation="prepare", json=body, is_repeatable=True
    )


def vectors_on(
    index: VectorizeIndex, database: Database, *, model: str, dimensions: int
) -> VectorizeVectors:
    """The driver, with its ledger in the database."""
    return VectorizeVectors(
        index,
        database,
        ledger=vector_ledger,
        score=matrix_scores,
        model=model,
        dimensions=dimensions,
    )


async def settled(vectors: VectorIndex) -> None:
    """Waits until Vectorize has taken in all that is staged."""
    with anyio.fail_after(_PATIENCE_SECONDS):
        while await vectors.settle():
            continue

"""Cosines by the vectors that the ledger holds, by numpy on a worker thread."""

import importlib
from base64 import b64decode
from collections.abc import Mapping
from typing import cast

import anyio.to_thread

from dome_mcp.core.ports import Vector

_VALUE_BYTES = 2


async def matrix_scores(vector: Vector, stored: Mapping[str, str]) -> dict[str, float]:
    """See `vectorize_scores.Scores`."""
    return await anyio.to_thread.run_sync(_cosines, vector, stored)


def _cosines(vector: Vector, stored: Mapping[str, str]) -> dict[str, float]:
    """The cosines by chunk id; a vector of another length is another model's, and left out."""
    # Imported here, in a worker thread: numpy would take a tenth of a second out of a handshake.
    matrix = importlib.import_module("dome_mcp.backends.embedded.matrix")
    packed = {chunk_id: b64decode(embedding) for chunk_id, embedding in stored.items()}
    comparable = {
        chunk_id: data
        for chunk_id, data in packed.items()
        if len(data) == len(vector) * _VALUE_BYTES
    }
    if not comparable:
        return {}
    scores = cast("list[float]", matrix.cosines(vector, list(comparable.values())))
    return dict(zip(comparable, scores, strict=True))

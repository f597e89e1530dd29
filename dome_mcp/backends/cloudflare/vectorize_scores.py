"""Cosines by the vectors that the ledger holds, in the standard library alone: for a Worker.

What has numpy and threads uses matrix_scores.py. Both read the same: base64 of float16 values,
little-endian, and leave out a vector of another length, which is another model's.
"""

import math
import struct
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from operator import mul

from dome_mcp.core.ports import Vector

Scores = Callable[[Vector, Mapping[str, str]], Awaitable[Mapping[str, float]]]
"""The cosine of a vector with each stored one, by chunk id."""


async def plain_scores(vector: Vector, stored: Mapping[str, str]) -> dict[str, float]:
    """See `Scores`. A thousand vectors take a Worker about a tenth of a second."""
    wanted = _unit(vector)
    scores: dict[str, float] = {}
    for chunk_id, embedding in stored.items():
        held = unpacked(embedding)
        if len(held) == len(wanted):
            length = math.hypot(*held) or 1.0
            scores[chunk_id] = max(-1.0, min(1.0, sum(map(mul, wanted, held)) / length))
    return scores


def packed(vector: Vector) -> str:
    """The vector as it is stored."""
    return b64encode(struct.pack(f"<{len(vector)}e", *vector)).decode()


def unpacked(embedding: str) -> tuple[float, ...]:
    """The values of a stored vector."""
    packed = b64decode(embedding)
    return struct.unpack(f"<{len(packed) // 2}e", packed)


def _unit(vector: Vector) -> list[float]:
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]

"""The vectors of the embedded database as they are stored, for another index of the same model."""

import json
import struct
from array import array
from collections.abc import Sequence
from typing import cast

from dome_mcp.core.ports import Database, Statement, Vector, VectorEntry

_READ = """
SELECT c.chunk_id, v.embedding FROM json_each(?1) AS j
JOIN chunks c ON c.chunk_id = j.value JOIN vectors v ON v.chunk_key = c.chunk_key
WHERE length(v.embedding) = CAST(?2 AS INTEGER) ORDER BY j.key"""
_FLOAT16_BYTES = 2


class StoredVectors:
    """Reads vectors of one model; a row of another length is another model's and is left out."""

    def __init__(self, database: Database, *, model: str, dimensions: int) -> None:
        self._database = database
        self._model = model
        self._dimensions = dimensions

    @property
    def model(self) -> str:
        return self._model

    async def read(self, chunk_ids: Sequence[str]) -> Sequence[VectorEntry]:
        """The vectors of these chunks, as far as they have one, in this order.

        They were rounded to 11 bits when they were stored, and are not more exact here.

        Raises:
            BackendError: the database cannot be read, or has no vectors at all.
        """
        params = (json.dumps(chunk_ids), self._dimensions * _FLOAT16_BYTES)
        rows = await self._database.query(Statement(_READ, params))
        return [
            VectorEntry(str(row["chunk_id"]), self._vector(cast("bytes", row["embedding"])))
            for row in rows
        ]

    def _vector(self, stored: bytes) -> Vector:
        return array("f", struct.unpack(f"<{self._dimensions}e", stored))

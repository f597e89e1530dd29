"""Vectors of the next model in the embedded database, beside those that are searched.

They lie in a table of their own, which nothing reads but the batch that makes them the vectors that
are searched. What a chunk had goes when the chunk goes, by the foreign key.
"""

import json
import struct
from collections.abc import Sequence

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Statement, VectorEntry

_FLOAT16_BYTES = 2

_PREPARE = """
CREATE TABLE IF NOT EXISTS next_vectors (
  chunk_key INTEGER NOT NULL REFERENCES chunks (chunk_key) ON DELETE CASCADE,
  model TEXT NOT NULL,
  embedding BLOB NOT NULL,
  PRIMARY KEY (chunk_key, model)
)"""

_ADD = """
INSERT OR REPLACE INTO next_vectors (chunk_key, model, embedding)
SELECT chunk_key, ?4, substr(?2, 1 + entry.key * ?3, ?3)
FROM json_each(?1) AS entry JOIN chunks ON chunk_id = entry.value"""

_SWITCH = (
    "DELETE FROM vectors",
    """
    INSERT INTO vectors (chunk_key, note_key, user_id, embedding)
    SELECT c.chunk_key, c.note_key, c.user_id, v.embedding
    FROM next_vectors v JOIN chunks c ON c.chunk_key = v.chunk_key
    WHERE v.model = ?1 ORDER BY c.chunk_key""",
)

_CLEAN_UP = "DROP TABLE IF EXISTS next_vectors"


class SqliteNextVectors:
    """The next set of vectors (see `services.reindexing.NextVectors`) for one model."""

    def __init__(self, database: Database, *, model: str, dimensions: int) -> None:
        self._database = database
        self._model = model
        self._dimensions = dimensions

    async def is_usable(self) -> bool:
        """True: the table takes vectors of any model."""
        return True

    async def prepare(self) -> None:
        """Makes the table."""
        await self._database.query(Statement(_PREPARE))

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """One statement, however many entries there are.

        Raises:
            BackendRejected: a vector has not the model's dimensions.
        """
        if not entries:
            return []
        packed = b"".join(self._packed(entry) for entry in entries)
        chunk_ids = json.dumps([entry.chunk_id for entry in entries])
        row_bytes = self._dimensions * _FLOAT16_BYTES
        return [Statement(_ADD, (chunk_ids, packed, row_bytes, self._model))]

    async def settle(self) -> int:
        """0: what is staged is in the set when its batch is committed."""
        return 0

    def switch(self) -> Sequence[Statement]:
        """Puts the set in the place of the vectors that were searched."""
        delete, insert = _SWITCH
        return [Statement(delete), Statement(insert, (self._model,))]

    async def clean_up(self) -> None:
        """Takes the table away, and with it the sets of every model."""
        await self._database.query(Statement(_CLEAN_UP))

    def _packed(self, entry: VectorEntry) -> bytes:
        if len(entry.vector) != self._dimensions:
            raise BackendRejected(
                "vectors",
                "check",
                f"A vector has {len(entry.vector)} dimensions, the model {self._dimensions}.",
            )
        return struct.pack(f"<{self._dimensions}e", *entry.vector)

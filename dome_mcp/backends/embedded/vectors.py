"""The vector index in the embedded database: rows for the truth, a matrix in memory for speed.

How they are kept together:

- A vector is a float16 row in the same file as its chunk, written in the same transaction. It goes
  when its chunk goes, by the foreign key, whoever deletes it.
- Rows are never changed, only added under ever larger keys and removed; a trigger logs removals.
  SQLite writes one transaction at a time, so "keys above the last one seen" misses nothing.
- Each process keeps the matrix of each user it searches for. A search asks SQLite's change counter
  whether anybody wrote since, and if so reads the removals and the new rows, in that order: a row
  that moves in between is then in the matrix twice, never absent, and its old key has no row.
- The log keeps the last REMOVALS_KEPT. A process that missed more sees the gap in the numbers and
  loads its matrix again, in less than half a second for 100,000 vectors.
"""

import importlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

import anyio
import anyio.to_thread

from dome_mcp.backends.embedded import vector_integrity
from dome_mcp.backends.embedded.eligibility import Eligible, EligibleNotes
from dome_mcp.backends.embedded.vector_lookup import Found
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import Match, NoteFilter
from dome_mcp.core.ports import Database, Lookup, Row, Statement, Vector, VectorEntry

if TYPE_CHECKING:
    from types import ModuleType

    from dome_mcp.backends.embedded.matrix import Keys, Matrix

REMOVALS_KEPT = 10_000

VECTOR_SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE IF NOT EXISTS vectors (
      vector_key INTEGER PRIMARY KEY AUTOINCREMENT,
      chunk_key INTEGER NOT NULL UNIQUE REFERENCES chunks (chunk_key) ON DELETE CASCADE,
      note_key INTEGER NOT NULL,
      user_id TEXT NOT NULL,
      embedding BLOB NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS vectors_by_user ON vectors (user_id)",
    """
    CREATE TABLE IF NOT EXISTS vector_removals (
      removal_key INTEGER PRIMARY KEY AUTOINCREMENT,
      vector_key INTEGER NOT NULL
    )""",
    f"""
    CREATE TRIGGER IF NOT EXISTS vectors_removed AFTER DELETE ON vectors BEGIN
      INSERT INTO vector_removals (vector_key) VALUES (OLD.vector_key);
      DELETE FROM vector_removals WHERE removal_key <= last_insert_rowid() - {REMOVALS_KEPT};
    END""",  # noqa: S608 - a number of ours
)
"""The tables, as statements that may be run again; `chunks` has to be there."""

_REMOVE = """
DELETE FROM vectors WHERE chunk_key IN (
  SELECT chunk_key FROM chunks WHERE chunk_id IN (SELECT value FROM json_each(?1))
)"""

_ADD = """
INSERT INTO vectors (chunk_key, note_key, user_id, embedding)
SELECT chunk_key, note_key, user_id, substr(?2, 1 + entry.key * ?3, ?3)
FROM json_each(?1) AS entry JOIN chunks ON chunk_id = entry.value"""

_LAST_REMOVAL = "SELECT coalesce(max(removal_key), 0) AS removal_key FROM vector_removals"

_REMOVED = """
SELECT removal_key, vector_key FROM vector_removals WHERE removal_key > ?1 ORDER BY removal_key"""

# A row of another length is another model's: its process is replacing the index under this one.
_ADDED = """
SELECT vector_key, note_key, embedding FROM vectors
WHERE user_id = ?1 AND vector_key > ?2 AND length(embedding) = CAST(?3 AS INTEGER)
ORDER BY vector_key LIMIT ?4"""

_CANDIDATES = """
SELECT chunk_id, embedding FROM vectors JOIN chunks USING (chunk_key)
WHERE vector_key IN (SELECT value FROM json_each(?1))"""

_BACKEND = "vectors"
_PAGE_ROWS = 4096
_FLOAT16_BYTES = 2
_USERS_IN_MEMORY = 16
_MORE_CANDIDATES = 64
"""So many candidates beyond the limit are ranked again by the stored vectors."""


class WatchedDatabase(Database, Protocol):
    """A database that can tell cheaply whether anything was committed since."""

    async def data_version(self) -> int:
        """A number that changes with every commit of any process."""
        ...


@dataclass(slots=True)
class _Partition:
    """One user's matrix and how far it follows the rows; whoever touches it holds the lock."""

    matrix: "Matrix | None" = None
    version: int = -1
    removal_key: int = 0
    lock: anyio.Lock = field(default_factory=anyio.Lock)


class SqliteVectors:
    """The `VectorIndex` port on the embedded database, for the vectors of one model.

    `eligible` gives the statement whose one row holds, in the column `keys`, the note_keys of a
    filter, separated by commas. Nothing is read before the first search or `warm_up`.
    """

    def __init__(
        self,
        database: WatchedDatabase,
        *,
        model: str,
        dimensions: int,
        eligible: Eligible,
    ) -> None:
        self._database = database
        self._model = model
        self._dimensions = dimensions
        self._eligible = EligibleNotes(database, eligible)
        self._partitions: dict[str, _Partition] = {}

    @property
    def model(self) -> str:
        return self._model

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """Two statements, however many entries there are.

        Raises:
            BackendRejected: a vector has not the model's dimensions.
        """
        if not entries:
            return []
        vectors = {entry.chunk_id: entry.vector for entry in entries}
        packed = b"".join(self._packed(vector) for vector in vectors.values())
        chunk_ids = json.dumps(list(vectors))
        row_bytes = self._dimensions * _FLOAT16_BYTES
        return [
            Statement(_REMOVE, (chunk_ids,)),
            Statement(_ADD, (chunk_ids, packed, row_bytes)),
        ]

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        """One statement, however many ids there are."""
        return [Statement(_REMOVE, (json.dumps(list(chunk_ids)),))] if chunk_ids else []

    async def settle(self) -> int:
        """0: what is staged is in the index when its batch is committed."""
        return 0

    async def damage(self) -> tuple[list[str], int]:
        """What the rows say against the chunks (see `vector_integrity.damage`)."""
        row_bytes = self._dimensions * _FLOAT16_BYTES
        return await vector_integrity.damage(self._database, self._model, row_bytes=row_bytes)

    def remove_orphans(self) -> Sequence[Statement]:
        """Removes the vectors that have no chunk."""
        return [vector_integrity.REMOVE_ORPHANS]

    async def warm_up(self, user_id: str) -> None:
        """Loads a user's matrix, so that the first search need not.

        Raises:
            BackendError: the rows cannot be read.
        """
        partition = self._partition(user_id)
        async with partition.lock:
            await self._follow(partition, user_id)

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        """The nearest chunks, with nothing left to ask (see `search`)."""
        return Found(await self.search(user_id, vector, limit=limit, among=among))

    async def search(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Sequence[Match]:
        """The nearest chunks (see `VectorIndex.search`), ties in the order of their ids."""
        self._check(vector)
        notes = None if among.is_empty else await self._eligible.keys(user_id, among)
        if notes is not None and not len(notes):
            return []
        count = limit + _MORE_CANDIDATES
        partition = self._partition(user_id)
        async with partition.lock:
            matrix = await self._follow(partition, user_id)
            keys = await anyio.to_thread.run_sync(_scan, matrix, vector, count, notes)
        rows = await self._database.query(Statement(_CANDIDATES, (json.dumps(keys),)))
        return _best(rows, vector, limit=limit)

    def _partition(self, user_id: str) -> _Partition:
        """The user's partition, now the last to be forgotten."""
        partition = self._partitions.pop(user_id, None) or _Partition()
        self._partitions[user_id] = partition
        if len(self._partitions) > _USERS_IN_MEMORY:
            self._partitions.pop(next(iter(self._partitions)))
        return partition

    async def _follow(self, partition: _Partition, user_id: str) -> "Matrix":
        """The partition's matrix, brought up to date."""
        version = await self._database.data_version()  # first: what follows can only be newer
        matrix = partition.matrix
        if matrix is not None and version == partition.version:
            return matrix
        if matrix is None or not await self._remove(partition, matrix):
            rows = await self._database.query(Statement(_LAST_REMOVAL))
            partition.removal_key = _integer(rows[0], "removal_key")
            matrix = partition.matrix = await anyio.to_thread.run_sync(_empty, self._dimensions)
        await self._add(matrix, user_id)
        partition.version = version
        return matrix

    async def _remove(self, partition: _Partition, matrix: "Matrix") -> bool:
        """Whether the log reached back far enough to apply what was removed."""
        rows = await self._database.query(Statement(_REMOVED, (partition.removal_key,)))
        if not rows:
            return True
        if _integer(rows[0], "removal_key") != partition.removal_key + 1:
            return False
        keys = [_integer(row, "vector_key") for row in rows]
        await anyio.to_thread.run_sync(matrix.remove, keys)
        partition.removal_key = _integer(rows[-1], "removal_key")
        return True

    async def _add(self, matrix: "Matrix", user_id: str) -> None:
        row_bytes = self._dimensions * _FLOAT16_BYTES
        while True:
            # The matrix itself knows its last key: a caller that is cancelled leaves no doubt.
            params = (user_id, matrix.last_key, row_bytes, _PAGE_ROWS)
            rows = await self._database.query(Statement(_ADDED, params))
            if rows:
                await anyio.to_thread.run_sync(_append, matrix, rows)
            if len(rows) < _PAGE_ROWS:
                return

    def _packed(self, vector: Vector) -> bytes:
        self._check(vector)
        return struct.pack(f"<{self._dimensions}e", *vector)

    def _check(self, vector: Vector) -> None:
        if len(vector) != self._dimensions:
            raise BackendRejected(
                _BACKEND,
                "check",
                f"A vector has {len(vector)} dimensions, the model {self._dimensions}.",
            )


def _numeric() -> "ModuleType":
    """The module that needs numpy. It is imported here, in the worker thread of the first search,
    because numpy would take a tenth of a second out of every client's handshake."""
    return importlib.import_module("dome_mcp.backends.embedded.matrix")


def _empty(dimensions: int) -> "Matrix":
    return cast("Matrix", _numeric().Matrix(dimensions))


def _append(matrix: "Matrix", rows: Sequence[Row]) -> None:
    matrix.add(
        [_integer(row, "vector_key") for row in rows],
        [_integer(row, "note_key") for row in rows],
        stored=[_blob(row) for row in rows],
    )


def _scan(matrix: "Matrix", vector: Vector, count: int, notes: "Keys | None") -> list[int]:
    return matrix.nearest(vector, count, note_keys=notes)


def _best(rows: Sequence[Row], vector: Vector, *, limit: int) -> list[Match]:
    if not rows:
        return []
    scores = cast("list[float]", _numeric().cosines(vector, [_blob(row) for row in rows]))
    matches = [Match(str(row["chunk_id"]), score) for row, score in zip(rows, scores, strict=True)]
    matches.sort(key=lambda match: (-match.score, match.chunk_id))
    return matches[:limit]


def _integer(row: Row, column: str) -> int:
    return cast("int", row[column])


def _blob(row: Row) -> bytes:
    return cast("bytes", row["embedding"])

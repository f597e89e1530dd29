"""The vector index in the embedded database: what the suite of its port cannot see."""

import math
import subprocess
import sys
from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import numpy as np
import numpy.typing as npt
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import REMOVALS_KEPT, VECTOR_SCHEMA, SqliteVectors
from dome_mcp.core.errors import BackendRejected, BackendUnavailable
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Row, Statement, VectorEntry
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate

pytestmark = pytest.mark.anyio

Floats = npt.NDArray[np.float32]

DIMENSIONS = 32
USER = "ada"
EVERYTHING = NoteFilter()

_NOTE = """
INSERT INTO notes (note_key, note_id, user_id, title, content_type, content_hash, characters,
  created_at_ms, updated_at_ms, revision)
VALUES (1, 'note', 'ada', '', 'text/plain', '', 0, 0, 0, 1)"""

# Chunks c0, c1 … in any number, with one statement.
_CHUNKS = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
INSERT INTO chunks (chunk_id, note_key, user_id, ordinal, start_offset, end_offset, text,
  content_hash)
SELECT 'c' || n, 1, 'ada', n, 0, 0, '', '' FROM numbers"""

COUNT_REMOVALS = Statement("SELECT count(*) AS n FROM vector_removals")


class Interrupted:
    """A database that fails the n-th query, then works."""

    def __init__(self, database: SqliteDatabase, fails_at: int) -> None:
        self._database = database
        self._queries_left = fails_at

    async def query(self, statement: Statement) -> Sequence[Row]:
        self._queries_left -= 1
        if self._queries_left == 0:
            raise BackendUnavailable("sqlite", "query", "Busy.")
        return await self._database.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self._database.batch(statements)

    async def data_version(self) -> int:
        return await self._database.data_version()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """A database with one note of ada's."""
    async with SqliteDatabase.open(tmp_path / "dome.db") as opened:
        await migrate(opened)
        await opened.batch([*map(Statement, VECTOR_SCHEMA), Statement(_NOTE)])
        yield opened


@pytest.fixture
async def other(database: SqliteDatabase, tmp_path: Path) -> AsyncIterator[SqliteVectors]:
    """The index as another process has it: its own connections, its own matrix."""
    async with SqliteDatabase.open(tmp_path / "dome.db") as opened:
        yield index_in(opened)


def index_in(database: SqliteDatabase | Interrupted) -> SqliteVectors:
    return SqliteVectors(database, model="m", dimensions=DIMENSIONS, eligible=eligible_notes)


def unit_vectors(count: int, *, seed: int = 0) -> Floats:
    """Vectors in clusters, as those of texts are, `(count, DIMENSIONS)`."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(50, DIMENSIONS))
    rows = centres[random.integers(0, 50, count)] + 0.5 * random.normal(size=(count, DIMENSIONS))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


async def fill(database: SqliteDatabase, index: SqliteVectors, vectors: Floats) -> None:
    """Chunks c0, c1 … with these vectors."""
    await database.batch(
        [
            Statement(_CHUNKS, (len(vectors),)),
            *index.stage([entry(number, vector) for number, vector in enumerate(vectors)]),
        ]
    )


def entry(number: int, vector: Floats) -> VectorEntry:
    return VectorEntry(f"c{number}", array("f", vector.tobytes()))


async def found(index: SqliteVectors, vector: Floats, *, limit: int = 10) -> list[str]:
    matches = await index.search(USER, array("f", vector.tobytes()), limit=limit, among=EVERYTHING)
    return [match.chunk_id for match in matches]


async def test_the_ten_nearest_are_those_of_an_exact_search(database: SqliteDatabase) -> None:
    vectors = unit_vectors(9_000)
    index = index_in(database)
    await fill(database, index, vectors)
    queries = unit_vectors(50, seed=1)
    hits = 0
    for query in queries:
        exact = np.argsort(-(vectors @ query))[:10]
        hits += len({f"c{number}" for number in exact} & set(await found(index, query)))
    assert hits >= 0.99 * 10 * len(queries)


async def test_another_process_sees_what_was_added_and_removed(
    database: SqliteDatabase, other: SqliteVectors
) -> None:
    vectors = unit_vectors(3)
    index = index_in(database)
    await fill(database, index, vectors)
    assert set(await found(other, vectors[0])) == {"c0", "c1", "c2"}
    await database.batch(index.unstage(["c0"]))
    assert set(await found(other, vectors[0])) == {"c1", "c2"}
    await database.batch(index.stage([entry(0, vectors[2]), entry(1, vectors[2])]))
    assert await found(other, vectors[2]) == ["c0", "c1", "c2"]


async def test_a_vector_goes_with_its_chunk_whoever_deletes_it(
    database: SqliteDatabase, other: SqliteVectors
) -> None:
    vectors = unit_vectors(2)
    await fill(database, other, vectors)
    assert len(await found(other, vectors[0])) == 2
    await database.query(Statement("DELETE FROM chunks WHERE chunk_id = 'c0'"))
    rows = await database.query(Statement("SELECT count(*) AS n FROM vectors"))
    assert rows[0]["n"] == 1
    assert await found(other, vectors[0]) == ["c1"]


async def test_a_process_that_missed_removals_loads_again(
    database: SqliteDatabase, other: SqliteVectors
) -> None:
    vectors = unit_vectors(200)
    index = index_in(database)
    await fill(database, index, vectors)
    await other.warm_up(USER)
    # More than are candidates are nearer than c0, so a stale matrix would hide c0 behind them.
    same = [entry(number, vectors[1]) for number in range(1, 200)]
    await database.batch(index.stage(same))
    await other.warm_up(USER)
    await database.batch(index.unstage([item.chunk_id for item in same]))
    await database.query(Statement("DELETE FROM vector_removals WHERE removal_key < 300"))
    assert await found(other, vectors[1]) == ["c0"]


async def test_the_log_of_removals_does_not_grow_without_end(database: SqliteDatabase) -> None:
    index = index_in(database)
    count = REMOVALS_KEPT + 500
    vectors = np.ones((count, DIMENSIONS), np.float32) / math.sqrt(DIMENSIONS)
    await fill(database, index, vectors)
    await found(index, vectors[0])
    await database.batch(index.unstage([f"c{number}" for number in range(count)]))
    assert (await database.query(COUNT_REMOVALS))[0]["n"] == REMOVALS_KEPT
    assert await found(index, vectors[0]) == []


@pytest.mark.parametrize("fails_at", range(1, 8))
async def test_a_search_that_fails_is_an_error_and_the_next_one_is_whole(
    database: SqliteDatabase, fails_at: int
) -> None:
    vectors = unit_vectors(5)
    index = index_in(Interrupted(database, fails_at))
    await fill(database, index, vectors)
    failures = 0
    for step in range(4):
        await database.batch(index.unstage([f"c{step}"]))
        await database.batch(index.stage([entry(step, vectors[step])]))
        try:
            hits = await found(index, vectors[0])
        except BackendUnavailable:
            failures += 1
            hits = await found(index, vectors[0])
        assert sorted(hits) == ["c0", "c1", "c2", "c3", "c4"]
    assert failures == 1


async def test_more_users_than_stay_in_memory_are_all_served(database: SqliteDatabase) -> None:
    index = index_in(database)
    vectors = unit_vectors(1)
    await fill(database, index, vectors)
    for number in range(20):
        assert await index.search(f"user{number}", vectors[0], limit=1, among=EVERYTHING) == []
    assert await found(index, vectors[0]) == ["c0"]


async def test_a_vector_of_another_model_is_refused(database: SqliteDatabase) -> None:
    index = index_in(database)
    with pytest.raises(BackendRejected, match="3 dimensions"):
        index.stage([VectorEntry("c0", [1.0, 0.0, 0.0])])
    with pytest.raises(BackendRejected, match="3 dimensions"):
        await index.search(USER, [1.0, 0.0, 0.0], limit=1, among=EVERYTHING)


async def test_rows_of_another_width_are_not_searched(database: SqliteDatabase) -> None:
    vectors = unit_vectors(2)
    index = index_in(database)
    await fill(database, index, vectors)
    wider = "UPDATE vectors SET embedding = zeroblob(1000) WHERE vector_key = 1"
    await database.query(Statement(wider))
    assert await found(index, vectors[0]) == ["c1"]


async def test_running_the_schema_again_keeps_the_vectors(database: SqliteDatabase) -> None:
    vectors = unit_vectors(2)
    index = index_in(database)
    await fill(database, index, vectors)
    await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
    assert len(await found(index, vectors[0])) == 2


async def test_searches_and_writes_at_once_lose_nothing(
    database: SqliteDatabase, other: SqliteVectors
) -> None:
    vectors = unit_vectors(40)
    index = index_in(database)
    await fill(database, index, vectors[:1])
    await database.query(Statement("DELETE FROM chunks"))
    await database.query(Statement(_CHUNKS, (40,)))

    async def write(number: int) -> None:
        await database.batch(index.stage([entry(number, vectors[number])]))
        assert f"c{number}" in await found(other, vectors[number], limit=40)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(write, number)
    assert len(await found(other, vectors[0], limit=50)) == 40


def test_the_index_is_there_without_loading_numpy() -> None:
    code = (
        "import sys, dome_mcp.backends.embedded.vectors, dome_mcp.backends.embedded.models\n"
        "assert not {'numpy', 'onnxruntime', 'simsimd'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""The vector index and the embedder in figures, beside numpy over fp32 rows in the same run.

    python benchmarks/vectors.py [--sizes 10000 100000]

Vectors are synthetic: unit vectors of 384 dimensions around random centres, as far apart as those
of texts are. Times are milliseconds unless they say otherwise.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import numpy as np
import numpy.typing as npt

from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Statement, VectorEntry
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate

DIMENSIONS = 384
CHUNKS_PER_NOTE = 5
QUERIES = 100
USER = "me"
EVERYTHING = NoteFilter()
DAY_MS = 86_400_000

Rows = npt.NDArray[np.float32]

# Note n is of day n; every tenth has the tag "tenth", every second is another user's.
_NOTES = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
INSERT INTO notes (note_id, user_id, title, content_type, content_hash, characters,
  created_at_ms, updated_at_ms, revision)
SELECT 'n' || n, ?2, '', 'text/plain', n, 0, n * CAST(?3 AS INTEGER), 0, 1 FROM numbers"""

_TAGS = """
INSERT INTO note_tags (user_id, name, note_key)
SELECT user_id, 'tenth', note_key FROM notes WHERE note_key % 10 = 0"""

_CHUNKS = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?1)
INSERT INTO chunks (chunk_id, note_key, user_id, ordinal, start_offset, end_offset, text,
  content_hash)
SELECT 'c' || n, note_key, user_id, n, 0, 0, '', ''
FROM numbers JOIN notes ON note_id = 'n' || (n / CAST(?2 AS INTEGER))"""

_TO_OTHER_USERS = "UPDATE vectors SET user_id = 'user' || (note_key % 10)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Figures of the vector index and the embedder.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        anyio.run(report_load, arguments.load)
    else:
        anyio.run(report, arguments.sizes)


async def report(sizes: Sequence[int]) -> None:
    await report_embedder()
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            await report_index(size, Path(folder) / "dome.db")


async def report_embedder() -> None:
    embedder = LazyEmbedder(describe(None, cache=Path()))
    before = resident_mb()
    started = time.perf_counter()
    await embedder.warm_up()
    line("embedder", "load, seconds", time.perf_counter() - started)
    line("embedder", "RSS before and after load, MB", before, resident_mb())
    passages = [f"{number} " + "the plumber comes to fix the sink " * 28 for number in range(64)]
    used = time.process_time()
    for start in range(0, len(passages), embedder.max_batch):
        await embedder.embed_passages(passages[start : start + embedder.max_batch])
    line("embedder", "passages of 200 tokens per CPU second", 64 / (time.process_time() - used))
    used = time.process_time()
    for number in range(100):
        await embedder.embed_passages([f"call Anna about the {number} concert tickets"])
    line("embedder", "CPU ms, a note of one line", (time.process_time() - used) * 10)
    line(
        "embedder",
        "query p50, p95",
        *await timed(lambda number: embedder.embed_query(f"where is the {number} invoice?")),
    )
    line("embedder", "RSS after use, MB", resident_mb())


async def report_index(size: int, path: Path) -> None:
    name = f"{size:,} chunks"
    rows, queries = clustered(size), clustered(QUERIES, seed=1)
    async with SqliteDatabase.open(path) as database:
        started = time.perf_counter()
        await fill(database, rows)
        line(name, "write all, seconds", time.perf_counter() - started)
        loaded = await anyio.run_process([sys.executable, __file__, "--load", str(path)])
        seconds, megabytes = map(float, loaded.stdout.split())
        line(name, "load in a new process, seconds", seconds)
        line(name, "RSS that the load adds, MB", megabytes)
        index = index_in(database)
        line(name, "recall@10 against exact fp32", await recall(index, rows, queries))
        await report_searches(name, index, queries)
        line(name, "numpy fp32 brute force p50, p95", *brute_force(rows, queries))
        await report_change(name, database, index, rows)
        await database.query(Statement(_TO_OTHER_USERS))
        line(
            name, "one of 10 users p50, p95", *await searches(index_in(database), queries, "user3")
        )


async def report_load(path: Path) -> None:
    """Prints how long it takes a process that has done nothing yet, and what memory it costs it."""
    async with SqliteDatabase.open(path) as database:
        index = index_in(database)
        before = resident_mb()
        started = time.perf_counter()
        await index.warm_up(USER)
        seconds = time.perf_counter() - started
        sys.stdout.write(f"{seconds} {resident_mb() - before}\n")


async def report_searches(name: str, index: SqliteVectors, queries: Rows) -> None:
    line(name, "search p50, p95", *await searches(index, queries, USER))
    first = datetime.fromtimestamp(0, UTC)
    filters = {
        "tag of every 10th note": NoteFilter(tags=("tenth",)),
        "first 1,000 days": NoteFilter(since=first, until=datetime(1972, 9, 27, tzinfo=UTC)),
        "all dates": NoteFilter(since=first),
    }
    for label, among in filters.items():
        line(name, f"{label} p50, p95", *await searches(index, queries, USER, among=among))


async def report_change(
    name: str, database: SqliteDatabase, index: SqliteVectors, rows: Rows
) -> None:
    vector = memoryview(rows[0])

    async def change(number: int) -> None:
        await database.batch(index.stage([VectorEntry(f"c{number}", vector)]))
        await index.search(USER, vector, limit=10, among=EVERYTHING)

    line(name, "write a vector, then search p50, p95", *await timed(change))


def index_in(database: SqliteDatabase) -> SqliteVectors:
    return SqliteVectors(database, model="m", dimensions=DIMENSIONS, eligible=eligible_notes)


async def fill(database: SqliteDatabase, rows: Rows) -> None:
    await migrate(database)
    notes = -(-len(rows) // CHUNKS_PER_NOTE)
    await database.batch(
        [
            *map(Statement, VECTOR_SCHEMA),
            Statement(_NOTES, (notes, USER, DAY_MS)),
            Statement(_TAGS),
            Statement(_CHUNKS, (len(rows), CHUNKS_PER_NOTE)),
        ]
    )
    index = index_in(database)
    for start in range(0, len(rows), 1_000):
        some = enumerate(rows[start : start + 1_000], start)
        entries = [VectorEntry(f"c{number}", memoryview(row)) for number, row in some]
        await database.batch(index.stage(entries))


def clustered(count: int, *, seed: int = 0) -> Rows:
    """Unit vectors `(count, DIMENSIONS)` around 500 centres."""
    centres = np.random.default_rng(7).normal(size=(500, DIMENSIONS)).astype(np.float32)
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, DIMENSIONS)).astype(np.float32)
    rows += centres[random.integers(0, 500, count)]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


async def recall(index: SqliteVectors, rows: Rows, queries: Rows) -> float:
    hits = 0
    for query in queries:
        exact = {f"c{number}" for number in np.argsort(-(rows @ query))[:10]}
        matches = await index.search(USER, memoryview(query), limit=10, among=EVERYTHING)
        hits += len(exact & {match.chunk_id for match in matches})
    return hits / (10 * len(queries))


async def searches(
    index: SqliteVectors, queries: Rows, user_id: str, *, among: NoteFilter = EVERYTHING
) -> tuple[float, float]:
    await index.warm_up(user_id)
    vectors = [memoryview(query) for query in queries]
    return await timed(lambda number: index.search(user_id, vectors[number], limit=10, among=among))


def brute_force(rows: Rows, queries: Rows) -> tuple[float, float]:
    times: list[float] = []
    for query in queries:
        started = time.perf_counter()
        scores = rows @ query
        best = np.argpartition(scores, -10)[-10:]
        best[np.argsort(-scores[best])]
        times.append(time.perf_counter() - started)
    return percentiles(times)


async def timed(action: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """p50 and p95 of one run of QUERIES, in milliseconds."""
    times: list[float] = []
    for number in range(QUERIES):
        started = time.perf_counter()
        await action(number)
        times.append(time.perf_counter() - started)
    return percentiles(times)


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(np.array(times) * 1_000, [50, 95])
    return float(p50), float(p95)


def resident_mb() -> float:
    """What the process has in memory now; the peak where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return float("nan")
    return pages * 4096 / 1e6


def line(subject: str, what: str, *figures: float) -> None:
    sys.stdout.write(
        f"{subject:16} {what:40} {'  '.join(f'{figure:9.3f}' for figure in figures)}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()

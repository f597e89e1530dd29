"""What a search costs beyond embedding its query, at 10,000 and 100,000 chunks.

    python benchmarks/search.py [--chunks 10000 100000] [--queries 200]

The texts are drawn from a Zipf-distributed vocabulary and the vectors from clusters, so that no
model has to embed 100,000 chunks; the real model's time for one query is measured beside them.
Prints p50 and p95 in milliseconds for each mode and filter, recall@10 of the vector index against
an exact scan in float32, and the memory of this process.
"""

import argparse
import hashlib
import resource
import tempfile
import time
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import numpy as np

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.model import Document, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.queries import embedding_text
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate

USER = "me"
DIMENSIONS = 384
WORDS_A_CHUNK = 90
START = datetime(2024, 1, 1, tzinfo=UTC)
VOCABULARY = 40_000


class ClusteredEmbedder:
    """Unit vectors around 500 centres, fixed by the text: no model, but a realistic spread."""

    model = "clusters/1"
    dimensions = DIMENSIONS
    max_batch = 512
    is_ready = True

    def __init__(self) -> None:
        self._centres = np.random.default_rng(1).standard_normal((500, DIMENSIONS))

    async def warm_up(self) -> None:
        return

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[array]:
        return [self.vector(text) for text in texts]

    async def embed_query(self, text: str) -> array:
        return self.vector(text)

    def vector(self, text: str) -> array:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        rng = np.random.default_rng(seed)
        values = self._centres[seed % 500] + rng.standard_normal(DIMENSIONS)
        return array("f", (values / np.linalg.norm(values)).astype(np.float32).tobytes())


class Texts:
    """Texts and questions over one vocabulary, with word frequencies as in English."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        self._words = np.array(
            [
                "".join(self._rng.choice(letters, size))
                for size in self._rng.integers(3, 11, VOCABULARY)
            ]
        )
        weights = 1.0 / np.arange(30, VOCABULARY + 30)
        self._weights = weights / weights.sum()

    def text(self, words: int = WORDS_A_CHUNK) -> str:
        return " ".join(self._rng.choice(self._words, words, p=self._weights)) + "."


def note(text: str, number: int) -> NoteDraft:
    labels = Labels(
        tags=(f"tag{number % 7}",),
        context=f"context{number % 50}",
        created_at=START + timedelta(minutes=number),
    )
    return draft_note(Document(text, "text/plain"), labels, user_id=USER, now=START)


async def fill(ports: Ports, texts: Texts, *, chunks: int) -> None:
    """Stores that many notes of one chunk and indexes them."""
    for start in range(0, chunks, 200):
        drafts = [note(texts.text(), start + offset) for offset in range(200)]
        await ingest_many(drafts, ports, user_id=USER, now=START)
    while (await index_step(ports, user_id=USER, holder="bench", now=START, limit=512)).left:
        pass


async def timed(ports: Ports, requests: Sequence[SearchRequest]) -> tuple[float, float]:
    """The p50 and p95 of searches, in milliseconds."""
    times: list[float] = []
    for request in requests:
        start = time.perf_counter()
        result = await search(request, ports, user_id=USER)
        times.append((time.perf_counter() - start) * 1000)
        assert result.passages, request
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))


async def recall(ports: Ports, embedder: ClusteredEmbedder, queries: Sequence[str]) -> float:
    """The share of the exact ten nearest that the index finds."""
    rows = await ports.database.query(
        Statement("SELECT c.chunk_id, c.text, n.title FROM chunks c JOIN notes n USING (note_key)")
    )
    ids = [str(row["chunk_id"]) for row in rows]
    texts = [embedding_text(str(row["title"]), None, str(row["text"])) for row in rows]
    matrix = np.stack([np.frombuffer(embedder.vector(text), np.float32) for text in texts])
    hits = 0
    for query in queries:
        vector = embedder.vector(query)
        exact = np.argsort(-(matrix @ np.frombuffer(vector, np.float32)))[:10]
        found = await ports.vectors.search(USER, vector, limit=10, among=NoteFilter())
        hits += len({ids[at] for at in exact} & {match.chunk_id for match in found})
    return hits / (10 * len(queries))


async def query_embedding_ms(queries: Sequence[str]) -> float:
    """What the real model takes for one query, in milliseconds (p50)."""
    embedder = LazyEmbedder(describe(None, cache=Path(tempfile.gettempdir())))
    await embedder.warm_up()
    times: list[float] = []
    for query in queries[:50]:
        start = time.perf_counter()
        await embedder.embed_query(query)
        times.append((time.perf_counter() - start) * 1000)
    return float(np.percentile(times, 50))


def rss_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


FILTERS = {
    "none": NoteFilter(),
    "tag": NoteFilter(tags=("tag3",)),
    "context": NoteFilter(context="context7"),
    "dates": NoteFilter(since=START + timedelta(days=2), until=START + timedelta(days=60)),
}


async def measure(chunks: int, count: int) -> None:
    texts, embedder = Texts(seed=7), ClusteredEmbedder()
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteDatabase.open(Path(folder) / "dome.db") as database:
            await migrate(database)
            await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
            vectors = SqliteVectors(
                database,
                model=embedder.model,
                dimensions=DIMENSIONS,
                eligible=eligible_notes,
            )
            ports = Ports(database, vectors, FileBlobs(Path(folder) / "blobs"), embedder)
            start = time.perf_counter()
            await fill(ports, texts, chunks=chunks)
            print(f"\n{chunks} chunks, stored and indexed in {time.perf_counter() - start:.0f} s")
            queries = [texts.text(words=8) for _ in range(count)]
            print("filter    mode       p50 ms   p95 ms")
            for name, among in FILTERS.items():
                for mode in ("hybrid", "semantic", "keyword"):
                    requests = [SearchRequest(q, mode=mode, among=among) for q in queries]
                    await search(requests[0], ports, user_id=USER)
                    p50, p95 = await timed(ports, requests)
                    print(f"{name:<9} {mode:<9} {p50:8.2f} {p95:8.2f}")
            print(
                f"recall@10 of the vector index: {await recall(ports, embedder, queries[:50]):.4f}"
            )
            print(f"memory {rss_mb():.0f} MB")
    print(f"for scale, embedding one query: {await query_embedding_ms(queries):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    for chunks in arguments.chunks:
        anyio.run(measure, chunks, arguments.queries)


if __name__ == "__main__":
    main()

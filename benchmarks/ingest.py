"""What storing costs beyond embedding, and how soon many short notes are found by keyword.

    python -m benchmarks.ingest [--documents 300] [--notes 10000]

Documents are Markdown of about 1,000 words with headings, parsed, chunked, stored and indexed as
`dome-mcp ingest` does; the overhead is the CPU time of all that over the CPU time of embedding the
same chunks alone. The short notes are stored in batches and looked up by keyword at once.
"""

import argparse
import tempfile
import time

import anyio

from benchmarks.search import Texts
from dome_mcp.app import Dome, opened
from dome_mcp.background import catch_up
from dome_mcp.core.drafts import Labels
from dome_mcp.core.ports import Statement
from dome_mcp.core.queries import embedding_text
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.settings import load
from dome_mcp.texts import draft_of_text

BATCH = 100
_STORED = "SELECT n.title, c.heading, c.text FROM chunks c JOIN notes n USING (note_key)"


def document(texts: Texts, number: int) -> str:
    sections = [f"## Part {part} of {number}\n\n{texts.text(120)}\n" for part in range(8)]
    return f"# Document {number}\n\n" + "\n".join(sections)


async def store(dome: Dome, bodies: list[str]) -> None:
    """Stores the texts, batch by batch, to be found by keyword."""
    for at in range(0, len(bodies), BATCH):
        drafts = [draft_of_text(dome, body, Labels()) for body in bodies[at : at + BATCH]]
        await ingest_many(drafts, dome.ports, user_id=dome.user_id, now=dome.now())


async def measure_overhead(count: int) -> None:
    texts = Texts(seed=3)
    bodies = [document(texts, number) for number in range(count)]
    with tempfile.TemporaryDirectory() as home:
        async with opened(load({"DOME_HOME": home})) as dome:
            assert dome.ports.embedder is not None
            await dome.ports.embedder.warm_up()
            start = time.process_time()
            await store(dome, bodies)
            stored = time.process_time() - start
            await catch_up(dome)
            whole = time.process_time() - start
            rows = await dome.ports.database.query(Statement(_STORED))
            embedded = [
                embedding_text(str(row["title"]), str(row["heading"]), str(row["text"]))
                for row in rows
            ]
            start = time.process_time()
            await dome.ports.embedder.embed_passages(embedded)
            bare = time.process_time() - start
    print(f"{count} documents, {len(rows)} chunks: {whole:.1f} s CPU, {bare:.1f} s of it embedding")
    print(f"parse, chunk and store alone {stored:.2f} s; overhead {(whole - bare) / bare:.1%}")


async def measure_notes(count: int) -> None:
    bodies = [f"On day {n} the gauge{n} at station {n % 97} read {n * 37}." for n in range(count)]
    with tempfile.TemporaryDirectory() as home:
        settings = load({"DOME_HOME": home, "DOME_EMBEDDING_MODEL": "off"})
        async with opened(settings) as dome:
            start = time.perf_counter()
            await store(dome, bodies)
            seconds = time.perf_counter() - start
            for n in (0, count // 2, count - 1):
                request = SearchRequest(f"gauge{n}", mode="keyword", limit=1)
                found = await search(request, dome.ports, user_id=dome.user_id)
                assert found.passages[0].text == bodies[n]
    print(f"{count} short notes keyword-findable in {seconds:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--notes", type=int, default=10_000)
    arguments = parser.parse_args()
    anyio.run(measure_overhead, arguments.documents)
    anyio.run(measure_notes, arguments.notes)


if __name__ == "__main__":
    main()

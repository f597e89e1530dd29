"""What the real server costs: memory at 10,000 and 100,000 chunks, CPU of a short note.

    python -m benchmarks.footprint [--chunks 10000 100000]

A data folder is filled with synthetic texts and vectors (see search.py), labelled as the carried
model's. Then `dome-mcp` is started on it over stdio, as a client would, searches until model and
vectors are loaded, and stores 200 short notes, each with its vector. Reads /proc, so Linux only.
Also prints what the same notes cost when they are only embedded, in this process, for scale.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

from benchmarks.search import DIMENSIONS, ClusteredEmbedder, Texts, fill
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate

NOTES = 200


def carried() -> LazyEmbedder:
    return LazyEmbedder(describe(None, cache=Path(tempfile.gettempdir())))


async def prepare(home: Path, *, chunks: int) -> None:
    """A data folder with so many chunks, whose vectors pass for the carried model's."""
    embedder = ClusteredEmbedder()
    embedder.model = carried().model
    async with SqliteDatabase.open(home / "dome.db") as database:
        await migrate(database)
        await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
        vectors = SqliteVectors(
            database, model=embedder.model, dimensions=DIMENSIONS, eligible=eligible_notes
        )
        ports = Ports(database, vectors, FileBlobs(home / "blobs"), embedder)
        await fill(ports, Texts(seed=7), chunks=chunks)


def server_process() -> int:
    """The process id of the one server that this process started."""
    for folder in Path("/proc").glob("[0-9]*"):
        parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        if parent == str(os.getpid()) and "dome_mcp" in (folder / "cmdline").read_text():
            return int(folder.name)
    raise RuntimeError("no server process")


def rss_mb(pid: int) -> tuple[float, float]:
    """Resident memory now and at its highest, in MB."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024


def cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


async def measure(chunks: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        await prepare(home, chunks=chunks)
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "dome_mcp"],
            env={**os.environ, "DOME_HOME": str(home), "DOME_COMPANION": "off"},
        )
        async with Client(command) as client:
            texts = Texts(seed=9)
            for _ in range(20):
                await client.call_tool("search", {"query": texts.text(8), "mode": "semantic"})
            await client.call_tool("search", {"query": texts.text(8)})
            pid = server_process()
            now, highest = rss_mb(pid)
            print(f"\n{chunks} chunks: RSS {now:.0f} MB, at most {highest:.0f} MB so far")
            await store_notes(client, pid)


async def store_notes(client: Client, pid: int) -> None:
    notes = [
        f"On day {n} the meter in the cellar read {n * 37} kWh, says Ada." for n in range(NOTES)
    ]
    await client.call_tool("ingest", {"text": "The first note warms everything up."})
    before, start = cpu_ms(pid), time.perf_counter()
    for note in notes:
        stored = await client.call_tool("ingest", {"text": note})
        assert stored.structured_content["status"] == "ready"
    wall, cpu = (time.perf_counter() - start) * 1000, cpu_ms(pid) - before
    print(f"a short note with its vector: {cpu / NOTES:.1f} ms CPU, {wall / NOTES:.1f} ms wall")
    embedder = carried()
    await embedder.warm_up()
    start = time.process_time()
    for note in notes:
        await embedder.embed_passages([note])
    bare = (time.process_time() - start) * 1000
    print(f"only embedded, in this process: {bare / NOTES:.1f} ms CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    for chunks in parser.parse_args().chunks:
        anyio.run(measure, chunks)


if __name__ == "__main__":
    main()

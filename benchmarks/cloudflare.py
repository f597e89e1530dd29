"""What the Cloudflare backend costs beside Cloudflare itself: its own time, and its requests.

    python -m benchmarks.cloudflare [--calls N] [--notes N]

The first table is the client's own time a call (bar: 5 ms), over a transport in memory that answers
at once, with pacing and retries armed and requests to R2 signed. The second is how many requests
one ingest, one search and one answer take, and a push of many notes with their vectors (bar: 200),
over the simulators of the tests. A line ends with OVER where a bar is missed, and so does the exit
code.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import httpx

from dome_mcp.app import Dome, opened
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from dome_mcp.backends.embedded.stored_vectors import StoredVectors
from dome_mcp.background import catch_up
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.model import Document
from dome_mcp.intake import ingest_path
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.moving import Sides, move_user
from dome_mcp.services.moving_check import verify_user
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.settings import load
from tests.simulators.cloudflare.r2 import BUCKET
from tests.simulators.cloudflare.served import Served, served_account
from tests.simulators.cloudflare.vectorize import INDEX_NAME

BAR_MS = 5.0
BAR_REQUESTS = 200
BAR_SEARCH_REQUESTS = 3
DIMENSIONS = 384
MODEL = "@cf/baai/bge-small-en-v1.5"
QUESTION = "Who serviced the boiler?"
NOTE = "# Boiler\n\nThe boiler was serviced in May 2026 by Ulrich Brandt. It cost 238 euros.\n"

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class AtOnce(httpx.AsyncBaseTransport):
    """Answers every request with the same body, without a network, and says what is left."""

    content: bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200,
            headers={
                "Content-Type": "application/json",
                "Ratelimit": '"default";r=1100;t=200',
                "Ratelimit-Policy": '"default";q=1200;w=300',
            },
            content=self.content,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call as DOME makes it: what it sends, and the `result` of the answer."""

    name: str
    path: str
    sends: object
    result: object


def exchanges() -> list[Exchange]:
    vector = [0.0123456789 + number / 7919 for number in range(1024)]
    row = ["01JQ" + "0" * 22, "n" * 26, "A title of some words", "text " * 200, 3, 1.25, None, 7]
    rows = {"columns": [f"column{number}" for number in range(len(row))], "rows": [row] * 100}
    d1 = [{"results": rows, "success": True, "meta": {"duration": 0.3, "rows_read": 100}}]
    matches = [{"id": f"chunk{number:026}#0", "score": 0.7} for number in range(100)]
    sql = {"sql": "SELECT " + "x, " * 300 + "1", "params": ["me"] * 20}
    return [
        Exchange("D1: one row", "/d1/database/x/raw", sql, d1[:0]),
        Exchange("D1: the 100 candidates of a search", "/d1/database/x/raw", sql, d1),
        Exchange(
            "Vectorize: 100 matches",
            "/vectorize/v2/indexes/dome/query",
            {"vector": vector, "topK": 100, "namespace": "me"},
            {"count": 100, "matches": matches},
        ),
        Exchange(
            "Workers AI: a question's vector",
            "/ai/run/@cf/baai/bge-m3",
            {"text": [QUESTION], "truncate_inputs": True},
            {"shape": [1, 1024], "data": [vector]},
        ),
    ]


async def timed(act: Act, times: int) -> list[tuple[float, float]]:
    """Milliseconds by the clock and of the processor, for each time; the first few do not count."""
    found: list[tuple[float, float]] = []
    for number in range(times + 10):
        wall, cpu = time.perf_counter(), time.process_time()
        await act()
        if number >= 10:
            passed = time.perf_counter() - wall, time.process_time() - cpu
            found.append((1000 * passed[0], 1000 * passed[1]))
    return found


async def overhead(calls: int) -> bool:
    """Prints the first table; whether every line is under the bar."""
    print(f"{'own time a call, ms':<40}{'p50':>8}{'p95':>8}{'CPU p50':>10}{'CPU p95':>10}")
    is_under = True
    for each in exchanges():
        envelope = {"success": True, "errors": [], "messages": [], "result": each.result}
        transport = AtOnce(json.dumps(envelope).encode())
        async with CloudflareApi.open(Account("a" * 32, "t"), transport=transport) as api:

            async def act(api: CloudflareApi = api, each: Exchange = each) -> object:
                return await api.call(
                    "POST",
                    each.path,
                    backend="benchmark",
                    operation="call",
                    is_repeatable=True,
                    json=each.sends,
                )

            is_under &= _printed(each.name, await timed(act, calls))
    bucket = Bucket("https://a.r2.cloudflarestorage.com", BUCKET, AccessKey("key", "secret"))
    async with R2Blobs.open(bucket, transport=AtOnce(b"")) as blobs:
        for name, data in (("10 kB", b"x" * 10_000), ("1 MB", b"x" * 1_000_000)):

            async def put(data: bytes = data) -> object:
                return await blobs.put("key", data)

            is_under &= _printed(f"R2: {name} stored, signed", await timed(put, calls))
    return is_under


def _printed(name: str, found: Sequence[tuple[float, float]]) -> bool:
    wall, cpu = (sorted(values) for values in zip(*found, strict=True))
    p95 = int(0.95 * len(found))
    # Of the clock the median, for its tail is what else the machine was doing.
    is_under = statistics.median(wall) < BAR_MS and cpu[p95] < BAR_MS
    print(
        f"{name:<40}{statistics.median(wall):>8.2f}{wall[p95]:>8.2f}"
        f"{statistics.median(cpu):>10.2f}{cpu[p95]:>10.2f}{'' if is_under else '  OVER'}"
    )
    return is_under


def settings_for(served: Served, folder: Path) -> dict[str, str]:
    """The environment of a DOME in the account, whose places are made here."""
    resources = served.resources
    resources.vectorize.create(DIMENSIONS).metadata_indexes.update(METADATA_INDEXES)
    return {
        **served.settings,
        "DOME_HOME": str(folder / "home"),
        "DOME_TIMEZONE": "UTC",
        "DOME_ALLOWED_ROOTS": str(folder),
        "DOME_BACKEND": "cloudflare",
        "DOME_EMBEDDING_MODEL": MODEL,
        "DOME_LLM_MODEL": "@cf/zai-org/glm-4.7-flash",
        "DOME_D1_DATABASE_ID": resources.databases.add("dome"),
        "DOME_VECTORIZE_INDEX": INDEX_NAME,
        "DOME_R2_BUCKET": BUCKET,
        "DOME_QUEUE_ID": "0" * 32,
    }


@dataclass(slots=True)
class Counted:
    """The requests that an account had so far, and since when they are counted."""

    served: Served
    accounts: int = 0
    objects: int = 0

    def restart(self) -> None:
        self.accounts = len(self.served.account.calls)
        self.objects = len(self.served.resources.r2.asked)

    def report(self, name: str, *, bar: int | None = None) -> bool:
        """Prints how many there were since `restart` and to what; whether under the bar."""
        asked = self.served.account.asked[self.accounts :]
        to = Counter(each.partition(" /")[2].partition("/")[0] for each in asked)
        to["r2"] += len(self.served.resources.r2.asked) - self.objects
        total = to.total()
        is_under = bar is None or total <= bar
        parts = ", ".join(f"{count} {service}" for service, count in sorted(to.items()) if count)
        print(f"{name:<40}{total:>8}   {parts}{'' if is_under else '  OVER'}")
        return is_under


async def requests_of_a_day(dome: Dome, counted: Counted) -> bool:
    """Prints what one ingest, one search and one answer take."""
    note = dome.settings.allowed_roots[0] / "boiler.md"
    note.write_text(NOTE, "utf-8")
    counted.restart()
    await ingest_path(dome, str(note), Labels())
    counted.report("one ingest of a file")
    await catch_up(dome)
    counted.restart()
    await search(SearchRequest(QUESTION), dome.ports, user_id=dome.user_id)
    is_under = counted.report("one search", bar=BAR_SEARCH_REQUESTS)
    for name in ("the first answer, quoted", "one answer, quoted"):
        counted.restart()
        quoting = replace(dome.ports, language_model=None)
        await answer(Question(QUESTION), quoting, user_id=dome.user_id)
        counted.report(name)
    counted.restart()
    await answer(Question(QUESTION), dome.ports, user_id=dome.user_id)
    counted.report("one answer, written and checked")
    return is_under


def drafted(number: int, dome: Dome) -> NoteDraft:
    document = Document(f"Item {number} is about a house.", "text/plain")
    return draft_note(document, Labels(), user_id=dome.user_id, now=dome.now())


@asynccontextmanager
async def stocked(notes: int, variables: dict[str, str]) -> AsyncIterator[Dome]:
    """A DOME with its database here and as many notes, whose vectors are Workers AI's."""
    here = {**variables, "DOME_BACKEND": "embedded", "DOME_EMBEDDINGS": "cloudflare"}
    async with opened(load(here)) as dome:
        for start in range(0, notes, 1_000):
            some = [drafted(n, dome) for n in range(start, min(notes, start + 1_000))]
            without = replace(dome.ports, vectors=None)
            await ingest_many(some, without, user_id=dome.user_id, now=dome.now())
        await catch_up(dome)
        yield dome


async def requests_of_a_push(notes: int, source: Dome, target: Dome, counted: Counted) -> bool:
    """Prints what it takes to move so many notes with their vectors, and to compare both sides."""
    assert target.ports.embedder is not None
    vectors = StoredVectors(
        source.ports.database,
        model=target.ports.embedder.model,
        dimensions=target.ports.embedder.dimensions,
    )
    counted.restart()
    sides = Sides(source.ports, target.ports, source.user_id, vectors)
    await move_user(sides)
    if not (await verify_user(sides)).is_equal:
        sys.exit("What arrived is not what was sent.")
    return counted.report(f"{notes:,} notes pushed and compared", bar=BAR_REQUESTS - 1)


async def requests(notes: int) -> bool:
    """Prints the second table; whether every line is under its bar."""
    print(f"\n{'requests':<40}{'in all':>8}   to")
    with served_account() as served, tempfile.TemporaryDirectory() as folder:
        counted = Counted(served)
        async with opened(load(settings_for(served, Path(folder)))) as dome:
            is_under = await requests_of_a_day(dome, counted)
    with served_account() as served, tempfile.TemporaryDirectory() as folder:
        counted = Counted(served)
        variables = settings_for(served, Path(folder))
        async with stocked(notes, variables) as source, opened(load(variables)) as target:
            return await requests_of_a_push(notes, source, target, counted) and is_under


async def run(arguments: argparse.Namespace) -> bool:
    own_time = await overhead(arguments.calls)
    return await requests(arguments.notes) and own_time


def main() -> None:
    parser = argparse.ArgumentParser(description="What the Cloudflare backend itself costs.")
    parser.add_argument("--calls", type=int, default=2_000, help="calls for each line of times")
    parser.add_argument("--notes", type=int, default=10_000, help="notes to push")
    arguments = parser.parse_args()
    sys.exit(0 if anyio.run(run, arguments) else 1)


if __name__ == "__main__":
    main()

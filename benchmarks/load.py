"""The remote endpoint under load: many clients that search and store, and some that misbehave.

    python -m benchmarks.load [--clients 200] [--seconds 600] [--think 4] [--workers 1]
                              [--chunks 10000] [--well-behaved]

A data folder is filled with synthetic texts and vectors (see search.py), then `dome-mcp serve
--http` is started on it as a process. Each client has a token and a connection of its own; it waits
for a moment (exponentially distributed, `--think` seconds on average), then searches by REST (two
times in five), searches by MCP (two in five) or stores a note (one in five). Beside them run slow
readers, half-open connections, malformed and oversized bodies and 10,000 failed logins. Afterwards
every note that was acknowledged is read back. Prints latencies as the clients saw them, the
server's memory over time, and what was wrong; exits with 1 if anything was. Reads /proc, so Linux.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np

from benchmarks.footprint import prepare
from benchmarks.load_abuse import misbehave
from benchmarks.load_client import Connection
from benchmarks.search import USER, Texts
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import EVERYTHING
from dome_mcp.core.ports import Ports
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.services.access import create_token

MEMORY_EVERY_SECONDS = 5.0
WARM_UP_SECONDS = 60


@dataclass
class Seen:
    """What the clients saw: seconds by kind of request, notes acknowledged, what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    stored: list[str] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    abuse: Counter[str] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)


async def make_tokens(home: Path, count: int) -> list[str]:
    """So many tokens of the one user, who may do everything."""
    tokens: list[str] = []
    async with SqliteDatabase.open(home / "dome.db") as database:
        ports = Ports(database, None, FileBlobs(home / "blobs"), None)
        for number in range(count):
            text = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
            await create_token(
                text, ports, user_id=USER, name=f"load {number}", scopes=EVERYTHING,
                now=datetime.now(UTC), expires_at=None,
            )  # fmt: skip
            tokens.append(text)
    return tokens


async def client(port: int, token: str, seen: Seen, texts: Texts, *, think: float) -> None:
    """Searches and stores until it is cancelled."""
    connection = Connection(port, token)
    number = 0
    try:
        while True:
            await asyncio.sleep(random.expovariate(1 / think))
            number += 1
            kind = random.choices(("search", "search over MCP", "store"), (2, 2, 1))[0]
            await step(connection, kind, seen, texts, number=number)
    finally:
        connection.close()


async def step(connection: Connection, kind: str, seen: Seen, texts: Texts, *, number: int) -> None:
    """One request, timed; what is wrong with its answer is a problem."""
    query = texts.text(4)
    start = time.perf_counter()
    try:
        if kind == "search":
            answer = await connection.request("GET", f"/api/search?q={quote(query)}")
            is_right = answer.status == 200 and bool(answer.json()["passages"])
        elif kind == "store":
            body = json.dumps({"text": texts.text(40)}).encode()
            answer = await connection.request("POST", "/api/notes", body)
            is_right = answer.status == 201
        else:
            answer = await connection.call("search", {"query": query}, number=number)
            is_right = answer.status == 200 and not answer.json()["result"]["isError"]
    except (OSError, asyncio.IncompleteReadError, KeyError, ValueError) as error:
        seen.problems[f"{kind}: {type(error).__name__} {error}"[:150]] += 1
        connection.close()
        return
    seen.seconds[kind].append(time.perf_counter() - start)
    if not is_right:
        seen.problems[f"{kind}: {answer.status} {answer.body[:100]!r}"] += 1
    elif kind == "store":
        seen.stored.append(answer.json()["note_id"])


def resident_mb(pid: int) -> float:
    """The memory of a process and its children, pages shared among them counted once for each."""
    pids = [pid]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            pids.append(int(folder.name))
    pages = 0
    for each in pids:
        try:
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


async def watch_memory(pid: int, seen: Seen) -> None:
    while True:
        seen.memory_mb.append(resident_mb(pid))
        await asyncio.sleep(MEMORY_EVERY_SECONDS)


async def warm(port: int, token: str, texts: Texts) -> None:
    """Waits until searches are answered by meaning too."""
    connection = Connection(port, token)
    async with asyncio.timeout(WARM_UP_SECONDS):
        while True:
            try:
                answer = await connection.request("GET", f"/api/search?q={quote(texts.text(4))}")
                if answer.status == 200 and answer.json()["index_state"] == "ready":
                    break
            except OSError:
                connection.close()
            await asyncio.sleep(0.3)
    connection.close()


async def read_back(port: int, token: str, seen: Seen) -> int:
    """How many of the acknowledged notes are not there."""
    connection = Connection(port, token)
    lost = 0
    for note_id in seen.stored:
        answer = await connection.request("GET", f"/api/notes/{note_id}")
        while answer.status == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
            answer = await connection.request("GET", f"/api/notes/{note_id}")
        lost += answer.status != 200
    return lost


def start_server(home: Path, *, workers: int) -> tuple[subprocess.Popen[bytes], int]:
    """The server as a process, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dome_mcp", "serve", "--http", "--port", str(port)]
    variables = {
        **os.environ,
        "DOME_HOME": str(home),
        "DOME_COMPANION": "off",
        "DOME_LOG_LEVEL": "WARNING",
        "DOME_RATE_PER_MINUTE": "100000",
    }
    return subprocess.Popen([*command, "--workers", str(workers)], env=variables), port


async def load(arguments: argparse.Namespace, home: Path) -> tuple[Seen, int]:
    await prepare(home, chunks=arguments.chunks)
    tokens = await make_tokens(home, arguments.clients + 1)
    server, port = start_server(home, workers=arguments.workers)
    try:
        texts, seen = Texts(seed=7), Seen()
        await warm(port, tokens[0], texts)
        await run(arguments, server.pid, port, tokens, seen, texts)
        lost = await read_back(port, tokens[0], seen)
    finally:
        start = time.perf_counter()
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=30)
        print(f"stopped in {time.perf_counter() - start:.1f} s with exit code {code}")
    return seen, lost


async def run(
    arguments: argparse.Namespace,
    pid: int,
    port: int,
    tokens: list[str],
    seen: Seen,
    texts: Texts,
) -> None:
    tasks = [asyncio.create_task(watch_memory(pid, seen))]
    for token in tokens[1:]:
        tasks.append(asyncio.create_task(client(port, token, seen, texts, think=arguments.think)))
    if not arguments.well_behaved:
        tasks.append(
            asyncio.create_task(
                misbehave(port, tokens[0], seen.abuse, seconds=arguments.seconds - 30)
            )
        )
    done, _ = await asyncio.wait(
        tasks, timeout=arguments.seconds, return_when=asyncio.FIRST_EXCEPTION
    )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if error := task.exception():
            seen.problems[f"a client ended: {error!r}"] += 1


def report(seen: Seen, lost: int, seconds: float) -> None:
    total = sum(map(len, seen.seconds.values()))
    print(f"{total} requests in {seconds:.0f} s, {total / seconds:.1f} a second")
    for kind, times in seen.seconds.items():
        p50, p95, p99 = (value * 1000 for value in np.percentile(times, (50, 95, 99)))
        print(
            f"{kind:>16}: {len(times):6} times, p50 {p50:6.1f} ms, p95 {p95:6.1f}, p99 {p99:6.1f}, "
            f"max {max(times) * 1000:.0f}"
        )
    tenths = np.array_split(np.array(seen.memory_mb), min(10, len(seen.memory_mb)))
    parts = [np.median(tenth) for tenth in tenths]
    print("memory in MB, by tenths of the time: " + " ".join(f"{part:.0f}" for part in parts))
    for what, count in sorted(seen.abuse.items()):
        print(f"{count:7} {what}")
    print(f"{len(seen.stored)} notes acknowledged, {lost} of them lost")
    for problem, count in seen.problems.most_common(20):
        print(f"PROBLEM {count} times: {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--think", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--well-behaved", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen, lost = asyncio.run(load(arguments, Path(folder)))
    report(seen, lost, arguments.seconds)
    return 1 if lost or seen.problems else 0


if __name__ == "__main__":
    sys.exit(main())

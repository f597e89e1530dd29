"""Eight processes on one data folder, killed at random: is anything lost, locked or inconsistent?

    python benchmarks/concurrency.py [--seconds 60] [--servers 6]

Six stdio servers ingest and search through real MCP clients, a seventh deletes, and the command
line ingests beside them. Every few hundred milliseconds one of them is killed with SIGKILL and
started again. Then every write that was acknowledged is looked up, and `dome-mcp doctor` checks
rows, full text, vectors and blobs. Prints what was counted; exits with 1 if anything is wrong.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

FIRST_KILL_SECONDS = 4.0
KILL_EVERY_SECONDS = (0.3, 1.2)


@dataclass
class Ledger:
    """What the clients were told: notes acknowledged, deletions asked for and acknowledged."""

    stored: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DOME_HOME": str(home), "DOME_COMPANION": "off"}


def server(home: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-m", "dome_mcp"], env=environment(home)
    )


async def call(client: Client, ledger: Ledger, tool: str, **arguments: object) -> dict | None:
    """The structured result; None for an error, which is kept as a problem."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        text = str(result.content[0])
        if "There is no note" not in text:
            ledger.problems.append(f"{tool}: {text[:200]}")
        return None
    return result.structured_content


async def write_and_search(client: Client, ledger: Ledger, *, name: str) -> None:
    for number in range(sys.maxsize):
        text = f"Client {name} run {time.time_ns()} wrote fact {number} about topic{number % 40}."
        stored = await call(client, ledger, "ingest", text=text, context=name)
        if stored:
            ledger.stored[stored["note_id"]] = text
            ledger.counts["ingested"] += 1
        found = await call(client, ledger, "search", query=f"fact about topic{number % 40}")
        ledger.counts["searched"] += found is not None
        if found is not None and not found["passages"]:
            ledger.problems.append("search: nothing found right after an ingest")


async def delete_some(client: Client, ledger: Ledger, *, name: str) -> None:
    del name
    while True:
        await anyio.sleep(0.2)
        left = [key for key in ledger.stored if key not in ledger.asked]
        if len(left) < 20:
            continue
        note_id = random.choice(left)
        ledger.asked.add(note_id)
        if await call(client, ledger, "delete_note", note_id=note_id):
            ledger.deleted.add(note_id)
            ledger.counts["deleted"] += 1


async def keep_alive(home: Path, ledger: Ledger, work, *, name: str) -> None:
    """Runs a client's work on a server of its own, and starts both again when the server dies."""
    while True:
        try:
            async with Client(server(home)) as client:
                await work(client, ledger, name=name)
        except Exception as error:  # noqa: BLE001  a killed server shows in many ways
            ledger.counts["connections lost"] += 1
            if not is_loss_of_connection(error):
                ledger.problems.append(f"{name}: {error!r}"[:300])


def is_loss_of_connection(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_loss_of_connection, error.exceptions))
    return isinstance(error, (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)) or (
        "onnection closed" in str(error) or "onnection" in type(error).__name__
    )


async def command_line(home: Path, ledger: Ledger) -> None:
    """Ingests a folder of new files again and again, as `dome-mcp ingest` does."""
    folder = home.parent / "files"
    folder.mkdir(exist_ok=True)
    for number in range(sys.maxsize):
        (folder / f"file{number}.md").write_text(f"# File {number}\n\nIts fact is {number * 7}.\n")
        async with await anyio.open_process(
            [sys.executable, "-m", "dome_mcp", "ingest", str(folder), "--json"],
            env={**environment(home), "DOME_ALLOWED_ROOTS": str(folder)},
        ) as process:
            output = b"".join([part async for part in process.stdout])
            errors = b"".join([part async for part in process.stderr])
            code = await process.wait()
        ledger.counts["command line runs"] += 1
        if code > 0 or b"locked" in output + errors:
            ledger.problems.append(f"ingest exited with {code}: {errors[-300:]!r}")


def children() -> list[int]:
    """The process ids of the servers and commands that this process started (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            is_ours = parent == os.getpid() and "dome_mcp" in (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if is_ours:
            found.append(int(folder.name))
    return found


async def kill_at_random(ledger: Ledger) -> None:
    await anyio.sleep(FIRST_KILL_SECONDS)
    while True:
        await anyio.sleep(random.uniform(*KILL_EVERY_SECONDS))
        victims = children()
        if victims:
            os.kill(random.choice(victims), signal.SIGKILL)
            ledger.counts["killed"] += 1


async def check(home: Path, ledger: Ledger) -> None:
    """Looks up every acknowledged write and runs the doctor."""
    async with Client(server(home)) as client:
        for note_id, text in ledger.stored.items():
            result = await client.call_tool("get_note", {"note_id": note_id})
            if note_id in ledger.deleted and not result.is_error:
                ledger.problems.append(f"deleted note {note_id} is still there")
            elif note_id not in ledger.asked and (
                result.is_error or result.structured_content["text"] != text
            ):
                ledger.problems.append(f"acknowledged note {note_id} is lost")
    ledger.counts["looked up"] = len(ledger.stored)
    command = [sys.executable, "-m", "dome_mcp", "doctor", "--json"]
    doctor = await anyio.run_process(command, env=environment(home), check=False)
    if doctor.returncode:
        ledger.problems.append(f"doctor: {doctor.stdout.decode()[-2000:]}")


async def run(seconds: float, servers: int) -> Ledger:
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for number in range(servers):
                    tasks.start_soon(
                        lambda name=f"client{number}": keep_alive(
                            home, ledger, write_and_search, name=name
                        )
                    )
                tasks.start_soon(lambda: keep_alive(home, ledger, delete_some, name="deleter"))
                tasks.start_soon(command_line, home, ledger)
                tasks.start_soon(kill_at_random, ledger)
        await check(home, ledger)
    return ledger


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--servers", type=int, default=6)
    arguments = parser.parse_args()
    ledger = anyio.run(run, arguments.seconds, arguments.servers)
    print(json.dumps(dict(ledger.counts), indent=1))
    print(f"problems: {len(ledger.problems)}")
    for problem in ledger.problems[:20]:
        print(" -", problem)
    sys.exit(1 if ledger.problems else 0)


if __name__ == "__main__":
    main()

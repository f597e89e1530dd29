"""What `dome-mcp cloud deploy` would upload: small, whole, and running as it is."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.streams.text import TextReceiveStream

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.commands.worker_configs import API, read_workers
from dome_mcp.store.schema import migrate
from tests.cli.deploying import wrangler_environment
from tests.companion_workers.local_wrangler import migrated_database

MOST_BYTES = 5_000_000
MOST_COMPRESSED_BYTES = 2_750_000
"""The Free plan takes 3 MB.
Source: https://developers.cloudflare.com/workers/platform/limits/#worker-size (2026-11)."""
WORKERS = [worker.key for worker in read_workers()]
WITH_A_CRON = {worker.key for worker in read_workers() if worker.crons}

_TABLES = """
SELECT name, sql FROM sqlite_schema
WHERE name NOT LIKE '!_%' ESCAPE '!' AND name <> 'd1_migrations' ORDER BY name"""


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `cloud deploy --dry-run` says, without an account; its folder is `folder`."""
    home = tmp_path_factory.mktemp("rehearsed")
    command = ["cloud", "deploy", "--dry-run", "--json", "--folder", str(home / "workers")]
    ran = subprocess.run(
        [sys.executable, "-m", "dome_mcp", *command],
        env={**wrangler_environment(), "DOME_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return {**json.loads(ran.stdout), "folder": home / "workers"}


def test_every_step_is_told_and_nobody_is_asked(rehearsed: dict[str, Any]) -> None:
    outcomes = {step["step"]: step["outcome"] for step in rehearsed["steps"]}
    built = [words for words, outcome in outcomes.items() if outcome is not None]
    deployed = [words.partition(",")[0] for words in built]
    assert deployed == [f"deploy dome-{key}" for key in WORKERS]
    assert any(words.startswith("apply what D1 database dome lacks") for words in outcomes)
    assert "make queue dome-dead-letters where there is none" in outcomes
    assert list(outcomes)[-1] == "wait until dome-cron has run"


@pytest.mark.parametrize("key", WORKERS)
def test_what_goes_out_is_small_and_is_all_that_was_gathered(
    rehearsed: dict[str, Any], key: str
) -> None:
    [outcome] = [
        step["outcome"] for step in rehearsed["steps"] if f"deploy dome-{key}," in step["step"]
    ]
    print(f"\n{key}: {outcome}")
    numbers = re.findall(r"[\d,]*\d", outcome)
    own, vendored, compressed = (int(number.replace(",", "")) for number in numbers)
    assert compressed < MOST_COMPRESSED_BYTES
    # The compiled part of pydantic alone is 4.7 MB before it is compressed.
    assert key == API or own + vendored < MOST_BYTES
    folder = rehearsed["folder"] / key
    packages = {path.name for path in (folder / "python_modules").iterdir()}
    assert "dateutil" in packages
    assert ("pydantic" in packages) == (key == API)
    gathered = relative_files(folder / "build")
    gathered |= {f"python_modules/{each}" for each in relative_files(folder / "python_modules")}
    assert gathered <= relative_files(folder / "upload")


@pytest.mark.anyio
async def test_the_migrations_beside_a_worker_make_the_tables_that_dome_makes(
    rehearsed: dict[str, Any], tmp_path: Path
) -> None:
    theirs = migrated_database(rehearsed["folder"] / "cron", tmp_path)
    ours = tmp_path / "ours"
    async with SqliteDatabase.open(ours) as database:
        await migrate(database)
    assert tables(theirs) == tables(ours)


@pytest.mark.anyio
@pytest.mark.skipif(os.name == "nt", reason="what tells workerd where Pyodide is, is for a shell")
async def test_all_of_it_runs_on_this_machine_by_one_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.companion_workers", "--folder", str(tmp_path)]
    command += ["--port", str(free_port())]
    with anyio.fail_after(120):
        async with await anyio.open_process(command, stderr=subprocess.STDOUT) as local:
            assert local.stdout is not None
            said = ""
            async for text in TextReceiveStream(local.stdout):
                said += text
                if set(re.findall(r"dome-(\w+) ran: ok\n", said)) == WITH_A_CRON:
                    break
            url, token = re.findall(r"DOME_API_\w+=(\S+)", said)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(headers=headers, timeout=60) as client:
                answer = await client.get(f"{url}/api/tasks")
            local.send_signal(signal.SIGINT)
            assert await local.wait() == 0
    assert answer.json() == {"tasks": []}
    print("\nall Workers:", *re.findall(r"Ready .*s\.", said))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tables(file: Path) -> dict[str, str]:
    """What a database consists of, by name, but for what is D1's own."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute(_TABLES).fetchall()
    return {name: sql and " ".join(sql.split()) for name, sql in found}


def relative_files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}

"""`dome-mcp push` as a process against the real D1 and R2: killed, gone on with, and its rows."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Ports, Statement
from tests.services import agenda_for_tests as agenda
from tests.workers.indexes import vectorize_index
from tests.workers.local_cloudflare.running import ACCOUNT_ID, QUEUES, TOKEN, LocalCloudflare

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 120
NOTES = 1_500
LONG = "A long story of the house by the sea. " * 3_000
COMPARED = {
    "notes": "note_id, title, context, content_hash, body, blob_key, body_key, revision",
    "chunks": "chunk_id, ordinal, start_offset, end_offset, text, embedded_with",
    "note_tags": "user_id, name",
}


@dataclass(frozen=True)
class Machine:
    """The program on a machine whose data folder is `home`."""

    home: Path
    environ: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "dome_mcp", *arguments],
            env={**self.environ, "DOME_HOME": str(self.home)},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        """What the program answers as JSON; it has to succeed."""
        process = self.start(*arguments, "--json")
        out, err = process.communicate(stdin, timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, out + err
        return json.loads(out)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """What is in the data folder, but for the numbers that the database gave."""
        connection = apsw.Connection(str(self.home / "dome.db"))
        try:
            return {
                table: sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)  # noqa: S608  names of this module
                for table, columns in COMPARED.items()
            }
        finally:
            connection.close()

    def files(self) -> dict[str, bytes]:
        folder = self.home / "blobs"
        found = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
async def environ(cloudflare: LocalCloudflare, api: CloudflareApi) -> AsyncIterator[dict[str, str]]:
    """The settings of an empty DOME in the account; a machine's own data stays on it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOME_")}
    async with vectorize_index(api, dimensions=384) as index:
        yield {
            **kept,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "DOME_CLOUDFLARE_BASE_URL": cloudflare.account.base_url,
            "DOME_D1_DATABASE_ID": cloudflare.lend_database(),
            "DOME_VECTORIZE_INDEX": index,
            "DOME_R2_BUCKET": cloudflare.lend_bucket(),
            "DOME_R2_ENDPOINT": cloudflare.s3_endpoint,
            "DOME_QUEUE_ID": QUEUES[0],
            "DOME_EMBEDDING_MODEL": "off",
            "DOME_COMPANION": "off",
        }


def stocked(machine: Machine, notes: int) -> Machine:
    """The machine with short notes, each with a tag, and a file."""
    lines = [json.dumps({"text": f"Short note {n}.", "tags": ["short"]}) for n in range(notes)]
    machine.run("ingest", "--jsonl", "-", stdin="\n".join([*lines, json.dumps({"text": LONG})]))
    return machine


async def notes_in(database: D1Database) -> int:
    """How many notes have arrived; none while there are no tables."""
    try:
        (row,) = await database.query(Statement("SELECT count(*) AS notes FROM notes"))
    except BackendError:
        return 0
    return int(str(row["notes"]))


async def test_a_push_that_is_killed_goes_on_and_both_stores_are_equal(
    environ: dict[str, str], api: CloudflareApi, tmp_path: Path
) -> None:
    machine = stocked(Machine(tmp_path / "one", environ), NOTES)
    database = D1Database(api, environ["DOME_D1_DATABASE_ID"])
    push = machine.start("push")
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await notes_in(database):
            assert push.poll() is None
    push.kill()
    push.communicate(timeout=PATIENCE_SECONDS)
    arrived = await notes_in(database)
    assert 0 < arrived < NOTES

    ran = machine.run("push")
    assert ran["verified"] is True
    (user,) = ran["users"].values()
    assert user["moved"]["notes"]["unchanged"] >= arrived
    other = Machine(tmp_path / "other", environ)
    assert other.run("pull")["verified"] is True
    assert other.rows() == machine.rows()
    assert other.files() == machine.files() != {}


async def test_the_rows_that_a_push_is_said_to_write_are_those_that_d1_counts(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """With the vectors of the model that comes with DOME, which are moved with the notes."""
    with_vectors = {**environ, "DOME_EMBEDDINGS": "embedded", "DOME_EMBEDDING_MODEL": ""}
    machine = stocked(Machine(tmp_path / "home", with_vectors), 200)
    async with SqliteDatabase.open(machine.home / "dome.db") as database:
        ports = Ports(database, None, FileBlobs(machine.home / "blobs"), None)
        for number in range(20):
            await agenda.add_task(ports, f"Task {number}", due="+1d", tags=("a", "b"))
            await agenda.add_reminder(ports, text=f"Reminder {number}", at="+1h")
    ran = machine.run("push")
    assert ran["verified"] is True
    assert ran["rows_written"] == pytest.approx(ran["rows_expected"], rel=0.05)

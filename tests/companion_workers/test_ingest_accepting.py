"""A job for the ingest Worker is durable before anybody is woken, and accepted once."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import owner
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.jobs import IngestRequest, Job, JobPolicy
from dome_mcp.core.ports import Database
from dome_mcp.core.uploads import ReceivedFile
from dome_mcp.services import jobs
from dome_mcp.store.schema import migrate
from worker_companions.ingest.accepting import accept_job
from worker_companions.ingest.messages import wake_message
from worker_companions.ingest.places import KIND, waiting_key

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Queue:
    """Keeps what it was sent, with what was durable by then."""

    blobs: FileBlobs
    database: Database
    sent: list[tuple[str, bool, bool]] = field(default_factory=list)
    is_down: bool = False

    async def send(self, bodies: Sequence[str]) -> None:
        if self.is_down:
            raise BackendUnavailable("queues", "send", "The queue cannot be used now.")
        has_row = bool((await jobs.find_job("j1", self.database, user_id="ada")).job_id)
        self.sent += [(body, bool(await self.blobs.keys("incoming")), has_row) for body in bodies]


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await migrate(database)
        yield Queue(FileBlobs(tmp_path / "blobs"), database)


async def accepted(queue: Queue, data: bytes, upload_id: str = "u1") -> Job:
    file = ReceivedFile(upload_id, content_hash(data), len(data), "a.md", None)
    request = IngestRequest(owner("ada"), Labels(), NOW, file=file)
    return await accept_job(
        "j1", request, queue.database, data=data, blobs=queue.blobs, queue=queue, now=NOW
    )


async def test_the_file_and_the_row_are_there_before_anybody_is_woken(queue: Queue) -> None:
    job = await accepted(queue, b"# Boiler")
    assert queue.sent == [(wake_message("j1", "ada"), True, True)]
    assert job.request.file is not None
    assert await queue.blobs.get(waiting_key(job.request.file)) == b"# Boiler"
    claimed = await jobs.claim_job(queue.database, JobPolicy(), now=NOW, given_up="", kind=KIND)
    assert claimed is not None


async def test_a_job_that_is_there_keeps_its_own_file(queue: Queue) -> None:
    first = await accepted(queue, b"# Boiler")
    again = await accepted(queue, b"# Another", "u2")
    assert again.request == first.request
    assert first.request.file is not None
    assert await queue.blobs.keys("incoming") == [waiting_key(first.request.file)]
    same = await accepted(queue, b"# Boiler")
    assert same.request == first.request
    assert await queue.blobs.keys("incoming") == [waiting_key(first.request.file)]


async def test_a_queue_that_is_down_costs_a_minute_and_not_the_job(queue: Queue) -> None:
    queue.is_down = True
    assert (await accepted(queue, b"# Boiler")).state == "queued"

"""What the ingest Worker works on, as others see it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx

from dome_mcp.core.access import owner
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import EVENTS, SECRET
from dome_mcp.core.drafts import Labels
from dome_mcp.core.identifiers import content_hash, sortable_id
from dome_mcp.core.jobs import IngestRequest, Job
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.uploads import ReceivedFile
from dome_mcp.services import jobs
from dome_mcp.services.channels import add_channel
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store.schema import migrate
from tests.companion_workers.remote import (
    Binding,
    RemoteBlobs,
    RemoteDatabase,
    RemoteQueue,
    emptied,
)
from tests.companion_workers.remote_bindings import RemoteBindings
from tests.companion_workers.running import RunningWorkers
from tests.simulators.webhook_sink import WebhookSink
from worker_companions.ingest.messages import wake_message

PATIENCE_SECONDS = 60
DIMENSIONS = 1024
"""Of the default model."""
USER = "me"

_JOBS = "SELECT job_id FROM jobs"


@dataclass
class Intake:
    """The rows, the bucket and the queue that the Worker has, as others see them."""

    ports: Ports
    blobs: RemoteBlobs
    queue: RemoteQueue
    dead: RemoteQueue
    workers: RunningWorkers
    remote: RemoteBindings

    async def accept_text(self, text: str, *, at: datetime | None = None) -> str:
        """A text's job; one of a later time is not begun by the Worker, whoever wakes it."""
        request = IngestRequest(owner(USER), Labels(), now(), text=text)
        return await self._accept(request, at=at or now())

    async def accept_file(self, data: bytes, filename: str) -> str:
        """A file as the API leaves it: in the bucket, then in the rows."""
        upload_id = sortable_id(now(), "file", filename)
        file = ReceivedFile(upload_id, content_hash(data), len(data), filename, None)
        await self.blobs.put(f"incoming/{file.name}", data)
        request = IngestRequest(owner(USER), Labels(), now(), file=file)
        return await self._accept(request, at=now())

    async def _accept(self, request: IngestRequest, *, at: datetime) -> str:
        job_id = sortable_id(now(), USER, "ingest")
        await jobs.accept(job_id, request, self.ports.database, now=at, kind="bucket_ingest")
        return job_id

    async def wake(self, job_id: str) -> None:
        await self.queue.send([wake_message(job_id, USER)])

    async def run_cron(self) -> None:
        assert await self.workers.run_cron("dome-ingest", at=now()) == ["ok"]

    async def job(self, job_id: str) -> Job:
        return await jobs.find_job(job_id, self.ports.database, user_id=USER)

    async def job_that(self, job_id: str, holds: Callable[[Job], bool]) -> Job:
        """The job when it is so."""
        while not holds(job := await self.job(job_id)):
            pass
        return job

    async def only_job(self) -> str:
        """The id of the one job there is, when it is there."""
        while not (rows := await self.ports.database.query(Statement(_JOBS))):
            pass
        (row,) = rows
        return str(row["job_id"])

    async def told(self, job_id: str) -> dict[str, Any]:
        """The job's result, when everybody was told that the ingest is complete."""
        job = await self.job_that(job_id, lambda job: outcome_of(job) not in ("", "pending"))
        return json.loads(job.result or "")

    async def listen(self, sink: WebhookSink, *, events: str = "ingestion_complete") -> None:
        options = ((EVENTS, events), (SECRET, "between us"))
        channel = Channel("hook", USER, "webhook", sink.url("/hook"), options)
        await add_channel(channel, self.ports, user_id=USER, now=now(), allow_private=True)

    async def found(self, query: str) -> list[str]:
        """What search by keyword finds."""
        result = await search(SearchRequest(query, mode="keyword"), self.ports, user_id=USER)
        return [passage.title for passage in result.passages]

    async def count(self, table: str) -> int:
        (row,) = await self.ports.database.query(Statement(f"SELECT count(*) AS n FROM {table}"))  # noqa: S608  a test's own word
        return int(str(row["n"]))

    def pages(self) -> list[int]:
        """How many texts each request of the embedding model had."""
        return [len(body["text"]) for body in self.remote.ai.bodies if "text" in body]


def outcome_of(job: Job) -> str:
    return str(json.loads(job.result or "{}").get("ingestion_complete", ""))


def has_failed(job: Job) -> bool:
    return job.state == "failed"


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def opened_intake(
    client: httpx.AsyncClient, workers: RunningWorkers, remote: RemoteBindings
) -> AsyncIterator[Intake]:
    """An empty database, bucket and index, with a minute for what is to happen."""
    database = await emptied(RemoteDatabase(Binding(client, "DB")))
    await migrate(database)
    blobs = RemoteBlobs(Binding(client, "BLOBS_DOME"))
    for key in await blobs.keys():
        await blobs.delete(key)
    remote.empty("VECTORIZE", dimensions=DIMENSIONS)
    remote.ai.bodies.clear()
    remote.account.calls.clear()
    with anyio.fail_after(PATIENCE_SECONDS):
        yield Intake(
            Ports(database, None, blobs, None),
            blobs,
            RemoteQueue(Binding(client, "MESSAGES_INGEST"), database),
            RemoteQueue(Binding(client, "MESSAGES_INGEST_DEAD"), database),
            workers,
            remote,
        )
    remote.account.work_again()

"""An ingest Worker that is ended anywhere loses nothing, and tells under no second key."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.notify.replies import Reply
from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import owner
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import EVENTS
from dome_mcp.core.drafts import Labels
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.uploads import ReceivedFile
from dome_mcp.services import jobs
from dome_mcp.services.channels import add_channel
from dome_mcp.services.ingestion import is_work_waiting
from dome_mcp.services.notes import list_notes
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from worker_companions.ingest.places import KIND, waiting_key
from worker_companions.ingest.steps import PAGE_CHUNKS, POLICY, Desk, step

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DATA = "\n\n".join(f"# Part {n}\n\n{'Paint the fence green. ' * 12}" for n in range(36)).encode()


@dataclass
class Hook:
    """A `Posting` that keeps the keys it was sent, and may be the call at which all ends."""

    fuse: Fuse
    keys: list[str]

    async def post(
        self,
        url: str,
        channel: Channel,
        *,
        service: str,
        content: bytes,
        headers: Mapping[str, str],
        content_type: str = "application/json",
    ) -> Reply:
        async def take() -> Reply:
            self.keys.append(headers["Idempotency-Key"])
            return Reply(200, b"", None)

        return await self.fuse.through(take)


@dataclass
class Site:
    """What is left when a Worker is ended: the ports, and what the webhook was sent."""

    desk: Desk
    now: datetime = NOW
    keys: list[str] = field(default_factory=list)

    async def run(self, fuse: Fuse) -> bool:
        """Does steps until nothing is left to do; returns whether the fuse ended them."""
        hook = WebhookNotifier(Hook(fuse, self.keys), clock=lambda: self.now)
        ports = with_fuse(self.desk.ports, fuse)
        desk = replace(self.desk, ports=ports, webhook=hook, clock=lambda: self.now)
        try:
            while await step(desk):
                pass
        except Crash:
            return True
        return False


async def as_it_is(data: bytes, *, filename: str) -> str:
    return data.decode()


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """A file that was accepted, of a user whose webhook wants to hear of it."""
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, folder, WordEmbedder())
        file = ReceivedFile("u1", content_hash(DATA), len(DATA), "plan.html", None)
        await ports.blobs.put(waiting_key(file), DATA)
        request = IngestRequest(owner("ann"), Labels(), NOW, file=file)
        await jobs.accept("j1", request, database, now=NOW, kind=KIND)
        options = ((EVENTS, "ingestion_complete"),)
        hook = Channel("hook", "ann", "webhook", "https://host.example/", options)
        await add_channel(hook, ports, user_id="ann", now=NOW, allow_private=False)
        nobody = WebhookNotifier(Hook(Fuse(), []), clock=lambda: NOW)
        yield Site(Desk(ports, as_it_is, nobody, lambda: NOW))


async def check_done_once(site: Site, where: str) -> None:
    ports = site.desk.ports
    page = await list_notes(NoteFilter(), ports, user_id="ann")
    assert [(note.title, note.pending) for note in page.notes] == [("plan", 0)], where
    job = await jobs.find_job("j1", ports.database, user_id="ann")
    result = json.loads(job.result or "{}")
    assert (job.state, result["duplicate"]) == ("done", False), where
    assert (result["status"], result["ingestion_complete"]) == ("ready", "sent"), where
    assert set(site.keys) == {"j1:hook"}, where
    assert not await is_work_waiting(ports, KIND, now=site.now), where


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_is_ended_at_any_call_is_followed_by_one_that_finishes(
    moment: Moment, tmp_path: Path
) -> None:
    async with site(tmp_path / "whole") as whole:
        fuse = Fuse()
        assert not await whole.run(fuse)
        await check_done_once(whole, "without a crash")
        assert len(whole.keys) == 1
        assert await whole.desk.ports.blobs.keys("incoming") == []
        embedder = whole.desk.ports.embedder
        assert isinstance(embedder, WordEmbedder)
        assert len(embedder.embedded) > PAGE_CHUNKS
    for call in range(fuse.calls):
        where = f"after an end {moment} call {call}"
        async with site(tmp_path / f"{call}") as ended:
            assert await ended.run(Fuse(call, moment)), where
            ended.now += POLICY.lease + timedelta(seconds=1)
            assert not await ended.run(Fuse()), where
            await check_done_once(ended, where)

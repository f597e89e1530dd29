"""A process that dies anywhere between a file's arrival and the end of its job loses nothing."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import Principal
from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted
from dome_mcp.core.jobs import IngestRequest, Job, JobPolicy
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import BlobStore, Database, Ports, Row, Statement
from dome_mcp.remote import jobs as running
from dome_mcp.remote.spool import Spool
from dome_mcp.services import jobs
from dome_mcp.services.audit import list_entries, record
from dome_mcp.services.notes import list_notes
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.serving import settings_in

pytestmark = pytest.mark.anyio

ANN = Principal("ann", frozenset({"notes:write"}), credential="t1")
STARTED = datetime(2026, 3, 1, 9, tzinfo=UTC)
TEXT = b"# The plan\n\n" + b"Paint the fence green. " * 4000

AT_ONCE = JobPolicy(lease_seconds=0, renew_seconds=60, retry_seconds=(0,), max_failures=100)
"""Whoever died has lost the job by the time the next one looks."""


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[Dome]:
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, home, WordEmbedder())
        yield Dome.of_owner(settings_in(home), ports, holder="test")


def over(dome: Dome, ports: Ports) -> Dome:
    return replace(dome, ports=ports)


async def send(dome: Dome) -> Job:
    """What POST /api/ingest does with a large file, and with its repetition."""
    asking = dome.acting(ANN).at(STARTED)
    async with Spool.of(dome.settings).receiving() as incoming:
        await incoming.write(TEXT)
        await incoming.flush()
        return await running.accept_file(
            asking,
            incoming,
            job_id="j1",
            labels=Labels(tags=("a",)),
            filename="plan.md",
            declared_type=None,
        )


async def work(dome: Dome) -> None:
    """One turn of the loop, until nothing is left to claim."""
    while job := await jobs.claim_job(
        dome.ports.database, AT_ONCE, now=dome.now(), given_up="given up"
    ):
        await running.run_job(dome, job, AT_ONCE)


async def until_crash(dome: Dome, fuse: Fuse) -> bool:
    """Sends the file and does the job; returns whether the process died of the fuse."""
    broken = over(dome, with_fuse(dome.ports, fuse))
    try:
        await send(broken)
        await work(broken)
    except BaseException as error:
        if isinstance(error, BaseExceptionGroup):
            died = error.subgroup(Crash) is not None
        else:
            died = isinstance(error, Crash)
        if not died:
            raise
        return True
    return False


def names_in(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())


async def check_stored_once(dome: Dome, where: str) -> None:
    page = await list_notes(NoteFilter(), dome.ports, user_id="ann")
    assert [note.title for note in page.notes] == ["The plan"], where
    job = await jobs.find_job("j1", dome.ports.database, user_id="ann")
    assert job.state == "done", where
    assert '"duplicate": false' in (job.result or ""), where
    assert page.notes[0].note_id in (job.result or ""), where


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_at_any_port_call_loses_nothing_and_stores_one_note(
    moment: Moment, tmp_path: Path
):
    async with world(tmp_path / "whole") as dome:
        fuse = Fuse()
        assert not await until_crash(dome, fuse)
        await check_stored_once(dome, "without a crash")
        assert names_in(Spool.of(dome.settings)) == []
    assert fuse.calls > 5
    for call in range(fuse.calls):
        where = f"after a crash {moment} call {call}"
        async with world(tmp_path / f"crash{call}") as dome:
            assert await until_crash(dome, Fuse(call, moment)), where
            rows = await dome.ports.database.query(Statement("SELECT state FROM jobs"))
            if not rows:  # No answer was given, so the client asks again.
                await send(dome)
            await work(dome)
            await check_stored_once(dome, where)


@dataclass
class Halting:
    """A blob store that stops at a `put`: for good, or with an error so many times."""

    inner: BlobStore
    failures: int | None = None
    reached: anyio.Event = field(default_factory=anyio.Event)

    async def put(self, key: str, data: bytes) -> None:
        self.reached.set()
        if self.failures is None:
            await anyio.sleep_forever()
        elif self.failures:
            self.failures -= 1
            raise BackendUnavailable("blobs", "put", "The store does not answer.")
        await self.inner.put(key, data)

    async def get(self, key: str) -> bytes:
        return await self.inner.get(key)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        return await self.inner.keys(prefix)


async def test_a_job_is_handed_back_by_a_server_that_shuts_down(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        await send(dome)
        stuck = Halting(dome.ports.blobs)
        with anyio.fail_after(10):
            async with running.running_jobs(over(dome, replace(dome.ports, blobs=stuck))):
                await stuck.reached.wait()
        job = await jobs.find_job("j1", dome.ports.database, user_id="ann")
        assert (job.state, job.attempt, job.failures) == ("queued", 1, 0)
        await work(dome)
        await check_stored_once(dome, "after the hand-back")


@dataclass
class SettlingUnheard:
    """A database whose caller is still waiting when the end of a job has long been written."""

    inner: Database
    reached: anyio.Event = field(default_factory=anyio.Event)

    async def query(self, statement: Statement) -> Sequence[Row]:
        rows = await self.inner.query(statement)
        if rows and rows[0].get("state") == "done" and not self.reached.is_set():
            self.reached.set()
            await anyio.sleep_forever()
        return rows

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self.inner.batch(statements)


async def test_a_server_that_shuts_down_while_a_job_ends_leaves_no_file(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        await send(dome)
        unheard = SettlingUnheard(dome.ports.database)
        with anyio.fail_after(10):
            async with running.running_jobs(over(dome, replace(dome.ports, database=unheard))):
                await unheard.reached.wait()
        await check_stored_once(dome, "after the shutdown")
        assert names_in(Spool.of(dome.settings)) == []


async def test_a_worker_that_lost_its_lease_stops_and_changes_nothing(tmp_path: Path):
    policy = JobPolicy(lease_seconds=0, renew_seconds=0.01, max_failures=100)
    outcome: list[Job | None] = []
    async with world(tmp_path / "home") as dome:
        stuck = Halting(dome.ports.blobs)

        async def run_stale(stale: Job) -> None:
            stuck_dome = over(dome, replace(dome.ports, blobs=stuck))
            outcome.append(await running.run_job(stuck_dome, stale, policy))

        await send(dome)
        stale = await jobs.claim_job(dome.ports.database, policy, now=dome.now(), given_up="")
        assert stale is not None
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run_stale, stale)
                await stuck.reached.wait()
                await work(dome)
        assert outcome == [None]
        await check_stored_once(dome, "by the next")


async def test_a_backend_that_is_down_for_a_while_costs_only_time(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        await send(dome)
        failing = Halting(dome.ports.blobs, failures=2)
        await work(over(dome, replace(dome.ports, blobs=failing)))
        await check_stored_once(dome, "once it is back")
        job = await jobs.find_job("j1", dome.ports.database, user_id="ann")
        assert job.failures == 2


async def test_what_takes_too_long_fails_and_makes_room(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        await send(dome)
        stuck = over(dome, replace(dome.ports, blobs=Halting(dome.ports.blobs)))
        policy = JobPolicy(longest_seconds=0.05)
        with anyio.fail_after(10):
            job = await jobs.claim_job(
                dome.ports.database, policy, now=dome.now(), given_up="given up"
            )
            assert job is not None
            settled = await running.run_job(stuck, job, policy)
        assert settled is not None
        assert settled.state == "failed"
        assert "takes longer" in (settled.problem or "")
        assert names_in(Spool.of(dome.settings)) == []


@dataclass
class Full:
    """A database that has no room for a job."""

    inner: Database

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        raise QuotaExhausted("sqlite", "batch", "There is no room on the disk.")


async def test_a_file_whose_job_was_not_accepted_is_gone_and_one_that_was_stays(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        full = over(dome, replace(dome.ports, database=Full(dome.ports.database)))
        with pytest.raises(QuotaExhausted):
            await send(full)
        assert names_in(Spool.of(dome.settings)) == []
        await send(dome)
        with pytest.raises(QuotaExhausted):
            await send(full)  # the same request again, after its answer was lost
        await work(dome)
        await check_stored_once(dome, "after all")


async def test_of_several_processes_each_job_is_done_by_one(tmp_path: Path):
    home = tmp_path / "home"
    async with SqliteDatabase.open(home / "dome.db") as database:
        ports = await make_ports(database, home, WordEmbedder())
        asking = Dome.of_owner(settings_in(home), ports, holder="test").acting(ANN).at(STARTED)
        for number in range(12):
            request = IngestRequest(ANN, Labels(), STARTED, text=f"Plan {number}.")
            await jobs.accept(f"j{number}", request, database, now=asking.now())
    done: list[str] = []

    async def process() -> None:
        async with SqliteDatabase.open(home / "dome.db") as database:
            ports = await make_ports(database, home, WordEmbedder())
            dome = Dome.of_owner(settings_in(home), ports, holder="test")
            while job := await jobs.claim_job(database, JobPolicy(), now=dome.now(), given_up=""):
                assert await running.run_job(dome, job) is not None
                done.append(job.job_id)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(process)
    assert sorted(done) == sorted(f"j{number}" for number in range(12))


async def test_what_is_over_is_swept_and_what_is_not_is_kept(tmp_path: Path):
    async with world(tmp_path / "home") as dome:
        spool = Spool.of(dome.settings)
        await send(dome)
        kept = names_in(spool)
        old = datetime.now(UTC) - timedelta(days=1, minutes=1)
        long_ago = AuditEntry(old - timedelta(days=90), "me", "", "", "POST /x", "n1", "ok")
        await record([long_ago], dome.ports)
        for name in ("orphan-0123", "left.part"):
            (spool.folder / name).write_bytes(b"x")
        await running.sweep(dome)
        assert (await list_entries(dome.ports, user_id=None)).entries == ()
        assert names_in(spool) == sorted([*kept, "orphan-0123", "left.part"])
        for path in spool.folder.iterdir():
            os.utime(path, (old.timestamp(), old.timestamp()))
        await running.sweep(dome)
        assert names_in(spool) == kept

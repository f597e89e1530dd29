"""Ingest jobs in steps: what stands in a job's result from the storing to the last word."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.access import Principal
from dome_mcp.core.drafts import Labels
from dome_mcp.core.jobs import IngestRequest, Job, JobKind, JobPolicy, after_success
from dome_mcp.core.model import Document, Original
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services import ingestion, jobs
from dome_mcp.services.indexing import index_step
from dome_mcp.services.notes import get_note
from tests.services.notes_for_tests import long_document

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANN = Principal("ann", frozenset({"notes:write"}), credential="t1", zone=ZoneInfo("Asia/Tokyo"))
KIND: JobKind = "bucket_ingest"
NOTE = Document("The valve sticks.", "text/plain", title="Valve")


def asked() -> IngestRequest:
    return IngestRequest(ANN, Labels(), NOW, text="-")


async def done(ports: Ports, document: Document, job_id: str = "j1") -> Job:
    """A job whose document was stored."""
    await jobs.accept(job_id, asked(), ports.database, now=NOW, kind=KIND)
    job = await claimed(ports)
    result = await ingestion.take_in(document, asked(), ports, original=None)
    settled = await jobs.settle(
        job, after_success(job, json.dumps(result), now=NOW), ports.database, now=NOW
    )
    assert settled is not None
    return settled


async def claimed(ports: Ports, *, now: datetime = NOW) -> Job:
    job = await jobs.claim_job(ports.database, JobPolicy(), now=now, given_up="", kind=KIND)
    assert job is not None
    return job


async def ready(ports: Ports) -> list[str]:
    return [job.job_id for job in await ingestion.ready_jobs(ports, limit=10)]


def result_of(job: Job) -> dict[str, object]:
    return json.loads(job.result or "")


async def test_a_long_note_is_ready_when_its_last_chunk_has_its_vector(ports: Ports) -> None:
    job = await done(ports, long_document(40))
    assert (result_of(job)["status"], result_of(job)["ingestion_complete"]) == (
        "indexing",
        "pending",
    )
    assert await ready(ports) == []
    step = await index_step(ports, user_id="ann", holder="h", now=NOW, limit=39)
    assert step.left == 1
    assert await ready(ports) == []
    assert await ingestion.is_work_waiting(ports, KIND, now=NOW)
    await index_step(ports, user_id="ann", holder="h", now=NOW)
    assert await ready(ports) == ["j1"]
    job = await jobs.find_job("j1", ports.database, user_id="ann")
    assert result_of(job)["status"] == "ready"


async def test_what_was_told_is_told_no_more_and_keeps_its_first_outcome(ports: Ports) -> None:
    job = await done(ports, NOTE)
    assert await ingestion.is_work_waiting(ports, KIND, now=NOW)
    await ingestion.note_told(job, "sent", ports.database)
    await ingestion.note_told(job, "failed", ports.database)
    assert await ready(ports) == []
    assert not await ingestion.is_work_waiting(ports, KIND, now=NOW)
    job = await jobs.find_job("j1", ports.database, user_id="ann")
    assert result_of(job)["ingestion_complete"] == "sent"


async def test_a_job_of_a_process_that_tells_nobody_is_never_told_of(ports: Ports) -> None:
    await jobs.accept("j1", asked(), ports.database, now=NOW, kind=KIND)
    job = await claimed(ports)
    plain = after_success(job, '{"note_id": "n1", "status": "ready"}', now=NOW)
    await jobs.settle(job, plain, ports.database, now=NOW)
    assert await ready(ports) == []


async def test_a_job_done_twice_is_one_note_and_no_duplicate(ports: Ports) -> None:
    first = await ingestion.take_in(NOTE, asked(), ports, original=None)
    again = await ingestion.take_in(NOTE, asked(), ports, original=None)
    assert again == first
    later = IngestRequest(ANN, Labels(), NOW + timedelta(days=1), text="-")
    other = await ingestion.take_in(NOTE, later, ports, original=None)
    assert (other["note_id"], other["duplicate"]) == (first["note_id"], True)


async def test_a_date_without_a_zone_is_of_the_users_clock(ports: Ports) -> None:
    dated = Document("x y", "text/plain", created_at=datetime(2026, 2, 3, 12))
    result = await ingestion.take_in(dated, asked(), ports, original=None)
    note = await get_note(str(result["note_id"]), ports, user_id="ann")
    assert note.created_at == datetime(2026, 2, 3, 3, tzinfo=UTC)


async def test_a_files_name_is_its_source_where_the_labels_name_none(ports: Ports) -> None:
    file = Original(b"The valve sticks.", "valve.txt")
    result = await ingestion.take_in(NOTE, asked(), ports, original=file)
    note = await get_note(str(result["note_id"]), ports, user_id="ann")
    assert note.source == "valve.txt"


async def test_each_kind_of_job_is_done_by_those_who_have_its_file(ports: Ports) -> None:
    await jobs.accept("of a process", asked(), ports.database, now=NOW)
    database = ports.database
    assert await jobs.claim_job(database, JobPolicy(), now=NOW, given_up="", kind=KIND) is None
    assert not await ingestion.is_work_waiting(ports, KIND, now=NOW)
    mine = await jobs.claim_job(database, JobPolicy(), now=NOW, given_up="")
    assert mine is not None
    assert mine.job_id == "of a process"
    much_later = NOW + timedelta(hours=1)
    policy = JobPolicy(max_failures=1)
    await jobs.claim_job(database, policy, now=much_later, given_up="{}", kind=KIND)
    assert (await jobs.find_job("of a process", database, user_id="ann")).state == "running"


async def test_a_dead_letter_ends_a_job_that_nobody_works_on(ports: Ports) -> None:
    await jobs.accept("j1", asked(), ports.database, now=NOW, kind=KIND)

    async def bury(*, user_id: str = "ann", now: datetime = NOW) -> str:
        await jobs.dead_letter("j1", ports.database, user_id=user_id, problem="{}", now=now)
        return (await jobs.find_job("j1", ports.database, user_id="ann")).state

    assert await bury(user_id="bob") == "queued"
    await claimed(ports)
    assert await bury() == "running"
    assert await bury(now=NOW + JobPolicy().lease) == "failed"
    (row,) = await ports.database.query(Statement("SELECT problem FROM jobs"))
    assert row["problem"] == "{}"

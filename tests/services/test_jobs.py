"""Jobs and uploads: accepted once, done by one, theirs alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.access import Principal
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import Conflict, Forbidden, NotFound
from dome_mcp.core.jobs import (
    IngestRequest,
    Job,
    JobPolicy,
    JobSettlement,
    after_hand_back,
    after_success,
)
from dome_mcp.core.ports import Database, Ports, Statement
from dome_mcp.core.uploads import ReceivedFile, Upload
from dome_mcp.services import jobs, uploads
from dome_mcp.services.housekeeping import keep_house

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = JobPolicy(lease_seconds=30, max_failures=3)
ANN = Principal("ann", frozenset({"notes:write"}), credential="t1", zone=ZoneInfo("Asia/Tokyo"))
BOB = Principal("bob", frozenset({"notes:write", "admin"}), credential="t2")
FILE = ReceivedFile("u1", "f" * 64, 3, "a.txt", "text/plain")


def later(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def asked(principal: Principal = ANN, *, file: ReceivedFile | None = None) -> IngestRequest:
    labels = Labels("T", ("a", "b"), "c", "s", created_at=later(days=-3))
    return IngestRequest(principal, labels, NOW, text=None if file else "Words.", file=file)


def announced(upload_id: str = "u1", user_id: str = "ann") -> Upload:
    return Upload(
        *(upload_id, user_id, "a.txt", "text/plain", None),
        max_bytes=100,
        state="open",
        created_at=NOW,
        expires_at=later(hours=1),
    )


async def accept(ports: Ports, job_id: str = "j1", principal: Principal = ANN) -> Job:
    job, _ = await jobs.accept(job_id, asked(principal), ports.database, now=NOW)
    return job


async def claim(ports: Ports, now: datetime = NOW) -> Job | None:
    return await jobs.claim_job(ports.database, POLICY, now=now, given_up="given up")


async def claimed(ports: Ports, now: datetime = NOW) -> Job:
    job = await claim(ports, now)
    assert job is not None
    return job


async def names(database: Database, table: str, key: str) -> list[str]:
    rows = await database.query(Statement(f"SELECT {key} FROM {table} ORDER BY 1"))  # noqa: S608  names of this module
    return [str(row[key]) for row in rows]


@pytest.mark.parametrize("file", [None, FILE])
async def test_a_job_is_what_was_asked_for(ports: Ports, file: ReceivedFile | None):
    job, is_new = await jobs.accept("j1", asked(file=file), ports.database, now=NOW)
    assert is_new
    assert (job.state, job.attempt, job.failures) == ("queued", 0, 0)
    assert job.request == asked(file=file)
    assert await jobs.find_job("j1", ports.database, user_id="ann") == job


async def test_a_job_accepted_again_is_the_same_one(ports: Ports):
    first = await accept(ports)
    other = replace(asked(), text="Other words.")
    again, is_new = await jobs.accept("j1", other, ports.database, now=later(hours=1))
    assert (again, is_new) == (first, False)


async def test_a_job_is_not_found_by_anybody_else(ports: Ports):
    await accept(ports)
    with pytest.raises(NotFound):
        await jobs.find_job("j1", ports.database, user_id="bob")


async def test_a_job_with_a_claimed_id_of_another_user_is_refused(ports: Ports):
    await accept(ports)
    with pytest.raises(NotFound):
        await jobs.accept("j1", asked(BOB), ports.database, now=NOW)


async def test_a_job_is_claimed_by_one(ports: Ports):
    await accept(ports)
    job = await claimed(ports)
    assert (job.state, job.attempt) == ("running", 1)
    assert await claim(ports) is None
    assert await claim(ports, later(seconds=29)) is None


async def test_a_job_can_be_accepted_and_claimed_at_once(ports: Ports):
    job, _ = await jobs.accept(
        "j1", asked(), ports.database, now=NOW, claimed_until=later(seconds=30)
    )
    assert (job.state, job.attempt) == ("running", 1)
    assert await claim(ports, later(seconds=29)) is None
    settled = await jobs.settle(job, after_success(job, "{}", now=NOW), ports.database, now=NOW)
    assert settled is not None
    assert settled.state == "done"


async def test_who_was_silent_too_long_can_do_no_more(ports: Ports):
    await accept(ports)
    stale = await claimed(ports)
    fresh = await claimed(ports, later(seconds=30))
    assert (fresh.attempt, fresh.failures) == (2, 1)
    late = later(seconds=31)
    assert not await jobs.renew(stale, ports.database, POLICY, now=late)
    settlement = after_success(stale, '"stale"', now=late)
    assert await jobs.settle(stale, settlement, ports.database, now=late) is None
    assert await jobs.renew(fresh, ports.database, POLICY, now=late)
    await jobs.settle(fresh, after_success(fresh, '"fresh"', now=late), ports.database, now=late)
    job = await jobs.find_job("j1", ports.database, user_id="ann")
    assert (job.state, job.result) == ("done", '"fresh"')


async def test_a_lease_that_is_renewed_goes_on(ports: Ports):
    await accept(ports)
    job = await claimed(ports)
    assert await jobs.renew(job, ports.database, POLICY, now=later(seconds=29))
    assert await claim(ports, later(seconds=58)) is None
    assert await claim(ports, later(seconds=59)) is not None


async def test_a_job_that_brings_down_every_worker_fails(ports: Ports):
    await accept(ports)
    for minute in range(POLICY.max_failures):
        await claimed(ports, later(minutes=minute))
    assert await claim(ports, later(hours=1)) is None
    job = await jobs.find_job("j1", ports.database, user_id="ann")
    assert (job.state, job.problem, job.failures) == ("failed", "given up", 3)


async def test_a_job_handed_back_is_claimed_at_once_and_loses_no_chance(ports: Ports):
    await accept(ports)
    for second in range(10):
        now = later(seconds=second)
        job = await claimed(ports, now)
        assert (job.attempt, job.failures) == (second + 1, 0)
        await jobs.settle(job, after_hand_back(job, now=now), ports.database, now=now)


async def test_a_job_put_off_waits_its_time(ports: Ports):
    await accept(ports)
    job = await claimed(ports)
    put_off = JobSettlement("queued", later(seconds=5), failures=1, problem="busy")
    await jobs.settle(job, put_off, ports.database, now=NOW)
    assert await claim(ports, later(seconds=4)) is None
    assert (await claimed(ports, later(seconds=5))).failures == 1


async def test_nobodys_many_files_keep_anothers_one_waiting(ports: Ports):
    for number in range(4):
        await accept(ports, f"a{number}")
    await accept(ports, "b", BOB)
    taken = [(await claimed(ports)).user_id for _ in range(5)]
    assert taken[:2] == ["ann", "bob"]
    assert taken[2:] == ["ann"] * 3


async def test_a_user_who_is_being_deleted_has_nothing_done(ports: Ports):
    await accept(ports)
    await ports.database.query(
        Statement("INSERT INTO users (user_id, created_at_ms, deleting_at_ms) VALUES ('ann', 1, 2)")
    )
    assert await claim(ports) is None


async def test_finished_jobs_are_forgotten_with_their_uploads_after_a_week(ports: Ports):
    database = ports.database
    job, _ = await jobs.accept("j1", asked(file=FILE), database, now=NOW)
    await accept(ports, "waiting")
    job = await claimed(ports)
    await jobs.settle(job, after_success(job, "{}", now=NOW), database, now=NOW)
    await keep_house(database, now=later(days=5, hours=23))
    assert await names(database, "jobs", "job_id") == ["j1", "waiting"]
    await keep_house(database, now=later(days=7))
    assert await names(database, "jobs", "job_id") == ["waiting"]
    assert await names(database, "uploads", "upload_id") == []


async def complete(upload: Upload, ports: Ports, sha256: str = "f" * 64) -> Upload:
    return await uploads.complete(
        upload, ports.database, sha256=sha256, size_bytes=3, now=later(minutes=1)
    )


async def test_an_upload_is_announced_once(ports: Ports):
    first = await uploads.announce(announced(), ports.database)
    again = await uploads.announce(replace(announced(), filename="b.txt"), ports.database)
    assert first == again == announced()


async def test_an_upload_takes_one_file_however_often_it_comes(ports: Ports):
    upload = await uploads.announce(announced(), ports.database)
    first = await complete(upload, ports)
    assert (first.state, first.sha256, first.size_bytes) == ("complete", "f" * 64, 3)
    assert await complete(upload, ports) == first
    with pytest.raises(Conflict):
        await complete(upload, ports, "e" * 64)
    assert await uploads.find_upload("u1", ports.database, user_id="ann") == first


async def test_an_upload_is_found_by_its_user_alone(ports: Ports):
    await uploads.announce(announced(), ports.database)
    with pytest.raises(NotFound):
        await uploads.find_upload("u1", ports.database, user_id="bob")
    with pytest.raises(Forbidden):
        await uploads.signed_upload("u2", ports.database)
    with pytest.raises(Conflict):
        uploads.received_file(announced())


async def test_a_job_consumes_only_a_complete_upload_of_its_user(ports: Ports):
    upload = await uploads.announce(announced(), ports.database)

    async def consume(principal: Principal) -> tuple[Job, bool]:
        request = asked(principal, file=FILE)
        job_id = f"job of {principal.user_id}"
        return await jobs.accept(job_id, request, ports.database, now=NOW, is_announced=True)

    with pytest.raises(NotFound):
        await consume(ANN)
    await complete(upload, ports)
    with pytest.raises(NotFound):
        await consume(BOB)
    job, is_new = await consume(ANN)
    assert is_new
    assert await consume(ANN) == (job, False)
    consumed = await uploads.find_upload("u1", ports.database, user_id="ann")
    assert consumed.state == "consumed"


async def test_an_upload_that_nobody_consumed_in_time_is_forgotten(ports: Ports):
    database = ports.database
    for name in ("open", "complete", "consumed"):
        upload = await uploads.announce(announced(name), database)
        if name != "open":
            await complete(upload, ports)
    file = replace(FILE, upload_id="consumed")
    await jobs.accept("j1", asked(file=file), database, now=NOW, is_announced=True)

    async def left(now: datetime) -> Sequence[str]:
        await uploads.forget_expired(database, now=now)
        return await names(database, "uploads", "upload_id")

    assert await left(later(minutes=59)) == ["complete", "consumed", "open"]
    assert await left(later(hours=1)) == ["complete", "consumed"]
    assert await left(later(days=1, minutes=1)) == ["consumed"]
    assert await uploads.without_upload(["open", "consumed"], database) == {"open"}


async def test_the_secret_of_a_database_is_set_once(ports: Ports):
    first = await uploads.signing_secret(ports.database, fresh="aa" * 32)
    assert first == bytes.fromhex("aa" * 32)
    assert await uploads.signing_secret(ports.database, fresh="bb" * 32) == first

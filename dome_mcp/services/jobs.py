"""Ingest jobs: what was accepted is done, by whatever process, once."""

from datetime import datetime

from dome_mcp.core.errors import NotFound
from dome_mcp.core.jobs import IngestRequest, Job, JobKind, JobPolicy, JobSettlement
from dome_mcp.core.ports import Database, Statement
from dome_mcp.store import jobs, uploads


async def accept(
    job_id: str,
    request: IngestRequest,
    database: Database,
    *,
    now: datetime,
    kind: JobKind = "ingest",
    is_announced: bool = False,
    claimed_until: datetime | None = None,
) -> tuple[Job, bool]:
    """Writes a job down with its file, durably, and says whether it is new; harmless to repeat.

    `is_announced`: the file came by an upload of its own, which is consumed. With `claimed_until`
    a new job is the caller's to work on, until then.

    Raises:
        NotFound: the file's upload is no more.
        BackendError: nothing was accepted.
    """
    user_id = request.principal.user_id
    statements: list[Statement] = []
    if request.file is not None and is_announced:
        statements = [uploads.consume(request.file.upload_id, user_id)]
    elif request.file is not None:
        statements = [uploads.insert_consumed(request.file, user_id, job_id=job_id, now=now)]
    *_, accepted, rows = await database.batch(
        [
            *statements,
            jobs.accept(job_id, request, kind=kind, now=now, lease_until=claimed_until),
            jobs.job_of_user(job_id, user_id),
        ]
    )
    if not rows:
        raise NotFound("upload", request.file.upload_id if request.file else job_id)
    return jobs.to_job(rows[0]), bool(accepted)


async def find_job(job_id: str, database: Database, *, user_id: str) -> Job:
    """The user's job.

    Raises:
        NotFound: the user has none with this id, or it finished more than a week ago.
    """
    rows = await database.query(jobs.job_of_user(job_id, user_id))
    if not rows:
        raise NotFound("job", job_id, "Finished jobs are remembered for a week.")
    return jobs.to_job(rows[0])


async def claim_job(
    database: Database,
    policy: JobPolicy,
    *,
    now: datetime,
    given_up: str,
    kind: JobKind = "ingest",
) -> Job | None:
    """Takes a job of this kind, of any user, to work on it; None where there is nothing to do.

    `given_up` is the problem of a job that its workers never came back from.

    Raises:
        BackendError: nothing was taken.
    """
    *_, rows = await database.batch(
        jobs.claim(
            kind,
            now=now,
            until=now + policy.lease,
            max_failures=policy.max_failures,
            given_up=given_up,
        )
    )
    return jobs.to_job(rows[0]) if rows else None


async def renew(job: Job, database: Database, policy: JobPolicy, *, now: datetime) -> bool:
    """Holds the job for longer, and says whether it is still the caller's.

    Raises:
        BackendError: it may be the caller's until the lease is over.
    """
    return bool(await database.query(jobs.renew(job, until=now + policy.lease)))


async def settle(
    job: Job, settlement: JobSettlement, database: Database, *, now: datetime
) -> Job | None:
    """Writes how the attempt ended, and returns the job; None where another process has it now.

    Raises:
        BackendError: nothing was written; the job is tried again when its lease is over.
    """
    rows = await database.query(jobs.settle(job, settlement, now=now))
    return jobs.to_job(rows[0]) if rows else None


async def dead_letter(
    job_id: str, database: Database, *, user_id: str, problem: str, now: datetime
) -> None:
    """Ends a job whose message nobody could work on, unless somebody does so now.

    Raises:
        BackendError: nothing was written.
    """
    await database.query(jobs.dead_letter(job_id, user_id, problem, now=now))

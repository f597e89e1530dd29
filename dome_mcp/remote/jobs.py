"""Ingest jobs, done: by a loop beside the requests, or at once by the request that brought one.

Any number of processes may run the loop; a claim in the row decides who does a job, and a lease
says until when. Whoever is killed loses it to the next.
"""

import json
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import anyio

from dome_mcp import intake, texts
from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendError, InvalidInput, NotFound
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import (
    IngestRequest,
    Job,
    JobPolicy,
    JobSettlement,
    after_failure,
    after_hand_back,
    after_success,
)
from dome_mcp.core.model import Ingested
from dome_mcp.core.uploads import ReceivedFile, upload_of
from dome_mcp.remote.rest.problems import INTERNAL, problem, problem_of
from dome_mcp.remote.rest.shapes import stored
from dome_mcp.remote.spool import Incoming, Spool
from dome_mcp.services import jobs, uploads
from dome_mcp.services.housekeeping import keep_house
from dome_mcp.tools.changes import tell_changed

POLICY = JobPolicy()

_SWEEP_SECONDS = 3600.0
_HAND_BACK_SECONDS = 2.0
"""A server that is being shut down gives the database so long."""

_GIVEN_UP = json.dumps(
    problem(
        INTERNAL,
        "The server ended each time it worked on this.",
        hint="Send the file in another form, for example as plain text.",
    )
)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def running_jobs(dome: Dome, policy: JobPolicy = POLICY) -> AsyncIterator[None]:
    """Does jobs for as long as the block runs; what is unfinished then is handed back."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_jobs, dome, policy)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def keep_jobs(dome: Dome, policy: JobPolicy = POLICY) -> None:
    """Does the jobs of all users, a few at a time, and removes what is over, for good."""
    slots = anyio.Semaphore(policy.concurrency)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_keep_swept, dome)
        while True:
            await slots.acquire()
            job = await _claimed(dome, policy)
            if job is not None:
                tasks.start_soon(_work, dome, job, policy, slots)
                continue
            slots.release()
            await dome.jobs.wait(policy.idle_seconds)


async def accept_file(
    dome: Dome,
    incoming: Incoming,
    *,
    job_id: str,
    labels: Labels,
    filename: str,
    declared_type: str | None,
) -> Job:
    """Accepts a file that was received, for a job to take in; both are on disk when this returns.

    Where the job is there already, which a repeated request brings about, it keeps its own file.

    Raises:
        BackendError: nothing was accepted.
    """
    # Each request brings a file of its own, so that no repetition can take another's away.
    file = ReceivedFile(
        upload_id=sortable_id(dome.now(), dome.user_id, "file", secrets.token_hex(16)),
        sha256=incoming.sha256,
        size_bytes=incoming.size_bytes,
        filename=filename,
        content_type=declared_type,
    )
    asked = IngestRequest(dome.principal, labels, dome.now(), file=file)
    await incoming.keep_as(file.name)
    spool = Spool.of(dome.settings)
    try:
        job, is_new = await jobs.accept(job_id, asked, dome.ports.database, now=datetime.now(UTC))
    except BackendError:
        await spool.remove(file.name)
        raise
    if not is_new:
        await spool.remove(file.name)
    return job


async def run_job(dome: Dome, job: Job, policy: JobPolicy = POLICY) -> Job | None:
    """Does a claimed job and returns it as it then is; None where another process has it by now.

    Raises:
        BackendError: how it ended could not be written; it is tried again.
    """
    dome = replace(dome, instant=None)  # A lease is a matter of the clock.
    settlement = settled = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hold, dome, job, policy, tasks.cancel_scope)
            settlement = await _attempt(dome, job, policy)
            tasks.cancel_scope.cancel()
        if settlement is not None:
            settled = await jobs.settle(job, settlement, dome.ports.database, now=dome.now())
        if settled is not None and settled.is_finished:
            await _drop_file(dome, settled)
    except anyio.get_cancelled_exc_class():
        await _let_go(dome, job)
        raise
    if settled is None:
        _log.warning("job %s was taken over by another process", job.job_id)
    return settled


async def sweep(dome: Dome) -> None:
    """Keeps house where it is time, and removes files that no upload names any more.

    Uploads that are over take room from their user, so they go more often than the rest.

    Raises:
        BackendError: something is left for the next time.
    """
    database, now = dome.ports.database, dome.now()
    kept = await keep_house(database, now=now)
    for failure in kept.failures if kept else ():
        _log.warning("%s", failure)
    await uploads.forget_expired(database, now=now)
    spool = Spool.of(dome.settings)
    names = await spool.old_names(now)
    orphans = await uploads.without_upload([upload_of(name) for name in names], database)
    for name in names:
        if upload_of(name) in orphans:
            await spool.remove(name)


async def _claimed(dome: Dome, policy: JobPolicy) -> Job | None:
    try:
        return await jobs.claim_job(dome.ports.database, policy, now=dome.now(), given_up=_GIVEN_UP)
    except BackendError as error:
        _log.warning("no job was taken: %s", error)
        return None


async def _work(dome: Dome, job: Job, policy: JobPolicy, slots: anyio.Semaphore) -> None:
    try:
        await run_job(dome, job, policy)
    except BackendError as error:
        _log.warning("job %s is tried again: %s", job.job_id, error)
    finally:
        slots.release()


async def _hold(dome: Dome, job: Job, policy: JobPolicy, work: anyio.CancelScope) -> None:
    """Renews the lease while the work goes on, and stops the work where the lease is lost."""
    while True:
        await anyio.sleep(policy.renew_seconds)
        try:
            is_held = await jobs.renew(job, dome.ports.database, policy, now=dome.now())
        except BackendError as error:
            _log.warning("the lease of job %s was not renewed: %s", job.job_id, error)
            continue
        if not is_held:
            work.cancel()
            return


async def _attempt(dome: Dome, job: Job, policy: JobPolicy) -> JobSettlement:
    request = job.request
    user = dome.acting(request.principal).at(request.started_at)
    try:
        request.principal.require("notes:write")
        ingested = await _within(policy.longest_seconds, user, request)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the job's end, and is told there
        told = json.dumps(problem_of(error))
        return after_failure(job, error, told, policy, now=dome.now())
    result = stored(ingested, user)
    if not result["duplicate"]:
        tell_changed(user, ingested.note.note_id)
    return after_success(job, json.dumps(result), now=dome.now())


async def _within(seconds: float, dome: Dome, request: IngestRequest) -> Ingested:
    try:
        with anyio.fail_after(seconds):
            return await _take_in(dome, request)
    except TimeoutError as error:
        raise InvalidInput(
            f"This takes longer than {seconds / 60:.0f} minutes to read.", "Send it in parts."
        ) from error


async def _take_in(dome: Dome, request: IngestRequest) -> Ingested:
    if request.file is not None:
        file = request.file
        return await intake.ingest_file(
            dome,
            Spool.of(dome.settings).path(file.name),
            request.labels,
            filename=file.filename,
            declared_type=file.content_type,
        )
    if request.url is not None:
        return await intake.ingest_url(dome, request.url, request.labels)
    return await texts.ingest_text(dome, request.text or "", request.labels)


async def _let_go(dome: Dome, job: Job) -> None:
    """Hands a job back, or drops the file of one that was settled just before."""
    with anyio.move_on_after(_HAND_BACK_SECONDS, shield=True):
        try:
            handed_back = await jobs.settle(
                job, after_hand_back(job, now=dome.now()), dome.ports.database, now=dome.now()
            )
            if handed_back is None and (await _reread(dome, job)).is_finished:
                await _drop_file(dome, job)
        except NotFound:
            return
        except BackendError as error:
            _log.warning("job %s waits until its lease is over: %s", job.job_id, error)


async def _reread(dome: Dome, job: Job) -> Job:
    owner = job.request.principal.user_id
    return await jobs.find_job(job.job_id, dome.ports.database, user_id=owner)


async def _drop_file(dome: Dome, job: Job) -> None:
    """Removes the file of a job that is over."""
    if job.request.file is None:
        return
    try:
        await Spool.of(dome.settings).remove(job.request.file.name)
    except BackendError as error:
        _log.warning("the file of job %s is left for now: %s", job.job_id, error)


async def _keep_swept(dome: Dome) -> None:
    while True:
        try:
            await sweep(dome)
        except BackendError as error:
            _log.warning("what is over was not removed: %s", error)
        await anyio.sleep(_SWEEP_SECONDS)

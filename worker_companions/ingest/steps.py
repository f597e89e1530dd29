"""One step of the work on ingest jobs: a document taken in, or a page of chunks embedded.

A step's size is bounded, whatever a document's. The next one is another message, sent when this one
is done, so that what is slow or refuses is asked no more than it answers.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dome_mcp.backends.embedded.notify.webhook import WebhookNotifier
from dome_mcp.core.errors import BackendError
from dome_mcp.core.jobs import Job, JobPolicy, JobSettlement, after_failure, after_success
from dome_mcp.core.ports import Ports
from dome_mcp.services import jobs
from dome_mcp.services.indexing import index_step, users_with_pending
from dome_mcp.services.ingestion import take_in
from worker_companions.ingest.places import KIND, waiting_key
from worker_companions.ingest.problems import GIVEN_UP, given_up, problem_text
from worker_companions.ingest.reading import Convert, read
from worker_companions.ingest.telling import tell_ready

POLICY = JobPolicy(lease_seconds=180.0, max_failures=3)
"""Nobody renews the lease, which is longer than a conversion and the writing take."""

PAGE_CHUNKS = 32
"""So many chunks are embedded in a step: one request of the model, and one batch of the rows."""

_HOLDER = "dome-ingest"
"""All steps hold one lease: their queue has one consumer at a time."""

_log = logging.getLogger("dome.ingest")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a step works with."""

    ports: Ports
    convert: Convert
    webhook: WebhookNotifier
    clock: Callable[[], datetime]


async def step(desk: Desk) -> bool:
    """Does the next piece of work; whether there may be more.

    Raises:
        BackendError: the database failed; nothing is lost.
    """
    now = desk.clock()
    job = await jobs.claim_job(
        desk.ports.database, POLICY, now=now, given_up=given_up(GIVEN_UP), kind=KIND
    )
    if job is not None:
        await _do(desk, job)
        has_worked = True
    else:
        has_worked = await _embed(desk.ports, now=now)
    has_told = await tell_ready(desk.ports, desk.webhook, now=desk.clock())
    return has_worked or has_told > 0


async def _do(desk: Desk, job: Job) -> None:
    settlement = await _attempt(desk, job)
    settled = await jobs.settle(job, settlement, desk.ports.database, now=desk.clock())
    if settled is None:
        _log.warning("job %s was taken over", job.job_id)
    elif settled.is_finished and job.request.file is not None:
        await desk.ports.blobs.delete(waiting_key(job.request.file))
    _log.info("job %s is %s", job.job_id, settlement.state)


async def _attempt(desk: Desk, job: Job) -> JobSettlement:
    request = job.request
    try:
        request.principal.require("notes:write")
        document, original = await read(request, desk.ports.blobs, desk.convert)
        result = await take_in(document, request, desk.ports, original=original)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the job's end, and is told there
        return after_failure(job, error, problem_text(error), POLICY, now=desk.clock())
    return after_success(job, json.dumps(result), now=desk.clock())


async def _embed(ports: Ports, *, now: datetime) -> bool:
    """Embeds a page of chunks of the first user who waits; whether it could.

    A model that cannot be asked now is asked again by the next run of the cron.
    """
    for user_id in await users_with_pending(ports):
        try:
            done = await index_step(
                ports, user_id=user_id, holder=_HOLDER, now=now, limit=PAGE_CHUNKS
            )
        except BackendError as error:
            _log.warning("indexing stopped for now: %s", error)
            return False
        if done.done:
            return True
    return False

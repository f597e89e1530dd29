"""How a job for the ingest Worker is accepted, by whoever has the bucket, rows and queue."""

import logging
from contextlib import suppress
from datetime import datetime

from dome_mcp.core.errors import BackendError
from dome_mcp.core.jobs import IngestRequest, Job
from dome_mcp.core.ports import BlobStore, Database, EventQueue
from dome_mcp.services import jobs
from worker_companions.ingest.messages import wake_message
from worker_companions.ingest.places import KIND, waiting_key

_log = logging.getLogger("dome.ingest")


async def accept_job(
    job_id: str,
    request: IngestRequest,
    database: Database,
    *,
    data: bytes | None,
    blobs: BlobStore,
    queue: EventQueue,
    now: datetime,
) -> Job:
    """Accepts a job with the bytes of its file, durably, and wakes the Worker; harmless to repeat.

    The file is in the bucket before the row, and the row before anybody is woken. Where the queue
    fails, the Worker's cron finds the job within a minute. A job that is there already keeps its
    own file.

    Raises:
        BackendError: nothing was accepted.
    """
    if request.file is not None and data is not None:
        await blobs.put(waiting_key(request.file), data)
    job, is_new = await jobs.accept(job_id, request, database, now=now, kind=KIND)
    if not is_new and request.file is not None and request.file != job.request.file:
        with suppress(BackendError):  # what is left there is removed by the bucket's own rule
            await blobs.delete(waiting_key(request.file))
    try:
        await queue.send([wake_message(job.job_id, job.user_id)])
    except BackendError as error:
        _log.warning("the job %s waits for the next minute: %s", job.job_id, error)
    return job

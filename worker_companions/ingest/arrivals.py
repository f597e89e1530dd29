"""How a file in an inbox of the bucket becomes a job."""

from datetime import datetime
from typing import Any

from dome_mcp.backends.cloudflare.r2_keys import BACKEND
from dome_mcp.core.access import Principal
from dome_mcp.core.drafts import Labels
from dome_mcp.core.identifiers import content_hash, sortable_id
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.ports import EventQueue, Ports
from dome_mcp.core.uploads import ReceivedFile, clean_filename
from worker_companions.bindings import outages
from worker_companions.ingest.accepting import accept_job
from worker_companions.ingest.messages import Dropped
from worker_companions.ingest.places import require_size


def job_of(dropped: Dropped) -> str:
    """The id of the job for a file, the same whenever the same file is told of again."""
    return sortable_id(dropped.at, dropped.user_id, "inbox", dropped.key, dropped.etag)


async def accept_dropped(
    dropped: Dropped, bucket: Any, ports: Ports, queue: EventQueue, *, now: datetime
) -> None:
    """Makes a job of a file in an inbox, and takes the file out of it; harmless to repeat.

    The job is there, and its file, before the inbox has lost it.

    Raises:
        UnreadableDocument: the file is too large.
        BackendError: it is still in the inbox.
    """
    require_size(dropped.size_bytes)
    data = await _read(bucket, dropped.key)
    if data is None:  # it was accepted before, or somebody took it back
        return
    file = ReceivedFile(
        upload_id=sortable_id(dropped.at, dropped.user_id, "file", dropped.key, dropped.etag),
        sha256=content_hash(data),
        size_bytes=len(data),
        filename=clean_filename(dropped.filename),
        content_type=None,
    )
    request = request_of(dropped, file)
    await accept_job(
        job_of(dropped), request, ports.database, data=data, blobs=ports.blobs, queue=queue, now=now
    )
    with outages(BACKEND, "delete", "R2"):
        await bucket.delete(dropped.key)


def request_of(dropped: Dropped, file: ReceivedFile | None) -> IngestRequest:
    """What the job of a file in an inbox is to do. Who may write there may write notes."""
    principal = Principal(dropped.user_id, frozenset({"notes:write"}), credential="inbox")
    return IngestRequest(principal, Labels(), dropped.at, file=file)


async def _read(bucket: Any, key: str) -> bytes | None:
    with outages(BACKEND, "get", "R2"):
        found = await bucket.get(key)
        return None if found is None else bytes(await found.arrayBuffer())

"""Taking in texts and files in a Worker: a text at once, a file as a job of the ingest Worker."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from dome_mcp import texts
from dome_mcp.app import Dome
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.uploads import ReceivedFile, clean_filename, too_large
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.ingest_answers import (
    IngestJob,
    accepted,
    form_labels,
    ingest_answers,
    job_id_for,
    labels_of,
    read_job,
    sent_in,
    told,
    wants_job,
)
from dome_mcp.remote.rest.receiving import SpooledRequest, form_route
from dome_mcp.services import jobs, uploads
from dome_mcp.settings import Settings
from worker_companions.ingest.places import KIND, waiting_key

_ELSEWHERE = "Send its text or its file, or use a DOME that runs on a machine."


class InMemory:
    """A file that is received into memory, of which a Worker has little."""

    def __init__(self, max_bytes: int) -> None:
        self.data = bytearray()
        self.size_bytes = 0
        self._max_bytes = max_bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    async def write(self, data: bytes) -> None:
        """See `Incoming.write`."""
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        self.data += data

    async def flush(self) -> None:
        """See `Incoming.flush`."""


@asynccontextmanager
async def _receiving(settings: Settings) -> AsyncIterator[InMemory]:
    yield InMemory(settings.max_document_bytes)


router = APIRouter(prefix="/ingest", route_class=form_route(_receiving), tags=["ingest"])
router.get("/{job_id}", response_model=IngestJob)(read_job)


@router.post("", **ingest_answers())
async def ingest(
    request: Request,
    dome: Annotated[Dome, needs("notes:write")],
    prefer: Annotated[list[str], Header(alias="Prefer", examples=["respond-async"])] = [],  # noqa: B006  FastAPI copies it
) -> Response:
    """Takes in a text or a file as a note.

    Send a text as JSON, or a file as a form. A text is stored at once, unless it is sent with
    `Prefer: respond-async`; a file is accepted as a job: nothing that was accepted is lost, and
    `Location` tells what became of it. The same content again is the same note. Web pages and
    uploads are not for this server.
    """
    is_patient = wants_job(prefer)
    await uploads.require_room(dome.ports.database, user_id=dome.user_id)
    if isinstance(request, SpooledRequest):
        asked = await _kept(request, dome)
    else:
        body = await sent_in(request)
        if not body.text:
            raise InvalidInput("This server reads no web pages and takes no uploads.", _ELSEWHERE)
        labels = labels_of(body, dome)
        if not is_patient:
            return told(request, dome, await texts.ingest_text(dome, body.text, labels))
        asked = IngestRequest(dome.principal, labels, dome.now(), text=body.text)
    job, is_new = await jobs.accept(
        job_id_for(request, dome), asked, dome.ports.database, now=datetime.now(UTC), kind=KIND
    )
    if not is_new and asked.file is not None:
        await dome.ports.blobs.delete(waiting_key(asked.file))
    return accepted(request, dome, job, is_patient=is_patient)


async def _kept(request: SpooledRequest, dome: Dome) -> IngestRequest:
    """What a form asks for, its file in the bucket, where its job finds it.

    Each request brings a file of its own, so that no repetition can take another's away.
    """
    sent, incoming = request.sent, cast("InMemory", request.incoming)
    if sent.filename is None:
        raise InvalidInput("There is no file in the form.", "Send one as the field `file`.")
    labels = labels_of(form_labels(sent.fields), dome)
    file = ReceivedFile(
        upload_id=sortable_id(dome.now(), dome.user_id, "file", secrets.token_hex(16)),
        sha256=incoming.sha256,
        size_bytes=incoming.size_bytes,
        filename=clean_filename(sent.filename),
        content_type=sent.content_type,
    )
    await dome.ports.blobs.put(waiting_key(file), bytes(incoming.data))
    return IngestRequest(dome.principal, labels, dome.now(), file=file)

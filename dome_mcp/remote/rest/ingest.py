"""Taking in texts, files and web pages: what is small at once, what may take long as a job.

A job is accepted when it is on disk: its file first, then its row, then the answer.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from dome_mcp import intake, texts
from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.uploads import clean_filename
from dome_mcp.remote.jobs import POLICY, accept_file, run_job
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
    stored_response,
    told,
    wants_job,
)
from dome_mcp.remote.rest.problems import response_of
from dome_mcp.remote.rest.receiving import SpooledRequest, form_route
from dome_mcp.remote.spool import Incoming, Spool
from dome_mcp.services import jobs, uploads

router = APIRouter(
    prefix="/ingest",
    route_class=form_route(lambda settings: Spool.of(settings).receiving()),
    tags=["ingest"],
)

AT_ONCE_BYTES = 1_000_000
"""A larger file is a job."""


@router.post("", **ingest_answers())
async def ingest(
    request: Request,
    dome: Annotated[Dome, needs("notes:write")],
    prefer: Annotated[list[str], Header(alias="Prefer", examples=["respond-async"])] = [],  # noqa: B006  FastAPI copies it
) -> Response:
    """Takes in a text, a file or a web page as a note.

    Send a text, a url or an upload_id as JSON, or a file as a form. A text or a small file is
    stored at once. A file of over 1 MB or one to be converted, a web page, and what is sent with
    `Prefer: respond-async` is accepted as a job: nothing that was accepted is lost, and `Location`
    tells what became of it. The same content again is the same note.
    """
    is_patient = wants_job(prefer)
    if isinstance(request, SpooledRequest):
        return await _ingest_file(request, dome, is_patient=is_patient)
    body = await sent_in(request)
    labels = labels_of(body, dome)
    if body.upload_id:
        return await _ingest_upload(request, dome, body.upload_id, labels, is_patient=is_patient)
    if body.text and not is_patient:
        return told(request, dome, await texts.ingest_text(dome, body.text, labels))
    await uploads.require_room(dome.ports.database, user_id=dome.user_id)
    asked = IngestRequest(
        dome.principal, labels, dome.now(), text=body.text or None, url=body.url.strip() or None
    )
    job, _ = await jobs.accept(
        job_id_for(request, dome), asked, dome.ports.database, now=datetime.now(UTC)
    )
    return accepted(request, dome, job, is_patient=is_patient)


router.get("/{job_id}", response_model=IngestJob)(read_job)


async def _ingest_file(request: SpooledRequest, dome: Dome, *, is_patient: bool) -> Response:
    """The file of a form: small, it is read where it lies; else it is kept for a job."""
    sent, incoming = request.sent, cast("Incoming", request.incoming)
    if sent.filename is None:
        raise InvalidInput("There is no file in the form.", "Send one as the field `file`.")
    labels = labels_of(form_labels(sent.fields), dome)
    filename = clean_filename(sent.filename)
    is_quick = incoming.size_bytes <= AT_ONCE_BYTES and not intake.is_for_converter(dome, filename)
    if is_quick and not is_patient:
        ingested = await intake.ingest_file(
            dome, incoming.path, labels, filename=filename, declared_type=sent.content_type
        )
        return told(request, dome, ingested)
    job = await accept_file(
        dome,
        incoming,
        job_id=job_id_for(request, dome),
        labels=labels,
        filename=filename,
        declared_type=sent.content_type,
    )
    return accepted(request, dome, job, is_patient=is_patient)


async def _ingest_upload(
    request: Request, dome: Dome, upload_id: str, labels: Labels, *, is_patient: bool
) -> Response:
    """The file of an upload, by the one job that consumes it, however often it is asked for."""
    database = dome.ports.database
    upload = await uploads.find_upload(upload_id, database, user_id=dome.user_id)
    file = uploads.received_file(upload)
    is_at_once = file.size_bytes <= AT_ONCE_BYTES and not is_patient
    now = datetime.now(UTC)
    job, is_new = await jobs.accept(
        sortable_id(upload.created_at, dome.user_id, "ingest", upload_id),
        IngestRequest(dome.principal, labels, dome.now(), file=file),
        database,
        now=now,
        is_announced=True,
        claimed_until=now + POLICY.lease if is_at_once else None,
    )
    if is_new and is_at_once:
        done = await run_job(dome, job)
        job = done or await jobs.find_job(job.job_id, database, user_id=dome.user_id)
    if job.state == "failed" and job.problem is not None:
        return response_of(json.loads(job.problem))
    if job.state == "done" and job.result is not None:
        return stored_response(request, json.loads(job.result))
    return accepted(request, dome, job, is_patient=is_patient)

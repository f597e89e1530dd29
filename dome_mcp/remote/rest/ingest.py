"""Taking in texts, files and web pages: what is small at once, what may take long as a job.

A job is accepted when it is on disk: its file first, then its row, then the answer.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired

from fastapi import APIRouter, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from dome_mcp import intake
from dome_mcp.app import Dome
from dome_mcp.core.access import InsufficientScope
from dome_mcp.core.drafts import Labels, clean_context, clean_source, clean_tags
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import IngestRequest, Job, JobState
from dome_mcp.core.model import Ingested
from dome_mcp.core.timestamps import local_iso
from dome_mcp.core.uploads import clean_filename
from dome_mcp.remote.jobs import POLICY, accept_file, run_job
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.problems import Problem, response_of
from dome_mcp.remote.rest.receiving import SpooledRequest, SpoolingRoute, also_fails
from dome_mcp.remote.rest.repeating import require_json
from dome_mcp.remote.rest.shapes import Labelled, address, example, stored
from dome_mcp.remote.rest.uploads import nonce_of
from dome_mcp.services import jobs, uploads
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.ingest import Stored

router = APIRouter(prefix="/ingest", route_class=SpoolingRoute, tags=["ingest"])

AT_ONCE_BYTES = 1_000_000
"""A larger file is a job."""

_APPLIED = {"Preference-Applied": "respond-async"}
_LONGEST_URL = 8000


class NewIngest(Labelled):
    """What to take in: exactly one of text, url and upload_id."""

    model_config = example(text="Anna's new number is 555 0199.", tags=["people"])

    text: str = ""
    url: Annotated[str, Field(max_length=_LONGEST_URL, examples=["https://example.org/a"])] = ""
    upload_id: Annotated[str, Field(max_length=100, description="From POST /api/uploads.")] = ""


class IngestJob(TypedDict):
    """An ingest that is done beside the requests."""

    job_id: str
    state: JobState
    created: str
    updated: str
    result: NotRequired[Stored]
    problem: NotRequired[Problem]


def _body() -> dict[str, Any]:
    """The request body for OpenAPI, which cannot see what is read by hand."""
    labels = Labelled.model_json_schema()["properties"]
    form = {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {"file": {"type": "string", "format": "binary"}, **labels},
    }
    return {
        "required": True,
        "content": {
            "application/json": {"schema": NewIngest.model_json_schema()},
            "multipart/form-data": {"schema": form},
        },
    }


@router.post(
    "",
    status_code=201,
    response_model=Stored,
    responses={
        200: {"model": Stored, "description": "It was there, or has been brought up to date."},
        202: {"model": IngestJob, "description": "Accepted as a job, which `Location` tells of."},
    },
    openapi_extra={"requestBody": _body(), "responses": also_fails(404)},
)
async def ingest(
    request: Request,
    dome: Annotated[Dome, needs("notes:write")],
    prefer: Annotated[list[str], Header(alias="Prefer", examples=["respond-async"])] = [],  # noqa: B006  FastAPI copies it
) -> Response:
    """Takes in a text, a file or a web page as a note.

    Send a text, a url or an upload_id as JSON, or a file as a form. A text or a small file is
    stored at once. A file of over 1 MB, a web page, and what is sent with `Prefer: respond-async`
    is accepted as a job: nothing that was accepted is lost, and `Location` tells what became of it.
    The same content again is the same note.
    """
    is_patient = _wants_job(prefer)
    if isinstance(request, SpooledRequest):
        return await _ingest_file(request, dome, is_patient=is_patient)
    require_json(request)
    try:
        body = NewIngest.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error
    _require_one_origin(body)
    labels = _labels_of(body, dome)
    if body.upload_id:
        return await _ingest_upload(request, dome, body.upload_id, labels, is_patient=is_patient)
    if body.text and not is_patient:
        return _told(request, dome, await intake.ingest_text(dome, body.text, labels))
    await uploads.require_room(dome.ports.database, user_id=dome.user_id)
    asked = IngestRequest(
        dome.principal, labels, dome.now(), text=body.text or None, url=body.url.strip() or None
    )
    job, _ = await jobs.accept(
        _job_id(request, dome), asked, dome.ports.database, now=datetime.now(UTC)
    )
    return _accepted(request, dome, job, is_patient=is_patient)


@router.get("/{job_id}", response_model=IngestJob)
async def read_job(dome: Annotated[Dome, needs()], job_id: str) -> Response:
    """What became of an ingest that was accepted as a job.

    Needs notes:write, as the ingest did, or notes:read. Ask again after as many seconds as
    `Retry-After` says; finished jobs are remembered for a week.
    """
    if not (dome.principal.may("notes:write") or dome.principal.may("notes:read")):
        raise InsufficientScope(["notes:read"])
    job = await jobs.find_job(job_id, dome.ports.database, user_id=dome.user_id)
    return JSONResponse(_job_result(job, dome), headers=_patience(job))


async def _ingest_file(request: SpooledRequest, dome: Dome, *, is_patient: bool) -> Response:
    """The file of a form: small, it is read where it lies; else it is kept for a job."""
    sent, incoming = request.sent, request.incoming
    if sent.filename is None:
        raise InvalidInput("There is no file in the form.", "Send one as the field `file`.")
    labels = _labels_of(_form_labels(sent.fields), dome)
    filename = clean_filename(sent.filename)
    if incoming.size_bytes <= AT_ONCE_BYTES and not is_patient:
        ingested = await intake.ingest_file(
            dome, incoming.path, labels, filename=filename, declared_type=sent.content_type
        )
        return _told(request, dome, ingested)
    job = await accept_file(
        dome,
        incoming,
        job_id=_job_id(request, dome),
        labels=labels,
        filename=filename,
        declared_type=sent.content_type,
    )
    return _accepted(request, dome, job, is_patient=is_patient)


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
        return _stored_response(request, json.loads(job.result))
    return _accepted(request, dome, job, is_patient=is_patient)


def _told(request: Request, dome: Dome, ingested: Ingested) -> Response:
    result = stored(ingested, dome)
    if not result["duplicate"]:
        tell_changed(dome, ingested.note.note_id)
    return _stored_response(request, result)


def _stored_response(request: Request, result: Stored) -> Response:
    is_new = not (result["duplicate"] or result["updated"])
    location = address(request, "notes", result["note_id"])
    return JSONResponse(result, 201 if is_new else 200, {"Location": location})


def _accepted(request: Request, dome: Dome, job: Job, *, is_patient: bool) -> Response:
    dome.jobs.ring()
    headers = {
        "Location": address(request, "ingest", job.job_id),
        **_patience(job),
        **(_APPLIED if is_patient else {}),
    }
    return JSONResponse(_job_result(job, dome), 202, headers)


def _job_result(job: Job, dome: Dome) -> IngestJob:
    result: IngestJob = {
        "job_id": job.job_id,
        "state": job.state,
        "created": local_iso(job.created_at, dome.zone),
        "updated": local_iso(job.updated_at, dome.zone),
    }
    if job.state == "done" and job.result is not None:
        result["result"] = json.loads(job.result)
    if job.state == "failed" and job.problem is not None:
        result["problem"] = json.loads(job.problem)
    return result


def _patience(job: Job) -> dict[str, str]:
    return {} if job.is_finished else {"Retry-After": "1"}


def _job_id(request: Request, dome: Dome) -> str:
    return sortable_id(dome.now(), dome.user_id, "ingest", nonce_of(request))


def _wants_job(prefer: list[str]) -> bool:
    preferences = ",".join(prefer).lower().split(",")
    return any(each.partition(";")[0].strip() == "respond-async" for each in preferences)


def _require_one_origin(body: NewIngest) -> None:
    values = {"text": body.text, "url": body.url, "upload_id": body.upload_id}
    sent = [name for name, value in values.items() if value]
    if len(sent) != 1:
        what = f"You sent {' and '.join(sent)}." if sent else "There is nothing to take in."
        raise InvalidInput(what, "Send exactly one of text, url and upload_id.")
    if body.url and not body.url.strip().lower().startswith(("http://", "https://")):
        raise InvalidInput("The url is not one of the web.", "Send http:// or https://.")


def _form_labels(fields: list[tuple[str, str]]) -> Labelled:
    """The labels in a form's fields; `tags` may be repeated, nothing else."""
    sent: dict[str, Any] = {}
    for name, value in fields:
        if name == "tags":
            sent.setdefault("tags", []).append(value)
        elif name in sent:
            raise InvalidInput(f"The field {name!r} was sent twice.", "Send it once.")
        else:
            sent[name] = value
    try:
        return Labelled.model_validate(sent)
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error


def _labels_of(sent: Labelled, dome: Dome) -> Labels:
    """The labels, refused now where a job would fail on them later."""
    labels = sent.as_labels(dome.zone)
    clean_tags(labels.tags)
    clean_context(labels.context)
    clean_source(labels.source)
    return labels


def _located(error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]

"""What is sent to have something taken in, and what is answered, wherever that is done."""

import json
from typing import Annotated, Any, NotRequired

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.core.access import InsufficientScope
from dome_mcp.core.drafts import Labels, clean_context, clean_source, clean_tags
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.jobs import Job, JobState
from dome_mcp.core.model import Ingested
from dome_mcp.core.timestamps import local_iso
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.problems import Problem
from dome_mcp.remote.rest.receiving import also_fails
from dome_mcp.remote.rest.repeating import nonce_of, require_json
from dome_mcp.remote.rest.shapes import Labelled, address, example, stored
from dome_mcp.services import jobs
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.note_results import Stored

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


def ingest_answers() -> dict[str, Any]:
    """What the route of an ingest may answer and takes, as FastAPI's decorator is told it."""
    is_known = "It was there, or has been brought up to date."
    is_job = "Accepted as a job, which `Location` tells of."
    return {
        "status_code": 201,
        "response_model": Stored,
        "responses": {
            200: {"model": Stored, "description": is_known},
            202: {"model": IngestJob, "description": is_job},
        },
        "openapi_extra": {"requestBody": _request_body(), "responses": also_fails(404)},
    }


def _request_body() -> dict[str, Any]:
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


async def read_job(dome: Annotated[Dome, needs()], job_id: str) -> Response:
    """What became of an ingest that was accepted as a job.

    Needs notes:write, as the ingest did, or notes:read. Ask again after as many seconds as
    `Retry-After` says; finished jobs are remembered for a week.
    """
    if not (dome.principal.may("notes:write") or dome.principal.may("notes:read")):
        raise InsufficientScope(["notes:read"])
    job = await jobs.find_job(job_id, dome.ports.database, user_id=dome.user_id)
    return JSONResponse(job_result(job, dome), headers=patience_of(job))


def job_id_for(request: Request, dome: Dome) -> str:
    """The id of the job that a request makes, the same where the request is repeated."""
    return sortable_id(dome.now(), dome.user_id, "ingest", nonce_of(request))


async def sent_in(request: Request) -> NewIngest:
    """What a request asks for in JSON.

    Raises:
        HTTPException: 415, it is no JSON.
        RequestValidationError, InvalidInput: it asks for nothing, or for too much.
    """
    require_json(request)
    try:
        sent = NewIngest.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error
    _require_one_origin(sent)
    return sent


def told(request: Request, dome: Dome, ingested: Ingested) -> Response:
    """The answer where something was taken in at once, of which the user's listeners are told."""
    result = stored(ingested, dome)
    if not result["duplicate"]:
        tell_changed(dome, ingested.note.note_id)
    return stored_response(request, result)


def stored_response(request: Request, result: Stored) -> Response:
    """The same answer, where they have been told."""
    is_new = not (result["duplicate"] or result["updated"])
    location = address(request, "notes", result["note_id"])
    return JSONResponse(result, 201 if is_new else 200, {"Location": location})


def accepted(request: Request, dome: Dome, job: Job, *, is_patient: bool) -> Response:
    """The answer where it became a job."""
    dome.jobs.ring()
    headers = {
        "Location": address(request, "ingest", job.job_id),
        **patience_of(job),
        **(_APPLIED if is_patient else {}),
    }
    return JSONResponse(job_result(job, dome), 202, headers)


def job_result(job: Job, dome: Dome) -> IngestJob:
    """What is told of a job."""
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


def patience_of(job: Job) -> dict[str, str]:
    """The header that says when to ask again, if that can change anything."""
    return {} if job.is_finished else {"Retry-After": "1"}


def wants_job(prefer: list[str]) -> bool:
    """Whether the client asks not to be kept waiting."""
    preferences = ",".join(prefer).lower().split(",")
    return any(each.partition(";")[0].strip() == "respond-async" for each in preferences)


def form_labels(fields: list[tuple[str, str]]) -> Labelled:
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


def labels_of(sent: Labelled, dome: Dome) -> Labels:
    """The labels, refused now where a job would fail on them later."""
    labels = sent.as_labels(dome.zone)
    clean_tags(labels.tags)
    clean_context(labels.context)
    clean_source(labels.source)
    return labels


def _require_one_origin(body: NewIngest) -> None:
    values = {"text": body.text, "url": body.url, "upload_id": body.upload_id}
    sent = [name for name, value in values.items() if value]
    if len(sent) != 1:
        what = f"You sent {' and '.join(sent)}." if sent else "There is nothing to take in."
        raise InvalidInput(what, "Send exactly one of text, url and upload_id.")
    if body.url and not body.url.strip().lower().startswith(("http://", "https://")):
        raise InvalidInput("The url is not one of the web.", "Send http:// or https://.")


def _located(error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**each, "loc": ("body", *each["loc"])} for each in found]

"""The description of the API, as OpenAPI 3.1: what the framework knows, and what ours adds.

Each operation says which scopes it needs, which problems it can end with, and which headers make
it safe to repeat or to change something.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from dome_mcp.remote.rest.problem_kinds import KINDS
from dome_mcp.remote.rest.problems import MEDIA_TYPE, Problem
from dome_mcp.remote.rest.repeating import KEY_HEADER, needed_scopes

Document = dict[str, Any]
Operation = dict[str, Any]

SCOPES_MEMBER = "x-required-scopes"

_REF = "#/components/schemas/{model}"
_OF_EVERY_OPERATION = frozenset({401, 403, 408, 421, 429, 500, 502, 503})
_OF_A_BODY = frozenset({400, 413, 415})
_OF_A_WRITE = frozenset({404, 409, 507})


_ABOUT = """\
The notes, tasks and reminders of one user, as that user's token allows.

Every request carries `Authorization: Bearer TOKEN`. Errors are problems (RFC 9457): `detail` says
what happened, `hint` what to send instead. A POST that carries an `Idempotency-Key` may be sent
again for 24 hours: what it did is done once, and the answer is the same. Notes have revisions;
`ETag` says which one was read, and `If-Match` which one a change is made to. Times are ISO 8601,
and without an offset in the user's time zone."""

_SUBJECTS = {
    "me": "Who a token stands for.",
    "status": "How much is stored, and how it is doing.",
    "ingest": "Texts, files and web pages, taken in as notes.",
    "uploads": "Large files, sent to an address of their own.",
    "notes": "What is stored: listed, read, changed, deleted.",
    "search": "Passages of the notes, by meaning and keywords.",
    "chat": "Answers from the notes, with citations.",
    "tasks": "What is to do.",
    "reminders": "What the user is told, and when.",
    "inbox": "What fired and is not acknowledged yet.",
    "channels": "How the user is reached.",
}

_KEY_PARAMETER = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "Names this request, so that it can be sent again without being done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}


def describe(app: FastAPI, routes: Iterable[APIRoute], *, root: str) -> Document:
    """The OpenAPI document of an application whose routes are reached under `root`: `/api`."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="A personal knowledge base, tasks and reminders.",
        description=_ABOUT,
        routes=app.routes,
        servers=[{"url": root or "/"}],
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = TypeAdapter(Problem).json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs", {}), Problem=problem)
    components["responses"] = {str(status): _told(status) for status in _statuses()}
    known = {
        (route.path_format, method): route for route in routes for method in route.methods or ()
    }
    for path, method, operation in operations(document):
        _complete(operation, method, known[path, method.upper()])
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    document["tags"] = [
        {"name": name, "description": about} for name, about in _SUBJECTS.items() if name in used
    ]
    return document


def operations(document: Document) -> Iterator[tuple[str, str, Operation]]:
    """Each operation of a document, with its path and method."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _complete(operation: Operation, method: str, route: APIRoute) -> None:
    """Adds to an operation what the framework does not know of it."""
    scopes = needed_scopes(route)
    is_write = any(scope.endswith(":write") for scope in scopes or ())
    first, _, rest = operation.get("description", "").partition("\n\n")
    operation |= {"operationId": route.name, "summary": " ".join(first.split()).rstrip(".")}
    operation["description"] = rest
    if scopes is not None:
        operation |= {"security": [{"bearer": []}], SCOPES_MEMBER: list(scopes)}
    if method == "post" and scopes is not None:
        operation.setdefault("parameters", []).append(_KEY_PARAMETER)
    responses = operation["responses"]
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    for status in map(str, _failures(operation, is_write=is_write)):
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    operation["responses"] = dict(sorted(responses.items()))


def _failures(operation: Operation, *, is_write: bool) -> set[int]:
    """The statuses that an operation can fail with."""
    parameters = operation.get("parameters", [])
    failures = set(_OF_EVERY_OPERATION)
    if any(
        parameter["name"].endswith("_id") or parameter["in"] == "path" for parameter in parameters
    ):
        failures.add(404)
    if "requestBody" in operation:
        failures |= _OF_A_BODY
    if parameters or "requestBody" in operation:
        failures.add(422)
    if is_write:
        failures |= _OF_A_WRITE
    for parameter in parameters:
        if parameter["name"] == "Idempotency-Key":
            failures.add(409)
        if parameter["name"] == "If-Match":
            failures |= {412, 428} if parameter["required"] else {412}
    return failures


def _statuses() -> list[int]:
    return sorted({kind.status for kind in KINDS})


def _told(status: int) -> dict[str, Any]:
    """The response that tells the problems of a status."""
    titles = [kind.title for kind in KINDS if kind.status == status]
    return {
        "description": "; or: ".join(titles) + ".",
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }

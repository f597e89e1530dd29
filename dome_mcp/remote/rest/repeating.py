"""The route of the REST API: scopes before anything is read, and POST requests that may be sent
again under an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import anyio.to_thread
from fastapi import Request
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dome_mcp.app import Dome
from dome_mcp.core.access import Scope
from dome_mcp.core.errors import BackendError, InvalidInput
from dome_mcp.remote.callers import caller_of
from dome_mcp.remote.rest.access import SCOPES_ATTRIBUTE
from dome_mcp.services import idempotency
from dome_mcp.services.idempotency import Begun, GivenAnswer

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"

MAX_FIELDS = 50
MAX_FIELD_BYTES = 1_000_000
MAX_NESTING = 64

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_KEPT_HEADERS = ("content-type", "location", "etag")
_PIECE_BYTES = 1 << 20

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class DomeRoute(APIRoute):
    """A route that checks the caller's scopes and the body's type before it reads the body, and
    whose POST requests may be repeated.

    What a request that carries an Idempotency-Key gets is kept, and its repetition gets the same.
    A refusal is not kept, since nothing was written; nor is a stream, which is made again, and
    writes what it wrote before.
    """

    def get_route_handler(self) -> Handler:
        """The handler of the endpoint, with all that comes before it."""
        handle = super().get_route_handler()
        scopes = needed_scopes(self)
        field = self.body_field
        takes_json = field is not None and not isinstance(field.field_info, Form)
        may_repeat = "POST" in (self.methods or ()) and scopes is not None

        async def checked(request: Request) -> Response:
            if scopes is not None:
                caller_of(request).principal.require(*scopes)
            if takes_json:
                require_json(request)
                require_shallow(await request.body())
            key = _key_of(request) if may_repeat else None
            if key is None:
                return await handle(request)
            try:
                return await _once(request, key, handle)
            finally:
                await request.close()  # the files of a form that was read for its fingerprint

        return checked


def needed_scopes(route: APIRoute) -> tuple[Scope, ...] | None:
    """The scopes that the route's `needs` checks; None where it has none, and anybody may come."""
    for dependency in route.dependant.dependencies:
        scopes = getattr(dependency.call, SCOPES_ATTRIBUTE, None)
        if scopes is not None:
            return scopes
    return None


def require_json(request: Request) -> None:
    """Does nothing for a body of JSON, and for none at all.

    Raises:
        HTTPException: 415, the body is declared as something else, or as nothing.
    """
    has_body = request.headers.get("content-length", "0") != "0"
    if not has_body and "transfer-encoding" not in request.headers:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise HTTPException(415, "Send the body as application/json.")


def require_shallow(body: bytes) -> None:
    """Does nothing for JSON that is nested as deep as anybody needs.

    Deeper and deeper a parser runs out of stack, and in a Worker everybody's requests end with it.

    Raises:
        HTTPException: 400, it is nested deeper.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_NESTING:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_NESTING:
            raise HTTPException(400, f"The JSON is nested deeper than {MAX_NESTING} levels.")


def nonce_of(request: Request) -> str:
    """What tells a request from any other: its key, or chance where it will not be repeated."""
    return request.headers.get(KEY_HEADER) or secrets.token_hex(16)


async def form_of(request: Request) -> FormData:
    """The multipart form of a request, read once; a file is kept on disk, not in memory.

    Raises:
        HTTPException: 400, it is no such form, or has more than one file.
    """
    return await request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)


def _key_of(request: Request) -> str | None:
    key = request.headers.get(KEY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidInput(
            "The Idempotency-Key is not one.",
            "Send 1 to 255 visible ASCII characters, such as a UUID.",
        )
    return key


async def _once(request: Request, key: str, handle: Handler) -> Response:
    dome = await caller_of(request).dome()
    begun = await idempotency.begin(
        key,
        await _fingerprint(request),
        dome.ports.database,
        user_id=dome.user_id,
        now=dome.now(),
    )
    if begun.answer is not None:
        headers = {**begun.answer.headers, REPLAYED_HEADER: "true"}
        return Response(begun.answer.body, begun.answer.status, headers)
    request.state.started_at = begun.started_at
    response = await handle(request)
    await _keep(response, key, dome, begun=begun)
    return response


async def _keep(response: Response, key: str, dome: Dome, *, begun: Begun) -> None:
    """Keeps a whole answer of text that is no failure."""
    body = getattr(response, "body", None)
    if not isinstance(body, bytes) or response.status_code >= 400:
        return
    headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
    answer = GivenAnswer(response.status_code, headers, body.decode())
    try:
        await idempotency.finish(
            key, answer, dome.ports.database, user_id=dome.user_id, begun=begun
        )
    except BackendError as error:
        # What was asked is done, and the client must hear so; a repetition finds it done.
        _log.warning("an answer was not kept for its repetition: %s", error.message)


async def _fingerprint(request: Request) -> str:
    """The SHA-256 of all that makes a request what it is, its files by their own digests."""
    scope = request.scope
    digest = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"]):
        digest.update(part + b"\0")
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        for name, value in (await form_of(request)).multi_items():
            text = await _described(value) if isinstance(value, UploadFile) else value
            digest.update(f"{len(name)} {name} {len(text)} {text}\0".encode("utf-8", "replace"))
    else:
        digest.update(await request.body())
    return digest.hexdigest()


async def _described(file: UploadFile) -> str:
    """A file by its name, type and digest; it is read piece by piece, and rewound."""

    def sha256() -> str:
        digest = hashlib.sha256()
        file.file.seek(0)
        while piece := file.file.read(_PIECE_BYTES):
            digest.update(piece)
        file.file.seek(0)
        return digest.hexdigest()

    return f"{file.filename} {file.content_type} {await anyio.to_thread.run_sync(sha256)}"

"""Errors as the REST API tells them: RFC 9457 problems, whatever went wrong.

A problem's `type` is an address within the API's own documentation, and its title belongs to the
type; what happened this time is the `detail`, and what to do instead the `hint`.
"""

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NotRequired, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import TypedDict

from dome_mcp.core import errors
from dome_mcp.core.access import InsufficientScope
from dome_mcp.remote.rest.conditions import RevisionRequired, StaleRevision, etag_of
from dome_mcp.remote.rest.problem_kinds import (
    FORBIDDEN,
    INTERNAL,
    INVALID_INPUT,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    REUSED_KEY,
    REVISION_REQUIRED,
    STALE_REVISION,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
    UNSUPPORTED_TYPE,
    Kind,
    kind_of,
    problem_address,
)
from dome_mcp.services.idempotency import ReusedKey
from dome_mcp.unexpected import log_unexpected

MEDIA_TYPE = "application/problem+json"

_RETRY_SECONDS = 5
"""When to try again, where the backend did not say."""

_log = logging.getLogger(__name__)


class FieldError(TypedDict):
    """What is wrong with one part of a request; what was sent there is not repeated."""

    location: str
    message: str


class Problem(TypedDict):
    """Why a request failed, and what to do instead."""

    type: str
    title: str
    status: int
    detail: str
    hint: NotRequired[str]
    errors: NotRequired[list[FieldError]]
    reference: NotRequired[str]


_OF_ERRORS: tuple[tuple[type[errors.DomeError], Kind], ...] = (
    (ReusedKey, REUSED_KEY),
    (RevisionRequired, REVISION_REQUIRED),
    (StaleRevision, STALE_REVISION),
)
"""The types of problem that errors of the API's own are."""

_OF_STATUS = {
    400: MALFORMED,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    415: UNSUPPORTED_TYPE,
    422: INVALID_INPUT,
    429: TOO_MANY_REQUESTS,
}
"""The types of problem that a bare status stands for."""


def install(app: FastAPI, routes: Iterable[APIRoute] = ()) -> None:
    """Has every error of the application told as a problem; `routes` are all that it serves."""
    known = tuple(routes)

    async def tell(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == METHOD_NOT_ALLOWED.status:
            # The framework knows the methods of the first route at this address only.
            methods = _methods_at(get_route_path(request.scope), known)
            if methods:
                error = HTTPException(error.status_code, headers={"Allow": ", ".join(methods)})
        return response_of(problem_of(error), headers_of(error))

    app.add_exception_handler(errors.DomeError, tell)
    app.add_exception_handler(RequestValidationError, tell)
    app.add_exception_handler(HTTPException, tell)
    app.add_middleware(_Unexpected)


def problem(
    kind: Kind,
    detail: str,
    *,
    hint: str = "",
    errors: Sequence[FieldError] = (),
    reference: str = "",
) -> Problem:
    """The problem of a type, without the members that would be empty."""
    told: Problem = {
        "type": problem_address(kind),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if hint:
        told["hint"] = hint
    if errors:
        told["errors"] = list(errors)
    if reference:
        told["reference"] = reference
    return told


def response_of(told: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells a problem."""
    # A caller's text can hold what is not Unicode; it must not turn a refusal into a failure.
    content = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, told["status"], headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is; what is not ours is logged, and only its reference told."""
    if isinstance(error, errors.DomeError):
        if isinstance(error, errors.ConfigurationError):
            _log.error("%s", error)
            return problem(INTERNAL, "The server's settings cannot work.", hint="See its log.")
        return problem(_kind_of(error), error.message, hint=error.hint)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        return _of_status(error)
    reference = log_unexpected(error)
    return problem(
        INTERNAL,
        f"Internal error, reference {reference}.",
        hint="The server's log says more under this reference.",
        reference=reference,
    )


def headers_of(error: Exception) -> dict[str, str]:
    """The headers that go with an error's problem."""
    if isinstance(error, InsufficientScope):
        scope = " ".join(error.scopes)
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
    if isinstance(error, StaleRevision) and error.present is not None:
        return {"ETag": etag_of(error.present)}
    if isinstance(error, errors.BackendUnavailable):
        return {"Retry-After": str(math.ceil(error.retry_after or _RETRY_SECONDS))}
    if isinstance(error, errors.QuotaExhausted) and error.until is not None:
        seconds = (error.until - datetime.now(UTC)).total_seconds()
        return {"Retry-After": str(max(1, math.ceil(seconds)))}
    if isinstance(error, HTTPException):
        return dict(error.headers or {})
    return {}


def _methods_at(path: str, routes: Iterable[APIRoute]) -> list[str]:
    there = [route for route in routes if route.path_regex.match(path)]
    # A fixed address wins over one with a variable part that would match it as well.
    at_first = [route for route in there if route.path_format == there[0].path_format]
    methods = set[str]().union(*(route.methods or () for route in at_first))
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _kind_of(error: errors.DomeError) -> Kind:
    own = (kind for kept, kind in _OF_ERRORS if isinstance(error, kept))
    return next(own, None) or kind_of(error)


def _of_validation(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(MALFORMED, "The body is not JSON.", hint="Send one JSON object.")
    told = [_field_error(each) for each in found]
    return problem(
        INVALID_INPUT, "Some of the request cannot work as it is; see errors.", errors=told
    )


def _field_error(found: Mapping[str, Any]) -> FieldError:
    location = ".".join(str(part)[:60] for part in found["loc"])
    return {"location": location, "message": str(found["msg"])}


def _of_status(error: HTTPException) -> Problem:
    kind = _OF_STATUS.get(error.status_code)
    if kind is None:
        title = HTTPStatus(error.status_code).phrase
        told = problem(Kind("about", error.status_code, title), str(error.detail))
        return cast(Problem, {**told, "type": "about:blank"})
    if kind is METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        return problem(kind, "This address does not take that method.", hint=f"It takes {allowed}.")
    if kind is NOT_FOUND and error.detail == HTTPStatus(404).phrase:
        return problem(kind, "There is nothing at this address.", hint="GET /api/docs lists all.")
    return problem(kind, str(error.detail))


class _Unexpected:
    """Tells what nobody expected as a problem, unless an answer has begun; then it breaks off.

    Beneath the framework's own handler, which would raise the error again, and with it whatever
    of a user's text is in its message, to the server's log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def note_begin(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, note_begin)
        except Exception as error:  # noqa: BLE001  the shell's last resort: logged, and told as 500
            told = problem_of(error)
            if not has_begun:
                await response_of(told)(scope, receive, send)

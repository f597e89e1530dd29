"""What the gate answers itself: refusals, each of which says what to send instead."""

import math
from collections.abc import Mapping

from starlette.responses import Response

from dome_mcp.core.errors import DomeError
from dome_mcp.remote.rest.problem_kinds import (
    FORBIDDEN,
    MALFORMED,
    MISDIRECTED,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    TOO_SLOW,
    UNAUTHENTICATED,
)
from dome_mcp.remote.rest.problems import Problem, headers_of, problem, problem_of, response_of

_NOT_CACHED = {"Cache-Control": "no-store"}
_CLOSING = {"Connection": "close"}


class Refused(Exception):
    """The request goes no further; `told` is the problem that its sender gets."""

    def __init__(self, told: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(told["title"])
        self.told = told
        self.headers = {**_NOT_CACHED, **(headers or {})}

    @property
    def response(self) -> Response:
        return response_of(self.told, self.headers)


def wrong_host() -> Refused:
    """421: the Host header is none of ours."""
    return Refused(
        problem(
            MISDIRECTED,
            "This endpoint does not answer to the host of the request.",
            hint="Add it to DOME_ALLOWED_HOSTS, and have a proxy pass the Host header on.",
        )
    )


def foreign_origin() -> Refused:
    """403: a page from elsewhere."""
    return Refused(
        problem(
            FORBIDDEN,
            "Pages of this origin may not use this endpoint.",
            hint="Add it to DOME_ALLOWED_ORIGINS. Behind a proxy that ends TLS, set "
            "DOME_PUBLIC_URL, or name the proxy in DOME_TRUSTED_PROXIES.",
        )
    )


def too_large(max_bytes: int) -> Refused:
    """413: the body is longer than what is read here.

    The connection stays, or a client that is still sending would be cut off before it can read why.
    """
    return Refused(
        problem(
            TOO_LARGE,
            f"The body is larger than {max_bytes:,} bytes, the most that is read here.",
            hint="Send a file as multipart/form-data to POST /api/ingest, or by POST /api/uploads.",
        )
    )


def too_slow(seconds: float) -> Refused:
    """408: the body stopped coming."""
    return Refused(
        problem(
            TOO_SLOW,
            f"No more of the body came for {seconds:g} seconds.",
            hint="Send the request again.",
        ),
        _CLOSING,
    )


def token_in_query() -> Refused:
    """400: a token where every log on the way writes it down."""
    return Refused(
        problem(
            MALFORMED,
            "The address holds a token, which logs and histories keep.",
            hint="Revoke it, and send the new one as `Authorization: Bearer …`.",
        ),
        {"WWW-Authenticate": 'Bearer error="invalid_request"'},
    )


def no_token(challenge: str) -> Refused:
    """401: nobody says who they are."""
    return Refused(
        problem(
            UNAUTHENTICATED,
            "The request carries no token.",
            hint="Send `Authorization: Bearer …`; `dome-mcp token create` makes a token.",
        ),
        {"WWW-Authenticate": challenge},
    )


def bad_token(challenge: str, error: DomeError) -> Refused:
    """401: a token that is not valid, and as much of why as helps its owner."""
    return Refused(
        problem(UNAUTHENTICATED, error.message, hint=error.hint), {"WWW-Authenticate": challenge}
    )


def too_many(detail: str, hint: str, *, retry_seconds: float) -> Refused:
    """429: later."""
    headers = {"Retry-After": str(max(1, math.ceil(retry_seconds)))}
    return Refused(problem(TOO_MANY_REQUESTS, detail, hint=hint), headers)


def failed(error: Exception) -> Refused:
    """Whatever an error is: 403 where something is forbidden, 503 where a backend is away."""
    return Refused(problem_of(error), headers_of(error))

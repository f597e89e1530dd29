"""The types of problem that the REST API tells of; each has an anchor in its documentation.

This runs inside Workers too, so it imports the standard library alone.
"""

from dataclasses import dataclass

from dome_mcp.core import errors
from dome_mcp.core.access import InsufficientScope


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem: `name` is its anchor in the documentation, `remedy` what to do there."""

    name: str
    status: int
    title: str
    remedy: str = ""


MALFORMED = Kind(
    "malformed-request",
    400,
    "The request cannot be read",
    "Send what the operation describes: one JSON object, in UTF-8.",
)
UNAUTHENTICATED = Kind(
    "unauthenticated",
    401,
    "The request carries no valid token",
    "Send `Authorization: Bearer TOKEN`; `dome-mcp token create` makes a token.",
)
INSUFFICIENT_SCOPE = Kind(
    "insufficient-scope",
    403,
    "The token lacks a scope",
    "Use a token that has the scopes which the operation needs.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "This is not allowed",
    "The settings or the token rule it out; `hint` says what would allow it.",
)
NOT_FOUND = Kind(
    "not-found",
    404,
    "There is no such thing",
    "Look the id up with a listing or a search. What belongs to somebody else is not there either.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed",
    405,
    "The resource has no such method",
    "Use one of the methods in the header `Allow`.",
)
TOO_SLOW = Kind(
    "request-timeout",
    408,
    "The request did not arrive in time",
    "Send the body without pauses.",
)
CONFLICT = Kind(
    "conflict",
    409,
    "The present state forbids it",
    "Read what is there now, and decide anew.",
)
STALE_REVISION = Kind(
    "stale-revision",
    412,
    "It changed since it was read",
    "Read it again, and repeat the change on what it says now, with its new ETag.",
)
TOO_LARGE = Kind(
    "too-large",
    413,
    "The request is too large",
    "Send a file by `POST /api/uploads`, or split the text.",
)
UNSUPPORTED_TYPE = Kind(
    "unsupported-type",
    415,
    "This type of content is not read here",
    "Send the type that the operation describes in `Content-Type`.",
)
MISDIRECTED = Kind(
    "misdirected-request",
    421,
    "The request is for another host",
    "Use a host name that the server is set up for, DOME_ALLOWED_HOSTS.",
)
INVALID_INPUT = Kind(
    "invalid-input",
    422,
    "The input cannot work as it is",
    "`errors` says which part cannot work, or `hint` what to send instead.",
)
REUSED_KEY = Kind(
    "reused-key",
    422,
    "The Idempotency-Key stands for another request",
    "Use a new Idempotency-Key for each request, and the same one only for its repetition.",
)
REVISION_REQUIRED = Kind(
    "revision-required",
    428,
    "The change must say what it is made to",
    "Send `If-Match` with the ETag of what you read.",
)
TOO_MANY_REQUESTS = Kind(
    "too-many-requests",
    429,
    "Too many requests",
    "Wait for the seconds in `Retry-After`.",
)
INTERNAL = Kind(
    "internal-error",
    500,
    "An error of the server",
    "Send it again later. The server's log says more under `reference`.",
)
BACKEND_REFUSED = Kind(
    "backend-refused",
    502,
    "A service behind this one refused",
    "The same request will be refused again; `detail` says by whom.",
)
UNDELIVERED = Kind(
    "undelivered",
    502,
    "The channel did not take the notice",
    "Check the channel's settings; `detail` says what its service answered.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "A service behind this one does not answer",
    "Wait for the seconds in `Retry-After`, and send it again.",
)
OUT_OF_SPACE = Kind(
    "out-of-space",
    507,
    "There is no room to store it",
    "Nothing was stored. Free space on the server's disk.",
)

KINDS = (
    *(MALFORMED, UNAUTHENTICATED, INSUFFICIENT_SCOPE, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED),
    *(TOO_SLOW, CONFLICT, STALE_REVISION, TOO_LARGE, UNSUPPORTED_TYPE, MISDIRECTED, INVALID_INPUT),
    *(REUSED_KEY, REVISION_REQUIRED, TOO_MANY_REQUESTS, INTERNAL, BACKEND_REFUSED, UNDELIVERED),
    *(UNAVAILABLE, OUT_OF_SPACE),
)
"""Every type of problem, by status."""

_OF_ERRORS: tuple[tuple[type[errors.DomeError], Kind], ...] = (
    (InsufficientScope, INSUFFICIENT_SCOPE),
    (errors.InvalidInput, INVALID_INPUT),
    (errors.NotFound, NOT_FOUND),
    (errors.Conflict, CONFLICT),
    (errors.Forbidden, FORBIDDEN),
    (errors.BackendUnavailable, UNAVAILABLE),
    (errors.QuotaExhausted, OUT_OF_SPACE),
    (errors.BackendError, BACKEND_REFUSED),
    (errors.DeliveryFailed, UNDELIVERED),
)
"""The type of problem that each error is, the narrower errors first."""

_OF_DOCUMENTS = {"too_large": TOO_LARGE, "unsupported": UNSUPPORTED_TYPE}


def kind_of(error: errors.DomeError) -> Kind:
    """The type of problem that an error is, over HTTP or not."""
    if isinstance(error, errors.UnreadableDocument):
        return _OF_DOCUMENTS.get(error.reason, INVALID_INPUT)
    if isinstance(error, errors.QuotaExhausted) and error.until is not None:
        return UNAVAILABLE
    return next((kind for kept, kind in _OF_ERRORS if isinstance(error, kept)), INTERNAL)


def problem_address(kind: Kind) -> str:
    """The `type` of a problem."""
    return f"/api/docs#{kind.name}"

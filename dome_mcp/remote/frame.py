"""What stands around the routes of an endpoint, whatever serves it: who needs no token, and what is
said where no route answers.
"""

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dome_mcp.core.errors import DomeError
from dome_mcp.remote import health, resource_metadata
from dome_mcp.remote.rest import problems
from dome_mcp.remote.rest.problem_kinds import NOT_FOUND

PUBLIC: tuple[tuple[str, str], ...] = (
    ("GET", "/"),
    ("GET", "/assets/"),
    ("GET", health.LIVES),
    ("GET", health.READY),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
    *(("GET", path) for path in resource_metadata.PATHS),
    ("GET", "/link/"),
    ("POST", "/link/"),
    ("PUT", "/api/uploads/"),
)
"""What is answered without a token: methods and paths, or what paths start with where a slash is
at the end. HEAD counts as GET. Links and uploads carry a signature of ours instead."""


def is_public(scope: Scope) -> bool:
    """Whether a request is answered without a token."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return any(method == allowed and _is_at(scope["path"], place) for allowed, place in PUBLIC)


def framed(routes: ASGIApp) -> ASGIApp:
    """The routes, whose errors are told as problems."""
    return ExceptionMiddleware(routes, handlers={DomeError: _told, HTTPException: _told})


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Says that there is nothing at an address."""
    told = problems.problem(NOT_FOUND, "There is nothing at this address.")
    await problems.response_of(told)(scope, receive, send)


def _is_at(path: str, place: str) -> bool:
    is_folder = place.endswith("/") and place != "/"
    return path.startswith(place) if is_folder else path == place


async def _told(_: Request, error: Exception) -> Response:
    return problems.response_of(problems.problem_of(error), problems.headers_of(error))

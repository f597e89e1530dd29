"""The REST API on the real embedded drivers, without the gate: a header says who sends a request.

`api` is a client of the owner, who may do everything; `api.as_("ann", "notes:read")` is another
user's, or another token's. `api_over` makes one over any other door.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Self, cast
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from dome_mcp.app import Caller, Door
from dome_mcp.core.access import SCOPES, Principal, Scope
from dome_mcp.remote.callers import admit
from dome_mcp.remote.rest.app import build_api
from tests.agenda_serving import agenda
from tests.serving import Serving, served

__all__ = ["agenda", "api", "api_over", "problem_in", "served"]


class Admitting:
    """Stands in for the gate: admits whomever the headers name, and nobody without them."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (user := Request(scope).headers.get("x-user")):
            headers = Request(scope).headers
            principal = Principal(
                user,
                frozenset(cast("list[Scope]", headers["x-scopes"].split())),
                credential=f"token-of-{user}",
                zone=ZoneInfo(headers["x-zone"]) if "x-zone" in headers else None,
            )
            admit(scope, Caller(self.door, principal))
        await self.app(scope, receive, send)


class Api(httpx.AsyncClient):
    """A client of the API, as one user with some scopes."""

    app: ASGIApp

    @classmethod
    def of(cls, app: ASGIApp, user: str, scopes: Iterable[Scope], *, zone: str = "") -> Self:
        headers = {"x-user": user, "x-scopes": " ".join(scopes)} | (
            {"x-zone": zone} if zone else {}
        )
        transport = httpx.ASGITransport(app)
        client = cls(transport=transport, base_url="http://dome.test", headers=headers)
        client.app = app
        return client

    def as_(self, user: str, *scopes: Scope, zone: str = "") -> Self:
        """The same API for another caller."""
        return self.of(self.app, user, scopes, zone=zone)


def app_over(door: Door) -> ASGIApp:
    """The API where it will be mounted, behind the stand-in for the gate."""
    return Admitting(Starlette(routes=[Mount("/api", build_api(door))]), door)


def api_over(door: Door) -> Api:
    """A client of the owner of what is behind the door."""
    return Api.of(app_over(door), door.settings.user, SCOPES)


def problem_in(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem of this status and type that the response has to be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"] == f"/api/docs#{name}"
    return problem


@pytest.fixture
async def api(served: Serving) -> AsyncIterator[Api]:
    """A client of an API without any notes or tasks."""
    async with api_over(served.door) as client:
        yield client

"""A laptop's server over the REST API of another, in one process, its requests written down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from dome_mcp.api_client.connection import Api
from dome_mcp.api_client.server import build_api_server
from dome_mcp.core.access import SCOPES, Scope
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import app_over
from tests.serving import Serving, settings_in

SERVER = "http://dome.test"
ME = "GET /api/me"


@dataclass
class Line(httpx.AsyncBaseTransport):
    """The way to a server: what went over it, and what is to happen to the next requests."""

    there: httpx.AsyncBaseTransport
    sent: list[httpx.Request] = field(default_factory=list)
    troubles: list[httpx.Response | Exception] = field(default_factory=list)
    """Each in place of an answer, in order."""
    loses: int = 0
    """So many answers are lost, after the server has done what was asked."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        response = await self.there.handle_async_request(request)
        if self.loses:
            self.loses -= 1
            await response.aread()
            raise httpx.ReadError("the connection broke off", request=request)
        return response

    @property
    def asked(self) -> list[str]:
        """Each request's method and path, but for the question what the token may do.

        A client lists the tools by itself, and that is when it is asked, once.
        """
        asked = [f"{request.method} {request.url.path}" for request in self.sent]
        return [each for each in asked if each != ME]


@dataclass
class Laptop:
    """The way to the server, and the API over it."""

    line: Line
    api: Api
    settings: Settings


@asynccontextmanager
async def laptop_of(served: Serving, home: Path, *scopes: Scope) -> AsyncIterator[Laptop]:
    """A laptop whose token has these scopes, all of them where none is named.

    `home` is its own, empty data folder; files may be read from the folder that it is in.
    """
    line = Line(httpx.ASGITransport(app_over(served.door)))
    headers = {"x-user": served.door.settings.user, "x-scopes": " ".join(scopes or SCOPES)}
    async with httpx.AsyncClient(
        transport=line, base_url=f"{SERVER}/api/", headers=headers
    ) as http:
        api = Api(http, pause_seconds=0.0, look_seconds=0.01)
        yield Laptop(line, api, settings_in(home))


@asynccontextmanager
async def client_over_api(
    served: Serving, home: Path, *scopes: Scope, mode: str = "auto", **options: Any
) -> AsyncIterator[tuple[Client, Laptop]]:
    """A client of a laptop's server, and the laptop."""
    async with (
        laptop_of(served, home, *scopes) as laptop,
        Client(
            build_api_server(laptop.api, laptop.settings, **options), mode=mode, cache=None
        ) as client,
    ):
        yield client, laptop

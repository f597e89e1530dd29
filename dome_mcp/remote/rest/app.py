"""The REST API as one application, to be mounted at /api behind the gate."""

from functools import partial
from types import ModuleType

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dome_mcp import __version__
from dome_mcp.app import Door
from dome_mcp.remote.rest import (
    channels,
    chat,
    docs_page,
    inbox,
    ingest,
    me,
    notes,
    problems,
    reminders,
    search,
    status,
    tasks,
    uploads,
)
from dome_mcp.remote.rest.openapi import describe

SUBJECTS: tuple[ModuleType, ...] = (
    me,
    status,
    notes,
    ingest,
    uploads,
    search,
    chat,
    tasks,
    reminders,
    inbox,
    channels,
)
"""The modules whose `router` is served, in the order in which the documentation lists them."""


def build_api(door: Door) -> FastAPI:
    """The API over one door to the application; every caller brings it with their request."""
    app = FastAPI(
        title="DOME",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its spans would hold addresses with their queries: what was searched for, signatures.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.door = door
    problems.install(app, served_routes())
    app.add_middleware(_HeadAsGet)
    for subject in SUBJECTS:
        app.include_router(subject.router)
    app.include_router(docs_page.router_for(partial(describe, app, served_routes())))
    return app


def served_routes() -> list[APIRoute]:
    """The routes of every subject."""
    routes = [route for subject in SUBJECTS for route in subject.router.routes]
    return [route for route in routes if isinstance(route, APIRoute)]


class _HeadAsGet:
    """Answers HEAD as it would GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)

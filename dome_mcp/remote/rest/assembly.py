"""The REST API put together from its subjects, for whatever serves it."""

from collections.abc import Sequence
from functools import partial
from types import ModuleType

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dome_mcp import __version__
from dome_mcp.remote.rest import docs_page, problems
from dome_mcp.remote.rest.openapi import describe
from dome_mcp.remote.rest.surroundings import Surroundings


def assembled(subjects: Sequence[ModuleType], surroundings: Surroundings) -> FastAPI:
    """The API; every caller brings the door to the application with their request.

    The subjects are modules with a `router`, in the order in which the documentation has them.
    """
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
    app.state.surroundings = surroundings
    routes = routes_of(subjects)
    problems.install(app, routes)
    app.add_middleware(_HeadAsGet)
    for subject in subjects:
        app.include_router(subject.router)
    app.include_router(docs_page.router_for(partial(describe, app, routes)))
    return app


def routes_of(subjects: Sequence[ModuleType]) -> list[APIRoute]:
    """The routes of every subject."""
    routes = [route for subject in subjects for route in subject.router.routes]
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

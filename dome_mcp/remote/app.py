"""The remote endpoint as one ASGI application: MCP, REST, the page, and what operators look at.

From the outside in: what is counted and logged (`Observed`), the gate, which lets nobody in unknown
but by PUBLIC, and the routes. Everything that opens and closes is in `Endpoint.running`, which
the ASGI lifespan enters; of what is mounted no lifespan runs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from dome_mcp.app import Dome, Door
from dome_mcp.background import running
from dome_mcp.companion_launch import companion_kept
from dome_mcp.core.access import Principal
from dome_mcp.core.audit import Outcome
from dome_mcp.remote import health, links, resource_metadata, site
from dome_mcp.remote.access_log import Observed
from dome_mcp.remote.audit_log import AuditLog
from dome_mcp.remote.bearers import Bearers
from dome_mcp.remote.callers import caller_of, identify
from dome_mcp.remote.frame import framed, is_public, nothing_here
from dome_mcp.remote.gate import Gate
from dome_mcp.remote.jobs import running_jobs
from dome_mcp.remote.metrics import CONTENT_TYPE, Metrics
from dome_mcp.remote.oidc import open_oidc
from dome_mcp.remote.rest import problems
from dome_mcp.remote.rest.app import build_api
from dome_mcp.remote.rest.problem_kinds import UNAVAILABLE
from dome_mcp.remote.sessions import MAX_SESSIONS, FairSessions, Introduced, count_sessions
from dome_mcp.server import build_server
from dome_mcp.services.figures import overall_figures
from dome_mcp.settings import Settings

_MCP_PATH = "/mcp"
_METRICS_PATH = "/metrics"
_MEGABYTE = 1_000_000
_UNCHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The gate checks Host and Origin, for all paths alike."""


def build_app(door: Door, settings: Settings, *, metrics_folder: str | None = None) -> "Endpoint":
    """The endpoint over one door to the application, for one process.

    `metrics_folder` is where all processes leave their figures, None where there is one.

    Raises:
        ConfigurationError: the settings of OAuth cannot work.
    """
    return Endpoint(door, settings, Metrics(metrics_folder))


class Endpoint:
    """The ASGI application, what runs beside it, and how its streams end. It runs once."""

    def __init__(self, door: Door, settings: Settings, metrics: Metrics) -> None:
        self._door = door
        self._metrics = metrics
        self._audit = AuditLog()
        self._closing = anyio.Event()
        self._is_alone = settings.http.http_workers == 1
        self._server = build_server(door, identify=identify, observe=self._observe)
        self._router = Router(
            self._routes(settings), default=nothing_here, lifespan=lambda _: self.running()
        )
        gate = Gate(
            Introduced(framed(self._router)),
            door=door,
            bearers=Bearers(door, open_oidc(settings)),
            public=is_public,
            audit=self._audit,
            closing=self._closing,
        )
        self._observed = Observed(gate, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._router.lifespan(scope, receive, send)
        else:
            await self._observed(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Holds the application open, and the sessions, for as long as the block runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._door.keep, self._at_work)
            # Whoever starts a server means to use it; the first request should not wait.
            self._door.knock()
            async with self._server.session_manager.run():
                yield
            tasks.cancel_scope.cancel()

    async def close_streams(self) -> None:
        """Ends the answers that would stay open: with a last message where there is one to send."""
        self._closing.set()
        await self._server.close_streams()

    @asynccontextmanager
    async def _at_work(self, dome: Dome) -> AsyncIterator[None]:
        """What goes on beside the requests."""
        async with (
            self._audit.kept(dome),
            running(dome),
            running_jobs(dome),
            companion_kept(dome),
        ):
            yield

    def _observe(
        self, principal: Principal, action: str, target: str, outcome: Outcome, seconds: float
    ) -> None:
        self._audit.observe(principal, action, target, outcome, seconds)
        self._metrics.count_call(action, outcome, seconds=seconds)

    def _routes(self, settings: Settings) -> list[BaseRoute]:
        return [
            *self._mcp_routes(settings.http.max_body_mb * _MEGABYTE),
            Mount("/api", build_api(self._door)),
            Route(_METRICS_PATH, self._show_metrics),
            *health.routes(self._door),
            *links.routes(self._door),
            *resource_metadata.routes(settings),
            *site.routes(),
        ]

    def _mcp_routes(self, max_body_bytes: int) -> list[BaseRoute]:
        # The applications around these routes would only bring a lifespan, which never runs.
        streamable = self._server.streamable_http_app(
            # A session lives in one process, and nothing leads a client back to it.
            streamable_http_path=_MCP_PATH,
            stateless_http=not self._is_alone,
            max_request_body_size=max_body_bytes,
            transport_security=_UNCHECKED,
            max_sessions=MAX_SESSIONS,
        )
        fair = FairSessions(streamable.router, self._server.session_manager)
        at_mcp = Route(_MCP_PATH, fair)
        if not self._is_alone:
            methods = ["GET", "POST"]
            refusing = [
                Route(path, _only_alone, methods=methods) for path in ("/sse", "/messages/")
            ]
            return [at_mcp, *refusing]
        sse = self._server.sse_app(
            max_request_body_size=max_body_bytes, transport_security=_UNCHECKED
        )
        return [at_mcp, *sse.routes]

    async def _show_metrics(self, request: Request) -> Response:
        caller = caller_of(request)
        caller.principal.require("admin")
        dome = await caller.dome()
        figures = await overall_figures(dome.ports.database, now=dome.now())
        sessions = count_sessions(self._server.session_manager)
        content = self._metrics.exposition(figures, sessions=sessions)
        return Response(content, media_type=CONTENT_TYPE)


async def _only_alone(_: Request) -> Response:
    told = problems.problem(
        UNAVAILABLE,
        "The SSE transport needs a server of one process, and this one has several.",
        hint="Use Streamable HTTP, at /mcp, or have DOME_HTTP_WORKERS=1.",
    )
    return problems.response_of(told)

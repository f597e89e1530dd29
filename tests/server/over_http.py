"""The server over HTTP on a loopback port, behind a gate that takes a header for an answer."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from dome_mcp.app import Caller
from dome_mcp.core.access import Principal
from dome_mcp.dome_server import DomeServer
from dome_mcp.remote.callers import admit, identify
from dome_mcp.server import build_server
from tests.serving import OFFERED, Serving

HEADER = "x-caller"
Transport = Literal["http", "sse"]

_UNCHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


@dataclass(frozen=True)
class OverHttp:
    """A server at an address, which knows these callers by name."""

    url: str
    server: DomeServer

    @asynccontextmanager
    async def client(
        self, transport: Transport, era: str, name: str, **options: Any
    ) -> AsyncIterator[tuple[Client, httpx2.Headers]]:
        """A client that names itself so, and its headers, in which it may take another name."""
        http = httpx2.AsyncClient(headers={HEADER: name}, timeout=10)
        async with AsyncExitStack() as stack:
            if transport == "http":
                await stack.enter_async_context(http)
                streams = streamable_http_client(f"{self.url}/mcp", http_client=http)
            else:

                def factory(*_: object, **__: object) -> httpx2.AsyncClient:
                    return http

                # This one opens and closes the client itself.
                streams = sse_client(f"{self.url}/sse", httpx_client_factory=factory)
            yield (
                await stack.enter_async_context(Client(streams, mode=era, cache=None, **options)),
                http.headers,
            )


class _Unattended(uvicorn.Server):
    """Leaves the signals of the test's process alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def over_http(served: Serving, callers: Mapping[str, Principal]) -> AsyncIterator[OverHttp]:
    """The server for as long as the block runs; who gives no name of these is let in as nobody."""
    server = build_server(served.door, identify=identify, offer=OFFERED)
    app = server.streamable_http_app(transport_security=_UNCHECKED)
    app.router.routes.extend(server.sse_app(transport_security=_UNCHECKED).routes)
    config = uvicorn.Config(
        _Gate(app, served, callers),
        port=0,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    http = _Unattended(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.serve)
        with anyio.fail_after(10):
            await http.listening.wait()
        assert http.started, "the application did not start"
        port = http.servers[0].sockets[0].getsockname()[1]
        yield OverHttp(f"http://127.0.0.1:{port}", server)
        await server.close_streams()
        http.should_exit = True


class _Gate:
    def __init__(self, app: ASGIApp, served: Serving, callers: Mapping[str, Principal]) -> None:
        self._app = app
        self._served = served
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(HEADER.encode(), b"").decode()
            if name in self._callers:
                admit(scope, Caller(self._served.door, self._callers[name]))
        await self._app(scope, receive, send)

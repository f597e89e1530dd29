"""The whole endpoint on a loopback socket, with tokens, over an application without a model.

What stands between a stranger and the data is all real: the gate, the tokens, the sessions of the
MCP library, the HTTP server.
"""

import secrets
import socket
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import Scope
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.app import build_app
from dome_mcp.services.access import create_token
from dome_mcp.settings import Settings
from tests.remote.serving_http import WITHOUT_TLS
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import settings_in

WORK: tuple[Scope, ...] = ("notes:read", "notes:write", "tasks:read", "tasks:write")
"""Everything but the machine."""
READING: tuple[Scope, ...] = ("notes:read", "tasks:read")

TRANSPORTS = ("modern", "legacy", "sse")
"""The stateless protocol, and the one with a handshake, over one address and over two."""

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    url: str
    door: Door
    dome: Dome

    async def token(self, user_id: str, *scopes: Scope) -> str:
        """A new token of this user, who need not have been there before."""
        text = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
        await create_token(
            text,
            self.dome.ports,
            user_id=user_id,
            name="test",
            scopes=frozenset(scopes),
            now=self.dome.now(),
            expires_at=None,
        )
        return text

    def http(
        self, token: str | None, headers: Mapping[str, str] | None = None
    ) -> httpx.AsyncClient:
        """A client that sends this token, or none."""
        sent = bearer(token) if token else {}
        return httpx.AsyncClient(
            base_url=self.url,
            headers={**sent, **(headers or {})},
            trust_env=False,
            timeout=PATIENCE_SECONDS,
            verify=WITHOUT_TLS,
        )

    @asynccontextmanager
    async def mcp(self, transport: str, token: str, **options: Any) -> AsyncIterator[Client]:
        """A client of the MCP server over one of TRANSPORTS."""
        if transport == "sse":
            connection = sse_client(f"{self.url}/sse", headers=bearer(token))
            async with Client(connection, mode="legacy", **options) as client:
                yield client
            return
        async with httpx2.AsyncClient(
            headers=bearer(token),
            trust_env=False,
            timeout=PATIENCE_SECONDS,
            verify=WITHOUT_TLS,
        ) as http:
            connection = streamable_http_client(f"{self.url}/mcp", http_client=http)
            mode = "auto" if transport == "modern" else "legacy"
            async with Client(connection, mode=mode, **options) as client:
                yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def running_endpoint(
    home: Path, *, http: HttpSettings | None = None, **changes: Any
) -> AsyncIterator[Endpoint]:
    """The endpoint over an empty data folder, on any free port."""
    limits = HttpSettings(rate_per_minute=1_000_000)
    settings = replace(settings_in(home), companion="off", http=http or limits, **changes)
    door = Door(settings, _open)
    app = build_app(door, settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(
            uvicorn.Config(app, lifespan="on", ws="none", log_config=None, server_header=False)
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            with anyio.fail_after(PATIENCE_SECONDS):
                dome = await door.dome()
            port = listening.getsockname()[1]
            yield Endpoint(f"http://127.0.0.1:{port}", door, dome)
            with anyio.CancelScope(shield=True):
                await app.close_streams()
            server.should_exit = True


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Dome]:
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, settings.home, WordEmbedder())
        yield Dome.of_owner(settings, ports, holder="test")


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves the signals to the tests."""
        yield

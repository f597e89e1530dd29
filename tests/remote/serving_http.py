"""The whole remote endpoint on a loopback port, in this process: gate, MCP, REST and page.

The data are those of an embedded database in memory, with an embedder that knows words only.
"""

import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from dome_mcp.app import Dome, Door, Opener
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import SCOPES, Scope
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote import sockets
from dome_mcp.remote.app import Endpoint, build_app
from dome_mcp.remote.process import EndpointServer
from dome_mcp.services.access import create_token
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import settings_in

OWNER = "me"
WITHOUT_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients on loopback: to read the authorities for each takes longer than a short test."""


@dataclass(frozen=True, slots=True)
class Served:
    """An endpoint at an address, and the application behind it."""

    url: str
    endpoint: Endpoint
    server: EndpointServer
    dome: Dome

    async def token(self, *scopes: Scope, user: str = OWNER) -> str:
        """A new token of a user, with all scopes unless some are named."""
        text = token_text(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
        now = datetime.now(UTC)
        await create_token(
            text,
            self.dome.ports,
            user_id=user,
            name="test",
            scopes=frozenset(scopes or SCOPES),
            now=now,
            expires_at=now + timedelta(days=1),
        )
        return text

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client of the whole endpoint; without a token it is nobody."""
        return client_of(self.url, token)

    def mcp(
        self, token: str, *, era: str = "auto", path: str = "/mcp"
    ) -> AbstractAsyncContextManager[Client]:
        """An MCP client of `/mcp` or `/sse`."""
        return mcp_client(f"{self.url}{path}", token, era=era)


@asynccontextmanager
async def serving_http(
    home: Path,
    *,
    opener: Opener | None = None,
    http: HttpSettings | None = None,
    around: Callable[[Endpoint], Any] = lambda endpoint: endpoint,
    **settings: Any,
) -> AsyncIterator[Served]:
    """The endpoint over a data folder, until the block ends; `around` puts something before it."""
    made = settings_in(
        home, companion="off", http=replace(http or HttpSettings(), http_port=0), **settings
    )
    door = Door(made, opener or _open_in_memory)
    listeners = sockets.listen(made.http)
    endpoint = build_app(door, made)
    server = EndpointServer(around(endpoint))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listeners)
        try:
            with anyio.fail_after(30):
                dome = await door.dome()
            yield Served(sockets.address_of(made.http, listeners), endpoint, server, dome)
        finally:
            server.should_exit = True


@asynccontextmanager
async def _open_in_memory(settings: Settings) -> AsyncIterator[Dome]:
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, settings.home, WordEmbedder())
        yield Dome.of_owner(settings, ports, holder="test")


def client_of(url: str, token: str | None = None) -> httpx.AsyncClient:
    """A client of the endpoint at an address; without a token it is nobody."""
    headers = {} if token is None else bearer(token)
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=30, verify=WITHOUT_TLS)


@asynccontextmanager
async def mcp_client(url: str, token: str, *, era: str = "auto") -> AsyncIterator[Client]:
    """An MCP client of a URL that ends in `/mcp` or `/sse`."""
    if url.endswith("/sse"):
        async with Client(sse_client(url, headers=bearer(token)), mode=era) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers=bearer(token), timeout=30, verify=WITHOUT_TLS) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}

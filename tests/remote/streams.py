"""The answers of the endpoint that stay open, each held open by a client of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

_MCP = {"Accept": "application/json, text/event-stream"}
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@asynccontextmanager
async def legacy_stream(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """The stream on which a client of the handshake era hears of changes."""
    async with client:
        opened = await client.post("/mcp", json=_INITIALIZE, headers=_MCP)
        session = {**_MCP, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
        async with client.stream("GET", "/mcp", headers=session) as response:
            assert response.status_code == 200
            yield


@asynccontextmanager
async def sse(client: httpx.AsyncClient) -> AsyncIterator[None]:
    async with client, client.stream("GET", "/sse") as response:
        assert response.status_code == 200
        yield


@asynccontextmanager
async def listening(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """A subscription of the stateless era, which its client does not read."""
    params = {
        "notifications": {"resourcesListChanged": True},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        },
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    headers = {
        **_MCP,
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "subscriptions/listen",
    }
    async with (
        client,
        client.stream("POST", "/mcp", json=message, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        yield

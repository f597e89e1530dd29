"""Connections that are held without being used, and that others do not notice."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from dome_mcp.remote.connections import PatientProtocol
from dome_mcp.remote.exchanges import ABANDONED
from tests.remote.processes import served
from tests.remote.rude_clients import connect, half_open, read_all, send, slow_reader
from tests.serving import LISBON

pytestmark = pytest.mark.anyio

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
OTHERS = 100
MANY_BYTES = 50_000_000
"""More than the system takes over for a connection."""
SECONDS = 2.0


class Hasty(PatientProtocol):
    """Waits for a head no longer than a test does, and for few clients."""

    head_seconds = 0.3
    max_connections = 3


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with _serving(_hello) as url:
        connection = await connect(url)
        assert await _read(connection) == b""


async def test_a_head_that_comes_a_byte_at_a_time_is_not_waited_for() -> None:
    async with _serving(_hello) as url:
        connection = await connect(url)
        with anyio.fail_after(10), pytest.raises(OSError, match=r"reset|Broken pipe"):
            await _drip(connection)
        connection.close()


async def test_a_body_that_was_answered_before_its_end_is_not_waited_for() -> None:
    async with _serving(_hello) as url:
        connection = await connect(url)
        await send(
            connection, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n"
        )
        with anyio.fail_after(10), pytest.raises(OSError, match=r"reset|Broken pipe"):
            await _drip(connection)
        connection.close()


async def test_a_connection_may_rest_between_two_requests() -> None:
    async with _serving(_hello) as url:
        connection = await connect(url)
        for _ in range(2):
            await send(connection, REQUEST)
            await anyio.wait_readable(connection)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            # Longer than a head may take.
            await anyio.sleep(2 * Hasty.head_seconds)
        # But once it has begun, the next request is to come as well.
        await send(connection, REQUEST[:10])
        assert await _read(connection) == b""


async def test_an_answer_may_take_its_time() -> None:
    async def slow(scope: Scope, receive: Receive, send_back: Send) -> None:
        await anyio.sleep(2 * Hasty.head_seconds)
        await _hello(scope, receive, send_back)

    async with _serving(slow) as url, httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 200


async def test_the_pieces_of_an_answer_do_not_wait_for_each_other() -> None:
    seen: list[int] = []

    class Watched(Hasty):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            connection: socket.socket = transport.get_extra_info("socket")
            seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async with _serving(_hello, Watched) as url, httpx.AsyncClient() as client:
        await client.get(url)
    assert seen == [1]


async def test_too_many_connections_are_turned_away_and_those_there_are_served() -> None:
    async with _serving(_hello) as url, httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 200
        others = [await connect(url) for _ in range(Hasty.max_connections - 1)]
        turned_away = await _read(await connect(url))
        assert turned_away.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in turned_away
        assert (await client.get(url)).status_code == 200
        for other in others:
            other.close()


async def test_the_connection_of_a_client_that_was_given_up_is_cut() -> None:
    async def give_up(scope: Scope, _: Receive, send_back: Send) -> None:
        headers = [(b"content-length", str(MANY_BYTES).encode())]
        await send_back({"type": "http.response.start", "status": 200, "headers": headers})
        await send_back({"type": "http.response.body", "body": bytes(MANY_BYTES)})
        scope[ABANDONED] = True

    async with _serving(give_up) as url:
        connection = await connect(url)
        await send(connection, REQUEST)
        # What had left by then may be read, and not what was still waiting.
        assert len(await _read(connection)) < MANY_BYTES


async def test_others_do_not_notice_half_open_connections_and_slow_readers(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server, AsyncExitStack() as stack:
        token = await server.token()
        for _ in range(OTHERS):
            await stack.enter_async_context(half_open(server.url))
        for _ in range(5):
            await stack.enter_async_context(slow_reader(server.url, token))
        async with server.client(token) as client:
            began = time.monotonic()
            stored = await client.post("/api/notes", json={"text": LISBON})
            found = await client.get("/api/search", params={"q": "Miramar"})
            taken = time.monotonic() - began
    assert (stored.status_code, found.status_code) == (201, 200)
    assert found.json()["passages"]
    assert taken < SECONDS


async def _drip(connection: socket.socket) -> None:
    """Sends a head that never ends, a byte at a time."""
    while True:
        await send(connection, b"G")
        await anyio.sleep(0.05)


async def _hello(_scope: Scope, _receive: Receive, send_back: Send) -> None:
    headers = [(b"content-length", b"5")]
    await send_back({"type": "http.response.start", "status": 200, "headers": headers})
    await send_back({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def _serving(app: ASGIApp, protocol: type[PatientProtocol] = Hasty) -> AsyncIterator[str]:
    """An application on a loopback port, by the hasty protocol."""
    config = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener, anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.should_exit = True


async def _read(connection: socket.socket) -> bytes:
    with anyio.fail_after(10):
        return await read_all(connection)

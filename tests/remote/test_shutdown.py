"""How the server ends: soon, whatever is open, with exit code 0 and the database closed."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from dome_mcp.remote.process import REQUEST_SECONDS
from tests.remote.processes import CLOSING_SECONDS, children_of, is_alive, served
from tests.remote.rude_clients import connect, half_open, head_of, read_all, send, slow_reader
from tests.remote.streams import legacy_stream, listening, sse
from tests.serving import LISBON

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well_with_every_kind_of_stream_open(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with served(tmp_path) as server:
        token = await server.token()
        async with server.client(token) as rest:
            await rest.post("/api/notes", json={"text": LISBON})
        async with (
            legacy_stream(server.client(token)),
            sse(server.client(token)),
            listening(server.client(token)),
            slow_reader(server.url, token),
            half_open(server.url),
        ):
            assert await server.end(number) < CLOSING_SECONDS
        assert server.process.returncode == 0
    assert not (tmp_path / "dome.db-wal").exists()


async def test_streams_end_before_ordinary_requests_would_have_to(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        token = await server.token()
        async with legacy_stream(server.client(token)), sse(server.client(token)):
            assert await server.end(signal.SIGTERM) < REQUEST_SECONDS
        assert server.process.returncode == 0


async def test_a_subscription_ends_with_a_last_message(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        token = await server.token()
        async with server.mcp(token) as client, client.listen(resources_list_changed=True) as sub:
            server.process.send_signal(signal.SIGTERM)
            # It ends, where a connection that is cut would be an error.
            assert [event async for event in sub] == []
        assert await server.process.wait() == 0


async def test_a_request_under_way_has_its_answer(tmp_path: Path) -> None:
    text = "\n\n".join(f"Paragraph {number} of a long report." for number in range(3_000))
    async with served(tmp_path) as server:
        token = await server.token()
        connection = await connect(server.url)
        body = b'{"text": "' + text.replace("\n", "\\n").encode() + b'"}'
        head = head_of("POST", "/api/notes", token, f"Content-Length: {len(body)}")
        await send(connection, head + body[:-1])
        server.process.send_signal(signal.SIGTERM)
        # The server is closing, and still reads what belongs to the request.
        await anyio.sleep(0.3)
        await send(connection, body[-1:])
        answer = await read_all(connection)
        assert b" 201 " in answer.partition(b"\r\n")[0]
        assert await server.process.wait() == 0


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        token = await server.token()
        connection = await connect(server.url)
        # A request that never comes to its end would have its four seconds.
        await send(connection, head_of("POST", "/api/notes", token, "Content-Length: 10"))
        await anyio.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        await anyio.sleep(0.3)
        assert await server.end(signal.SIGTERM) < 1.0
        assert server.process.returncode == 128 + signal.SIGTERM
        connection.close()


async def test_several_processes_end_together(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2") as server:
        token = await server.token()
        children = children_of(server.process.pid)
        async with listening(server.client(token)), slow_reader(server.url, token):
            assert await server.end(signal.SIGTERM) < CLOSING_SECONDS
        assert server.process.returncode == 0
        assert not any(map(is_alive, children))

"""Answers that stay open, bodies that stop coming, clients that do not read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from starlette.types import Receive, Scope, Send

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Statement
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.bearers import REMEMBERED_SECONDS
from dome_mcp.remote.exchanges import ABANDONED, Patience
from dome_mcp.remote.limits import MAX_STREAMS
from dome_mcp.services import access
from tests.remote.gated import HOST, Gated, Line, gated

pytestmark = pytest.mark.anyio

FOREVER = Patience(body=1e6, reader=1e6, recheck=1e6, settle=1e6, grace=1e6)


def impatient(**changes: float) -> Patience:
    """Waits for good, but for what is named."""
    named = {"body": 1e6, "reader": 1e6, "recheck": 1e6, "settle": 1e6, "grace": 1e6}
    return Patience(**{**named, **changes})


async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An event stream that does not end by itself."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    await anyio.sleep_forever()


async def download(_scope: Scope, _receive: Receive, send: Send) -> None:
    """A file, in parts without end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        await anyio.lowlevel.checkpoint()


async def reader(_scope: Scope, receive: Receive, send: Send) -> None:
    """Reads a body, whatever happens meanwhile, and says how it ended."""
    while True:
        try:
            message = await receive()
        except Exception:  # noqa: BLE001  as a framework does that answers 400 to everything
            break
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 400, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def opened(gate: Gated, *lines: Line) -> AsyncIterator[TaskGroup]:
    """Runs requests until the first two messages of each have come; at the end of the block they
    have to end within seconds."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for line in lines:
                tasks.start_soon(line.run)
            for line in lines:
                await line.until(2)
            yield tasks


async def test_a_stream_ends_when_its_token_is_revoked(tmp_path: Path) -> None:
    async with gated(tmp_path, app=stream, patience=impatient(recheck=0.01)) as gate:
        text, token = await gate.token()
        line = Line(gate.gate, "/sse", text)
        async with opened(gate, line):
            await access.revoke_tokens([token.token_id], gate.ports, now=datetime.now(UTC))
            assert not line.is_over.is_set()
            gate.clock.now += REMEMBERED_SECONDS
            await line.is_over.wait()
        assert line.has_ended


async def test_a_stream_ends_when_its_user_is_another_or_may_do_less(tmp_path: Path) -> None:
    async with gated(tmp_path, app=stream, patience=impatient(recheck=0.01)) as gate:
        text, token = await gate.token("notes:read", "tasks:read")
        line = Line(gate.gate, "/sse", text)
        async with opened(gate, line):
            await gate.ports.database.query(
                Statement(
                    "UPDATE tokens SET scopes = 'notes:read' WHERE token_id = ?1", (token.token_id,)
                )
            )
            gate.clock.now += REMEMBERED_SECONDS
            await line.is_over.wait()


async def test_a_stream_whose_token_holds_stays_open(tmp_path: Path) -> None:
    async with gated(tmp_path, app=stream, patience=impatient(recheck=0.001)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/sse", text)
        async with opened(gate, line) as tasks:
            before = gate.clock.now
            while gate.clock.now < before + 20 * REMEMBERED_SECONDS:
                gate.clock.now += REMEMBERED_SECONDS
                await anyio.sleep(0.002)
            assert not line.is_over.is_set()
            tasks.cancel_scope.cancel()


async def test_a_database_that_is_away_ends_no_stream(tmp_path: Path) -> None:
    async with gated(tmp_path, app=stream, patience=impatient(recheck=0.01)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/sse", text)
        async with opened(gate, line) as tasks:
            gate.clock.now += REMEMBERED_SECONDS
            asked = anyio.Event()

            async def away() -> Any:
                asked.set()
                raise BackendUnavailable("database", "open", "It is away.")

            gate.door.dome = away  # pyright: ignore[reportAttributeAccessIssue]  a door that jams
            await asked.wait()
            await anyio.wait_all_tasks_blocked()
            assert not line.is_over.is_set()
            tasks.cancel_scope.cancel()


async def test_what_listens_ends_at_once_when_the_server_closes(tmp_path: Path) -> None:
    async with gated(tmp_path, app=stream, patience=FOREVER) as gate:
        text, _ = await gate.token()
        lines = [Line(gate.gate, path, text) for path in ("/sse", "/mcp")]
        async with opened(gate, *lines):
            gate.closing.set()
        assert all(line.has_ended for line in lines)


async def test_an_answer_to_a_post_has_a_moment_to_end_by_itself_when_the_server_closes(
    tmp_path: Path,
) -> None:
    may_end = anyio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await may_end.wait()
        await send({"type": "http.response.body", "body": b"data: last\n\n"})

    async with gated(tmp_path, app=answer, patience=FOREVER) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text, method="POST")
        async with opened(gate, line):
            gate.closing.set()
            await anyio.wait_all_tasks_blocked()
            may_end.set()
        assert line.sent[-1]["body"] == b"data: last\n\n"


async def test_an_answer_to_a_post_that_does_not_end_is_ended_when_the_server_closes(
    tmp_path: Path,
) -> None:
    async with gated(tmp_path, app=stream, patience=impatient(grace=0.01)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text, method="POST")
        async with opened(gate, line):
            gate.closing.set()
        assert line.has_ended


async def test_with_too_many_streams_a_new_one_is_refused_and_requests_are_not(
    tmp_path: Path,
) -> None:
    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (stream if scope["path"] == "/sse" else reader)(scope, receive, send)

    http = HttpSettings(allowed_hosts=(HOST,), rate_per_minute=6_000)
    async with gated(tmp_path, app=either, http=http, patience=FOREVER) as gate:
        text, _ = await gate.token()
        lines = [Line(gate.gate, "/sse", text) for _ in range(MAX_STREAMS)]
        async with opened(gate, *lines):
            surplus = Line(gate.gate, "/sse", text)
            await surplus.run()
            assert surplus.status == 429
            async with gate.client(text) as client:
                assert (await client.get("/api/me")).status_code == 400
            gate.closing.set()


async def test_a_long_answer_to_a_post_gives_its_place_among_the_requests_back(
    tmp_path: Path,
) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), max_concurrent=1)
    patience = impatient(settle=0.01, grace=0)
    async with gated(tmp_path, app=stream, http=http, patience=patience) as gate:
        text, _ = await gate.token()
        first = Line(gate.gate, "/mcp", text, method="POST")
        async with opened(gate, first) as tasks:
            second = Line(gate.gate, "/mcp", text, method="POST")
            tasks.start_soon(second.run)
            await second.until(1)
            while second.status == 429:
                await anyio.sleep(0.005)
                second = Line(gate.gate, "/mcp", text, method="POST")
                tasks.start_soon(second.run)
                await second.until(1)
            gate.closing.set()


async def test_a_body_that_stops_coming_is_408_whatever_the_application_does(
    tmp_path: Path,
) -> None:
    async with gated(tmp_path, app=reader, patience=impatient(body=0.05)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text, method="POST", body_ends=False)
        line.say(b"half")
        with anyio.fail_after(10):
            await line.run()
    assert line.status == 408
    assert (b"connection", b"close") in line.sent[0]["headers"]


async def test_a_body_that_grows_too_large_is_413_whatever_the_application_does(
    tmp_path: Path,
) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), max_body_mb=1)
    async with gated(tmp_path, app=reader, http=http, patience=FOREVER) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text, method="POST", body_ends=False)
        for _ in range(3):
            line.say(b"x" * 400_000)
        with anyio.fail_after(10):
            await line.run()
    assert line.status == 413


async def test_a_body_that_comes_slowly_but_steadily_is_read(tmp_path: Path) -> None:
    async with gated(tmp_path, app=reader, patience=impatient(body=0.5)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text, method="POST", body_ends=False)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(line.run)
                for _ in range(8):
                    await anyio.sleep(0.1)
                    line.say(b"x")
                line.say(b"", more=False)
    assert line.status == 400


async def test_waiting_for_the_client_to_leave_is_no_body_that_stalls(tmp_path: Path) -> None:
    async def listener(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with anyio.move_on_after(0.2):
            await receive()
        await reader(scope, receive_nothing, send)

    async def receive_nothing() -> Any:
        return {"type": "http.disconnect"}

    async with gated(tmp_path, app=listener, patience=impatient(body=0.02)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/mcp", text)
        with anyio.fail_after(10):
            await line.run()
    assert line.status == 400


async def test_an_answer_that_nobody_reads_is_given_up_and_the_connection_marked(
    tmp_path: Path,
) -> None:
    async with gated(tmp_path, app=download, patience=impatient(reader=0.05)) as gate:
        text, _ = await gate.token()
        line = Line(gate.gate, "/api/file", text, takes=False)
        with anyio.fail_after(10):
            await line.run()
        assert line.scope[ABANDONED]
        assert not gate.gate._limits._loads  # pyright: ignore[reportPrivateUsage]  the place is free


async def test_a_download_is_no_stream_and_ends_only_by_itself(tmp_path: Path) -> None:
    async with gated(tmp_path, app=download, patience=impatient(recheck=0.001)) as gate:
        text, token = await gate.token()
        line = Line(gate.gate, "/api/file", text)
        async with opened(gate, line) as tasks:
            await access.revoke_tokens([token.token_id], gate.ports, now=datetime.now(UTC))
            gate.clock.now += REMEMBERED_SECONDS
            await line.until(500)
            assert not line.is_over.is_set()
            tasks.cancel_scope.cancel()

"""kill -9 of a server between its 202 and the end of the job: done after a restart, once."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from dome_mcp.core.access import SCOPES
from tests.remote.rest.test_ingest import large

pytestmark = pytest.mark.anyio

HEADERS = {"x-user": "ann", "x-scopes": " ".join(SCOPES)}


async def line_of(printed: BufferedByteReceiveStream) -> str:
    return (await printed.receive_until(b"\n", 1000)).decode().strip()


Lines = Callable[[], Awaitable[str]]


@asynccontextmanager
async def server(home: Path, mode: str) -> AsyncIterator[tuple[Process, Lines, str]]:
    """A server's process, what it prints, and its address; killed at the end at the latest."""
    command = [sys.executable, "-m", "tests.remote.rest.ingest_process", str(home), mode]
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            assert process.stdout is not None
            printed = BufferedByteReceiveStream(process.stdout)
            yield process, partial(line_of, printed), f"http://127.0.0.1:{await line_of(printed)}"
        finally:
            if process.returncode is None:
                process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("mode", ["accept", "stick"])
async def test_a_server_that_is_killed_has_its_jobs_done_by_the_next(tmp_path: Path, mode: str):
    home = tmp_path / "home"
    with anyio.fail_after(90):
        async with server(home, mode) as (process, next_line, url):
            async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as client:
                sent = await client.post("/api/ingest", files={"file": ("a.txt", large())})
            assert sent.status_code == 202
            if mode == "stick":
                assert await next_line() == "stuck"
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with (
            server(home, "work") as (_, _, url),
            httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as client,
        ):
            while True:
                job = (await client.get(sent.headers["location"])).json()
                if job["state"] in ("done", "failed"):
                    break
                await anyio.sleep(0.05)
            notes = (await client.get("/api/notes")).json()["notes"]
    assert (job["state"], job["result"]["duplicate"]) == ("done", False)
    assert [note["note_id"] for note in notes] == [job["result"]["note_id"]]
    assert [*(home / "incoming").iterdir()] == []

"""An endpoint to attack, with one user's things in it, and the two protocols spoken by hand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.remote.endpoint_for_tests import (
    PATIENCE_SECONDS,
    READING,
    WORK,
    Endpoint,
    running_endpoint,
)
from tests.remote.two_users import MADE_UP

SECRET = "hippogriff"  # noqa: S105  a word that no stranger may ever see


@dataclass(frozen=True)
class Site:
    """An endpoint with one user's note, task and reminder, and clients of all kinds of callers."""

    endpoint: Endpoint
    writer: httpx.AsyncClient
    reader: httpx.AsyncClient
    stranger: httpx.AsyncClient
    reading_token: str
    writing_token: str
    note_id: str
    task_id: str
    reminder_id: str

    def path(self, template: str) -> str:
        """A path of the API with ids of what is there."""
        ids = {"note_id": self.note_id, "task_id": self.task_id, "reminder_id": self.reminder_id}
        others = {"name": "hook", "action": "cancel"}
        unknown = dict.fromkeys(("job_id", "upload_id", "session_id"), MADE_UP)
        return template.format_map({**ids, **others, **unknown})


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_endpoint(tmp_path / "home") as endpoint:
        reading, writing = [await endpoint.token("ann", *scopes) for scopes in (READING, WORK)]
        async with (
            endpoint.http(writing) as writer,
            endpoint.http(reading) as reader,
            endpoint.http(None) as stranger,
        ):
            page = f"<html><script>alert('{SECRET}')</script>{SECRET}</html>".encode()
            files = {"file": (f"{SECRET}.html", page, "text/html")}
            note = (await writer.post("/api/ingest", files=files)).json()
            task = (await writer.post("/api/tasks", json={"description": SECRET})).json()["task"]
            asked = {"text": SECRET, "at": "+1h"}
            reminder = (await writer.post("/api/reminders", json=asked)).json()["reminder"]
            yield Site(
                *(endpoint, writer, reader, stranger, reading, writing),
                note_id=note["note_id"],
                task_id=task["task_id"],
                reminder_id=reminder["reminder_id"],
            )


async def operations(site: Site) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of all that the API does."""
    document = (await site.stranger.get("/api/openapi.json")).json()
    return [
        (method.upper(), path if path.startswith("/api") else f"/api{path}", operation)
        for path, each in document["paths"].items()
        for method, operation in each.items()
    ]


ACCEPTING = {"Accept": "application/json, text/event-stream"}

HELLO: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "attacker", "version": "1"},
}


def message(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def opened_session(client: httpx.AsyncClient) -> dict[str, str]:
    """The headers of a session of the protocol with a handshake."""
    hello = message("initialize", **HELLO)
    answer = await client.post("/mcp", json=hello, headers=ACCEPTING)
    assert answer.status_code == 200, answer.text
    session = {**ACCEPTING, "Mcp-Session-Id": answer.headers["mcp-session-id"]}
    done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await client.post("/mcp", json=done, headers=session)
    return session


@asynccontextmanager
async def event_stream(
    client: httpx.AsyncClient,
) -> AsyncIterator[tuple[str, AsyncIterator[dict[str, Any]]]]:
    """Where to post the messages of an open stream, and what it tells."""
    async with client.stream("GET", "/sse") as answer:
        lines = answer.aiter_lines()

        async def data() -> AsyncIterator[str]:
            async for line in lines:
                if line.startswith("data:"):
                    yield line.removeprefix("data:").strip()

        told = data()
        address = await anext(told)
        yield address, (json.loads(each) async for each in told)


async def finished(path: str, client: httpx.AsyncClient) -> dict[str, Any]:
    """What became of a job."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while (job := (await client.get(path)).json())["state"] not in ("done", "failed"):  # noqa: ASYNC110  a job tells nobody but whoever asks
            await anyio.sleep(0.02)
    return job

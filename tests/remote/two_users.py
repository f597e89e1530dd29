"""Two users of one endpoint who saved the same things, apart from one word that is theirs alone."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import httpx

from dome_mcp.core.agenda import Channel, DeliveryPolicy
from dome_mcp.core.ports import Database, Statement
from dome_mcp.services.channels import add_channel
from dome_mcp.services.dispatch import tick
from tests.remote.endpoint_for_tests import PATIENCE_SECONDS, WORK, Endpoint, running_endpoint
from tests.serving import BREAD

QUESTION = "Which hotel is booked in Lisbon?"
"""Of both users' notes; the answer has the word of whoever asks."""

MADE_UP = "01KYVXS3W4QKQHXTFR6GZQKE4M"
"""An id that nobody's thing has."""


@dataclass(frozen=True)
class Person:
    """A user, a client that acts for them, and what they own, by the field that takes its id."""

    user_id: str
    canary: str
    token: str
    http: httpx.AsyncClient
    owns: Mapping[str, Any]


@dataclass(frozen=True)
class Neighbours:
    """Ann, whose things nobody else may see, and Bob, who knows all their ids."""

    endpoint: Endpoint
    ann: Person
    bob: Person


@asynccontextmanager
async def neighbours(home: Path) -> AsyncIterator[Neighbours]:
    """An endpoint with both."""
    async with running_endpoint(home) as endpoint, AsyncExitStack() as stack:
        people = {}
        for user_id, canary in (("ann", "quokkastripe"), ("bob", "narwhalspot")):
            token = await endpoint.token(user_id, *WORK)
            http = await stack.enter_async_context(endpoint.http(token))
            owns = await _settle(user_id, canary, http, endpoint)
            people[user_id] = Person(user_id, canary, token, http, owns)
        later = endpoint.dome.now() + timedelta(hours=2)
        await tick(endpoint.dome.ports.database, _Nowhere(), DeliveryPolicy(), now=later)
        yield Neighbours(endpoint, people["ann"], people["bob"])


async def belongings(user_id: str, endpoint: Endpoint) -> dict[str, list[str]]:
    """All rows of a user, by table, and the digests of their files; but for the audit log and
    when a token was last used, which go on by themselves."""
    database = endpoint.dome.ports.database
    found: dict[str, list[str]] = {}
    for table in await _tables_by_user(database):
        sql = f"SELECT * FROM {table} WHERE user_id = ?1"  # noqa: S608  the database's own names
        rows = await database.query(Statement(sql, (user_id,)))
        found[table] = sorted(json.dumps(dict(row), default=str) for row in rows)
    folder = endpoint.door.settings.home
    found["files"] = [
        f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and sha256(user_id.encode()).hexdigest()[:16] in str(path)
    ]
    return found


async def _tables_by_user(database: Database) -> list[str]:
    sql = """SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND EXISTS (
      SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'user_id')"""
    names = [str(row["name"]) for row in await database.query(Statement(sql))]
    return [name for name in names if name not in ("audit", "tokens")]


async def _settle(
    user_id: str, canary: str, http: httpx.AsyncClient, endpoint: Endpoint
) -> dict[str, Any]:
    """Has a user save one of everything, and returns the ids."""

    async def post(path: str, status: int = 201, **options: Any) -> dict[str, Any]:
        response = await http.post(path, **options)
        assert response.status_code == status, response.text
        return response.json()

    labels = {"tags": [canary], "context": canary, "source": f"https://{canary}.example/"}
    text = f"The hotel Miramar in Lisbon is booked for the second week of May: {canary}."
    note = await post("/api/notes", json={"text": text, "title": f"Lisbon {canary}", **labels})
    await post("/api/notes", json={"text": BREAD})
    page = f"<html><body><p>A page about Lisbon by {canary}.</p></body></html>"
    file = await post("/api/ingest", files={"file": (f"{canary}.html", page, "text/html")})
    job = await post(
        "/api/ingest", 202,
        json={"text": f"A letter from Lisbon: {canary}."}, headers={"Prefer": "respond-async"},
    )  # fmt: skip
    await _finished(job["job_id"], http)
    upload = await post("/api/uploads", json={"filename": f"{canary}.txt"})
    sent = await http.put(upload["url"], content=f"A file about Lisbon by {canary}.".encode())
    assert sent.status_code == 201, sent.text
    channel = Channel("of-" + user_id, user_id, "email", _mail(canary), is_default=False)
    await add_channel(
        channel, endpoint.dome.ports, user_id=user_id, now=endpoint.dome.now(), allow_private=False
    )
    tasks = [
        await post("/api/tasks", json={"description": f"{canary} {n}", "due": "+3d"})
        for n in range(2)
    ]
    reminders = [
        await post("/api/reminders", json={"text": f"{canary} {at}", "at": at})
        for at in ("+1h", "+2d", "+3d")
    ]
    search = (await http.get("/api/search", params={"q": "Lisbon", "limit": 1})).json()
    answer = await post("/api/chat", 200, json={"question": QUESTION})
    listings = {name: await http.get(f"/api/{name}", params={"limit": 1}) for name in _LISTINGS}
    return {
        "note_id": note["note_id"],
        "file_id": file["note_id"],
        "chunk_id": search["passages"][0]["chunk_id"],
        "task_id": tasks[0]["task"]["task_id"],
        "reminder_id": reminders[-1]["reminder"]["reminder_id"],
        "upload_id": upload["upload_id"],
        "job_id": job["job_id"],
        "channel": channel.name,
        "label": canary,
        "session_id": answer["session_id"],
        "search_cursor": search["next_cursor"],
        **{f"{name}_cursor": page.json()["next_cursor"] for name, page in listings.items()},
    }


_LISTINGS = ("notes", "tasks", "reminders")


def _mail(canary: str) -> str:
    return f"smtp://mail.example.com?from={canary}@example.com&to={canary}@example.com"


async def _finished(job_id: str, http: httpx.AsyncClient) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await http.get(f"/api/ingest/{job_id}")).json()["state"] != "done":  # noqa: ASYNC110  a job tells nobody but whoever asks
            await anyio.sleep(0.02)


class _Nowhere:
    """A queue that loses everything."""

    async def send(self, bodies: object) -> None:
        return None

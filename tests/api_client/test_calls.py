"""Every tool by exactly one request, which carries all that the call was given."""

from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
from mcp import Client
from mcp.shared.subscriptions import ResourceUpdated

from dome_mcp.api_client.server import PERFORM
from dome_mcp.server import tools
from dome_mcp.tools._boundary import DomeTool
from tests.api_client.laptop import Laptop, client_over_api
from tests.serving import LISBON, Serving, call, refused, served

__all__ = ["served"]

pytestmark = pytest.mark.anyio

WRITES = {"POST", "PATCH", "DELETE"}


async def made(client: Client) -> dict[str, str]:
    """The ids of one thing of each kind."""
    note = await call(client, "ingest", text=LISBON)
    task = await call(client, "create_task", description="Paint", due="+2d")
    reminder = await call(client, "create_reminder", text="Call Anna", at="+1h")
    return {
        "note_id": note["note_id"],
        "task_id": task["task"]["task_id"],
        "reminder_id": reminder["reminder"]["reminder_id"],
    }


def calls_on(ids: dict[str, str]) -> dict[str, dict[str, Any]]:
    """A call of each tool, in an order in which each can work."""
    note, task, reminder = ({name: ids[name]} for name in ("note_id", "task_id", "reminder_id"))
    return {
        "ingest": {"text": "Another note."},
        "search": {"query": "hotel"},
        "rag_answer": {"question": "Which hotel did Anna book?"},
        "get_note": note,
        "list_notes": {},
        "update_note": {**note, "title": "Lisbon"},
        "create_task": {"description": "Varnish"},
        "list_tasks": {},
        "update_task": {**task, "description": "Paint it"},
        "complete_task": task,
        "create_reminder": {"text": "Other", "at": "+1h"},
        "list_reminders": {},
        "update_reminder": {**reminder, "action": "cancel"},
        "delete_note": note,
    }


async def test_a_call_of_a_tool_is_exactly_one_request(served: Serving, tmp_path: Path) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        calls = calls_on(await made(client))
        assert calls.keys() == PERFORM.keys()
        for tool, arguments in calls.items():
            laptop.line.sent.clear()
            await call(client, tool, **arguments)
            assert len(laptop.line.asked) == 1, (tool, laptop.line.asked)


async def test_each_write_that_adds_something_has_a_key_of_its_own(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        for tool, arguments in calls_on(await made(client)).items():
            await call(client, tool, **arguments)
    posts = [request for request in laptop.line.sent if request.method == "POST"]
    keys = [request.headers["idempotency-key"] for request in posts]
    assert len(keys) == len(set(keys)) >= 6


EXTRAS: dict[str, Any] = {
    "tags": ["zanzibar"],
    "context": "zanzibar",
    "note_ids": ["01ZANZIBAR"],
    "since": "2001-02-03",
    "until": "2001-02-04",
    "cursor": "zanzibar",
    "limit": 17,
    "mode": "keyword",
    "title": "zanzibar",
    "source": "zanzibar",
    "created_at": "2001-02-03",
    "session_id": "zanzibar",
    "text": "zanzibar",
    "revision": 17,
    "due": "2001-02-03",
    "timezone": "Asia/Tokyo",
    "repeat": "daily",
    "remind": ["-17h"],
    "status": "cancelled",
    "due_after": "2001-02-03",
    "due_before": "2001-02-03",
    "overdue": True,
    "description": "zanzibar",
    "task_id": "01ZANZIBAR",
    "at": "+17h",
    "count": 17,
    "channels": ["zanzibar"],
    "catch_up": "skip",
    "state": "fired",
    "by": "17m",
    "scope": "series",
    "url": "https://zanzibar.example",
}
"""For each optional argument, a value that no default is."""

SHAPED_HERE = {("get_note", "offset"), ("get_note", "limit"), ("search", "response_format")}
"""Arguments that say how much of an answer is shown, which is done here."""

ANYWHERE = [
    (tool.name, name)
    for tool in cast("list[DomeTool]", tools())
    for name in tool.parameters["properties"]
    if name not in tool.parameters.get("required", ()) and name != "path"
]


def whole(laptop: Laptop) -> str:
    """All that the last request says."""
    (request,) = laptop.line.sent
    words = [str(request.url), request.content.decode(), request.headers.get("if-match", "")]
    return "\n".join(words)


@pytest.mark.parametrize(("tool", "name"), [each for each in ANYWHERE if each not in SHAPED_HERE])
async def test_what_a_call_is_given_reaches_the_server(
    served: Serving, tmp_path: Path, tool: str, name: str
) -> None:
    ids = {"note_id": "01A", "task_id": "01B", "reminder_id": "01C"}
    plain = {key: value for key, value in calls_on(ids)[tool].items() if key != name}
    if name == "url":
        plain.pop("text")
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        seen: list[str] = []
        for arguments in (plain, {**plain, name: EXTRAS[name]}):
            laptop.line.sent.clear()
            laptop.line.troubles[:] = [httpx.Response(500)]
            await client.call_tool(tool, arguments)
            seen.append(whole(laptop) if laptop.line.sent else "")
    assert seen[0] != seen[1]
    assert seen[1]


async def test_an_id_that_no_address_can_hold_is_refused_here(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        for key in ("../me", "..", " "):
            assert "is no id" in await refused(client, "get_note", note_id=key)
        assert laptop.line.sent == []
        assert "There is no note" in await refused(client, "get_note", note_id="a?b#c%2F")


async def test_a_text_that_is_not_unicode_is_sent_as_far_as_it_is(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, _):
        stored = await call(client, "ingest", text="Half \ud83d of a smile.")
        note = await call(client, "get_note", note_id=stored["note_id"])
        assert (await call(client, "search", query="smile \udc00"))["passages"]
        assert not (await call(client, "list_notes", tags=["\udc00"]))["notes"]
        (tmp_path / "a.txt").write_text("Six brackets.")
        path = str(tmp_path / "a.txt")
        filed = await call(client, "ingest", path=path, tags=["x\udc00"], title="A \udc00")
        assert (await call(client, "get_note", note_id=filed["note_id"]))["tags"] == ["x?"]
    assert note["text"] == "Half ? of a smile."


async def test_an_answer_tells_how_far_it_is_while_it_is_made(
    served: Serving, tmp_path: Path
) -> None:
    seen: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        await call(client, "ingest", text=LISBON)
        question = {"question": "Which hotel did Anna book?"}
        result = await client.call_tool("rag_answer", question, progress_callback=hear)
        assert laptop.line.asked == ["POST /api/ingest", "POST /api/chat"]
    assert (result.structured_content or {})["answered"]
    assert seen[0] == (0, "Passages found: 1")


async def test_a_change_of_an_older_revision_is_refused_in_the_words_of_the_tools(
    served: Serving, tmp_path: Path
) -> None:
    async with (
        client_over_api(served, tmp_path / "laptop") as (client, _),
        Client(served.server) as local,
    ):
        ids = await made(client)
        for tool, key in (("update_note", "note_id"), ("update_task", "task_id")):
            changed = {key: ids[key], "tags": ["b"], "revision": 1}
            await call(client, tool, **{**changed, "tags": ["a"]})
            assert await refused(client, tool, **changed) == await refused(local, tool, **changed)


async def test_a_listener_of_this_process_hears_what_its_own_calls_change(
    served: Serving, tmp_path: Path
) -> None:
    async with (
        client_over_api(served, tmp_path / "laptop") as (client, _),
        client.listen(resource_subscriptions=["dome://tasks"]) as told,
    ):
        await call(client, "create_task", description="Paint")
        with anyio.fail_after(10):
            assert await anext(told) == ResourceUpdated(uri="dome://tasks")

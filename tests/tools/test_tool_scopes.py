"""What a token may not do, no tool does; what it may not see, no tool tells."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import ToolAnnotations

from dome_mcp.app import Caller
from dome_mcp.core.access import EVERYTHING, NOBODY, Scope
from dome_mcp.server import SUBJECTS, build_server
from dome_mcp.tools._boundary import DomeTool, define
from tests.acting import ANNA, BEN, Actor, caller, client_of, scope_sets_without
from tests.agenda_serving import AgendaServing, agenda_serving
from tests.serving import ERAS, LISBON, OFFERED, Serving, call, refused

pytestmark = pytest.mark.anyio

TOOLS = [cast(DomeTool, tool) for subject in SUBJECTS for tool in subject.tools()]
SCOPES: dict[str, Scope] = {
    "ingest": "notes:write",
    "search": "notes:read",
    "rag_answer": "notes:read",
    "get_note": "notes:read",
    "list_notes": "notes:read",
    "update_note": "notes:write",
    "delete_note": "notes:write",
    "create_task": "tasks:write",
    "list_tasks": "tasks:read",
    "update_task": "tasks:write",
    "complete_task": "tasks:write",
    "create_reminder": "tasks:write",
    "list_reminders": "tasks:read",
    "update_reminder": "tasks:write",
}
"""What each tool takes; a new one is to be written down here as well."""

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
each_era = pytest.mark.parametrize("era", ERAS)


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def test_each_tool_takes_the_one_scope_that_its_effect_calls_for() -> None:
    assert {tool.name: tool.scopes for tool in TOOLS} == {
        name: (scope,) for name, scope in SCOPES.items()
    }


@each_tool
def test_a_tool_that_only_reads_takes_a_scope_to_read_and_any_other_one_to_write(
    tool: DomeTool,
) -> None:
    assert tool.annotations is not None
    assert [scope.endswith(":read") for scope in tool.scopes] == [tool.annotations.read_only_hint]


@each_era
@each_tool
async def test_without_its_scope_a_tool_is_refused_whatever_else_the_token_may(
    served: Serving, tool: DomeTool, era: str
) -> None:
    (needed,) = tool.scopes
    actor = Actor()
    async with client_of(served, actor, era) as client:
        for scopes in scope_sets_without(needed):
            actor.principal = caller("anna", *scopes) if scopes else NOBODY
            # Arguments that make no sense show that nobody looked at them.
            message = await refused(client, tool.name, nonsense=1)
            assert message.startswith(f"This token lacks the scope {needed}. ")
            assert tool.name not in await names(client)


@each_tool
async def test_with_its_scope_alone_a_tool_is_listed_and_runs(
    served: Serving, tool: DomeTool
) -> None:
    async with client_of(served, caller("anna", *tool.scopes)) as client:
        assert tool.name in await names(client)
        assert "has no argument nonsense" in await refused(client, tool.name, nonsense=1)


async def test_a_tool_checks_its_scope_itself_even_if_the_server_did_not(served: Serving) -> None:
    for tool in TOOLS:
        request = SimpleNamespace(lifespan_context=Caller(served.door, NOBODY))
        context: Context[Any, Any] = Context(request_context=cast(Any, request))
        with pytest.raises(ToolError, match="lacks the scope"):
            await tool.run({}, context)


async def test_a_tool_that_says_nothing_of_scopes_takes_all_of_them(served: Serving) -> None:
    async def erase(what: str) -> str:
        """Erases."""
        return what

    actor = Actor(caller("anna", *(EVERYTHING - {"tasks:read"})))
    server = build_server(served.door, identify=actor.identify, offer=OFFERED)
    server.add_tool(erase)
    async with Client(server, cache=None) as client:
        assert "erase" not in await names(client)
        assert "lacks the scope tasks:read" in await refused(client, "erase", what="all")
        actor.principal = ANNA
        assert not (await client.call_tool("erase", {"what": "all"})).is_error


def test_a_tool_without_a_scope_cannot_be_defined() -> None:
    async def erase() -> dict[str, str]:
        """Erases."""
        return {}

    with pytest.raises(ValueError, match="names no scope"):
        define(erase, lambda *_: "Erased.", title="Erase", annotations=ToolAnnotations(), scopes=())


async def test_an_unknown_tool_is_answered_with_the_names_of_those_that_may_be_called(
    served: Serving,
) -> None:
    async with client_of(served, caller("anna", "tasks:read")) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("remember", {})
    assert caught.value.error.message == (
        "Unknown tool: remember. There are: list_tasks, list_reminders."
    )


async def test_a_file_of_the_servers_machine_takes_admin(served: Serving, tmp_path: Path) -> None:
    (tmp_path / "shelf.md").write_text("The shelf needs six brackets.")
    path = str(tmp_path / "shelf.md")
    actor = Actor(caller("anna", *(EVERYTHING - {"admin"})))
    async with client_of(served, actor) as client:
        message = await refused(client, "ingest", path=path)
        assert "lacks the scope admin" in message
        assert "Send the text" in message
        assert await refused(client, "ingest", path=str(tmp_path / "none.md")) == message
        assert (await call(client, "list_notes"))["notes"] == []
        actor.principal = ANNA
        assert (await call(client, "ingest", path=path))["duplicate"] is False


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_task", {"description": "Paint"}),
        ("update_task", {}),
        ("create_reminder", {"text": "Paint", "at": "+1h"}),
    ],
)
async def test_linking_a_note_takes_the_scope_to_read_notes(
    served: Serving, tool: str, arguments: dict[str, str]
) -> None:
    actor = Actor()
    async with client_of(served, actor) as client:
        note_id = (await call(client, "ingest", text=LISBON))["note_id"]
        if tool == "update_task":
            task = (await call(client, "create_task", description="Paint"))["task"]
            arguments = {"task_id": task["task_id"]}
        actor.principal = caller("anna", "tasks:read", "tasks:write")
        messages = {
            await refused(client, tool, **arguments, note_ids=[each])
            for each in (note_id, "01NOPE")
        }
        assert len(messages) == 1
        assert "lacks the scope notes:read" in messages.pop()
        actor.principal = caller("anna", "tasks:write", "notes:read")
        await call(client, tool, **arguments, note_ids=[note_id])


def test_each_tool_that_links_notes_is_in_the_test_above() -> None:
    linking = {tool.name for tool in TOOLS if "note_ids" in tool.parameters["properties"]}
    assert linking - {"search", "rag_answer"} == {"create_task", "update_task", "create_reminder"}


async def test_the_machines_desktop_takes_admin(served: Serving) -> None:
    async with client_of(served, caller("anna", "tasks:write")) as client:
        message = await refused(
            client, "create_reminder", text="Paint", at="+1h", channels=["Desktop "]
        )
    assert "lacks the scope admin" in message


async def test_who_only_writes_tasks_is_not_told_what_fired(agenda: AgendaServing) -> None:
    actor = Actor()
    async with client_of(agenda.served, actor) as client:
        await call(client, "create_reminder", text="Secret", at="+1h")
        await agenda.fire(hours=1)
        actor.principal = caller("anna", "tasks:write")
        task = await call(client, "create_task", description="Paint", due="+2d", remind=["-1h"])
        result = await client.call_tool("complete_task", {"task_id": task["task"]["task_id"]})
        assert set(task) == {"task"}
        assert set(result.structured_content or {}) == {"task"}
        assert "Secret" not in str(result.content)
        actor.principal = caller("anna", "tasks:read", "tasks:write")
        told = await call(client, "create_task", description="Varnish")
    assert [fired["text"] for fired in told["inbox"]] == ["Secret"]


async def test_who_only_writes_tasks_has_a_companion_asked_for_all_the_same(
    tmp_path: Path,
) -> None:
    writer = caller("anna", "tasks:write")
    async with (
        agenda_serving(tmp_path / "home", companion="auto") as agenda,
        client_of(agenda.served, writer) as client,
    ):
        await call(client, "create_reminder", text="Call Ben", at="+1h")
        with anyio.fail_after(5):
            await agenda.dome.companion.wait(60)


async def test_another_users_ids_are_as_unknown_as_those_of_nobody(served: Serving) -> None:
    async with client_of(served, ANNA) as anna, client_of(served, BEN) as ben:
        note_id = (await call(anna, "ingest", text=LISBON))["note_id"]
        task = (await call(anna, "create_task", description="Paint"))["task"]
        reminder = (await call(anna, "create_reminder", text="Paint", at="+1h"))["reminder"]
        calls: list[tuple[str, str, str, dict[str, str]]] = [
            ("get_note", "note_id", note_id, {}),
            ("update_note", "note_id", note_id, {"title": "Mine"}),
            ("delete_note", "note_id", note_id, {}),
            ("update_task", "task_id", task["task_id"], {"description": "Mine"}),
            ("complete_task", "task_id", task["task_id"], {}),
            ("update_reminder", "reminder_id", reminder["reminder_id"], {"action": "cancel"}),
        ]
        for tool, argument, key, others in calls:
            nobodys = key[:-4] + "0000"
            theirs = await refused(ben, tool, **others, **{argument: key})
            unknown = await refused(ben, tool, **others, **{argument: nobodys})
            assert theirs.replace(key, nobodys) == unknown
            assert unknown.startswith("There is no ")
        assert (await call(ben, "search", query="Miramar"))["passages"] == []
        assert (await call(anna, "get_note", note_id=note_id))["text"] == LISBON

"""What an observer is told of each call: who, what, of which id, how it ended. Never content."""

from collections.abc import Sequence

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Row, Statement
from tests.acting import ANNA, BEN, Actor, caller, client_of
from tests.serving import ERAS, LISBON, Serving, call, refused

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ERAS)]

CONTENT = "swordfish"
TOPIC = PromptReference(type="ref/prompt", name="summarise_topic")


async def test_each_call_is_observed_with_the_id_that_it_is_about(
    served: Serving, era: str
) -> None:
    actor = Actor()
    async with client_of(served, actor, era) as client:
        note_id = (await call(client, "ingest", text=LISBON))["note_id"]
        await call(client, "get_note", note_id=f"dome://notes/{note_id}")
        await call(client, "search", query=CONTENT)
        task_id = (await call(client, "create_task", description=CONTENT))["task"]["task_id"]
        await call(client, "complete_task", task_id=task_id)
        await client.read_resource("dome://status")
        await client.read_resource(f"dome://notes/{note_id}/original")
        await client.get_prompt("ask_my_notes", {"question": CONTENT})
        await client.complete(TOPIC, {"name": "topic", "value": CONTENT})
        actor.principal = BEN
        await call(client, "list_tasks")
    assert actor.observed == [
        ("anna", "tools/call ingest", "", "ok"),
        ("anna", "tools/call get_note", note_id, "ok"),
        ("anna", "tools/call search", "", "ok"),
        ("anna", "tools/call create_task", "", "ok"),
        ("anna", "tools/call complete_task", task_id, "ok"),
        ("anna", "resources/read dome://status", "", "ok"),
        ("anna", "resources/read dome://notes/{id}/original", note_id, "ok"),
        ("anna", "prompts/get ask_my_notes", "", "ok"),
        ("anna", "completion/complete", "", "ok"),
        ("ben", "tools/call list_tasks", "", "ok"),
    ]


async def test_what_the_caller_may_not_or_sent_wrongly_is_refused(
    served: Serving, era: str
) -> None:
    actor = Actor()
    async with client_of(served, actor, era) as client:
        await refused(client, "get_note", note_id=CONTENT)
        await refused(client, "get_note", note_id="01K00000000000000000000000")
        await refused(client, "search", query="x", mode=CONTENT)
        await refused(client, "search", nonsense=CONTENT)
        actor.principal = caller("anna", "tasks:read")
        await refused(client, "search", query="x")
        for read in (
            client.call_tool(CONTENT, {}),
            client.get_prompt(CONTENT, {}),
            client.get_prompt("daily_briefing", {}),
            client.read_resource(f"other://{CONTENT}"),
            client.read_resource(f"dome://{CONTENT}"),
            client.read_resource(f"dome://notes/{CONTENT}"),
            client.complete(TOPIC, {"name": "topic", "value": CONTENT}),
        ):
            with pytest.raises(MCPError):
                await read
        actor.principal = ANNA
        with pytest.raises(MCPError):
            await client.read_resource(f"other://{CONTENT}")
    assert [(action, target) for _, action, target, _ in actor.observed] == [
        ("tools/call get_note", ""),
        ("tools/call get_note", "01K00000000000000000000000"),
        ("tools/call search", ""),
        ("tools/call search", ""),
        ("tools/call search", ""),
        ("tools/call", ""),
        ("prompts/get", ""),
        ("prompts/get daily_briefing", ""),
        ("resources/read", ""),
        ("resources/read", ""),
        ("resources/read dome://notes/{id}", ""),
        ("completion/complete", ""),
        ("resources/read", ""),
    ]
    assert {outcome for *_, outcome in actor.observed} == {"refused"}


async def test_what_we_could_not_do_has_failed(served: Serving, era: str) -> None:
    actor = Actor()
    failures: Sequence[Exception] = (
        BackendUnavailable("sqlite", "query", "The database is busy."),
        KeyError("a defect"),
    )
    async with client_of(served, actor, era) as client:
        await call(client, "list_notes")
        actor.observed.clear()
        for failure in failures:

            async def fail(statement: Statement, failure: Exception = failure) -> list[Row]:
                raise failure

            served.dome.ports.database.query = fail
            await refused(client, "list_notes")
            for read in (
                client.read_resource("dome://notes/01K00000000000000000000000"),
                client.get_prompt("daily_briefing", {}),
                client.complete(TOPIC, {"name": "topic", "value": "x"}),
            ):
                with pytest.raises(MCPError):
                    await read
    assert {outcome for *_, outcome in actor.observed} == {"failed"}
    assert len(actor.observed) == 8

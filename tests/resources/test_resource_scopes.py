"""What a token may not read is neither listed, nor read, nor completed, nor told in the status."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference

from dome_mcp.core.access import EVERYTHING, NOBODY, Scope
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Row, Statement
from dome_mcp.protocol import FORBIDDEN
from dome_mcp.resources.catalogue import CATALOGUE
from dome_mcp.resources.prompts import prompts
from dome_mcp.server import build_server
from dome_mcp.services.status import AgendaCounts
from dome_mcp.tools.uris import NOTE, ORIGINAL, REMINDERS, STATUS, TASKS
from tests.acting import ANNA, BEN, Actor, caller, client_of, scope_sets_without
from tests.agenda_serving import AgendaServing
from tests.serving import ERAS, LISBON, OFFERED, Serving, call

pytestmark = pytest.mark.anyio

SCOPES: dict[str, Scope] = {
    STATUS: "notes:read",
    TASKS: "tasks:read",
    REMINDERS: "tasks:read",
    NOTE: "notes:read",
    ORIGINAL: "notes:read",
}
PROMPTS: dict[str, set[Scope]] = {
    "ask_my_notes": {"notes:read"},
    "summarise_topic": {"notes:read"},
    "daily_briefing": {"notes:read", "tasks:read"},
}
ARGUMENTS = {"ask_my_notes": {"question": "x"}, "summarise_topic": {"topic": "x"}}
AGENDA = {"companion", "inbox", *(each.name for each in fields(AgendaCounts))}
MACHINE = {"bytes", "versions"}

each_era = pytest.mark.parametrize("era", ERAS)


async def status(client: Client) -> dict[str, Any]:
    (contents,) = (await client.read_resource(STATUS)).contents
    return json.loads(contents.text)


async def listed(client: Client) -> set[str]:
    templates = (await client.list_resource_templates()).resource_templates
    resources = (await client.list_resources()).resources
    return {each.uri_template for each in templates} | {str(each.uri) for each in resources}


async def test_each_resource_and_prompt_takes_the_scope_for_what_is_in_it(
    served: Serving,
) -> None:
    async with client_of(served, ANNA) as client:
        uris = await listed(client)
        names = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert {uri: CATALOGUE.locate(uri).scopes for uri in uris} == {
        uri: (scope,) for uri, scope in SCOPES.items()
    }
    assert {prompt.name: set(prompt.scopes) for prompt in prompts()} == PROMPTS
    assert names == set(PROMPTS)


@each_era
@pytest.mark.parametrize("template", SCOPES)
async def test_without_its_scope_a_resource_is_neither_listed_nor_read(
    served: Serving, template: str, era: str
) -> None:
    actor = Actor()
    needed = SCOPES[template]
    async with client_of(served, actor, era) as client:
        note_id = (await call(client, "ingest", text=LISBON))["note_id"]
        uris = {template.replace("{id}", key) for key in (note_id, "01NOPE")}
        for scopes in scope_sets_without(needed):
            actor.principal = caller("anna", *scopes) if scopes else NOBODY
            for uri in uris:
                with pytest.raises(MCPError, match=needed) as caught:
                    await client.read_resource(uri)
                assert caught.value.error.code == FORBIDDEN
                assert caught.value.error.data == {"scopes": [needed]}
            assert not (await listed(client)) & {template, *uris}
        actor.principal = caller("anna", needed)
        assert (await client.read_resource(template.replace("{id}", note_id))).contents
        assert template in await listed(client)


async def test_who_may_not_read_notes_gets_no_page_of_them(served: Serving) -> None:
    actor = Actor()
    async with client_of(served, actor) as client:
        for number in range(60):
            await call(client, "ingest", text=f"Note number {number}.")
        cursor = (await client.list_resources()).next_cursor
        assert cursor
        actor.principal = caller("anna", "tasks:read")
        first = await client.list_resources()
        assert [str(each.uri) for each in first.resources] == [TASKS, REMINDERS]
        assert first.next_cursor is None
        with pytest.raises(MCPError, match="notes:read"):
            await client.list_resources(cursor=cursor)


@each_era
@pytest.mark.parametrize("name", PROMPTS)
async def test_without_its_scopes_a_prompt_is_neither_listed_nor_given(
    served: Serving, name: str, era: str
) -> None:
    actor = Actor()
    async with client_of(served, actor, era) as client:
        for needed in PROMPTS[name]:
            for scopes in scope_sets_without(needed):
                actor.principal = caller("anna", *scopes) if scopes else NOBODY
                with pytest.raises(MCPError, match=needed) as caught:
                    await client.get_prompt(name, {"nonsense": "x"})
                assert caught.value.error.code == FORBIDDEN
                assert name not in {each.name for each in (await client.list_prompts()).prompts}
        actor.principal = caller("anna", *PROMPTS[name])
        assert (await client.get_prompt(name, ARGUMENTS.get(name))).messages


async def test_completing_takes_the_scope_to_read_notes(served: Serving) -> None:
    actor = Actor()
    template = ResourceTemplateReference(type="ref/resource", uri=NOTE)
    topic = PromptReference(type="ref/prompt", name="summarise_topic")
    async with client_of(served, actor) as client:
        await call(client, "ingest", text=LISBON, tags=["travel"], context="trips")
        for scopes in scope_sets_without("notes:read"):
            actor.principal = caller("anna", *scopes) if scopes else NOBODY
            for reference, name in ((template, "id"), (topic, "topic"), (topic, "question")):
                with pytest.raises(MCPError, match="notes:read") as caught:
                    await client.complete(reference, {"name": name, "value": ""})
                assert caught.value.error.code == FORBIDDEN
        for principal, values in ((ANNA, ["travel", "trips"]), (BEN, [])):
            actor.principal = principal
            found = await client.complete(topic, {"name": "topic", "value": "t"})
            assert found.completion.values == values


async def test_another_users_notes_are_as_unknown_as_those_of_nobody(served: Serving) -> None:
    async with client_of(served, ANNA) as anna, client_of(served, BEN) as ben:
        note_id = (await call(anna, "ingest", text=LISBON))["note_id"]
        await call(anna, "create_task", description="Paint")
        nobodys = note_id[:-4] + "0000"
        for template in (NOTE, ORIGINAL):
            messages = []
            for key in (note_id, nobodys):
                with pytest.raises(MCPError) as caught:
                    await ben.read_resource(template.replace("{id}", key))
                assert caught.value.error.code == INVALID_PARAMS
                messages.append(caught.value.error.message)
            assert messages[0].replace(note_id, nobodys) == messages[1]
        assert not [uri for uri in await listed(ben) if note_id in uri]
        (tasks,) = (await ben.read_resource(TASKS)).contents
        assert json.loads(tasks.text)["tasks"] == []
        (message,) = (await ben.get_prompt("daily_briefing", {})).messages
        assert note_id not in message.content.text
        assert (await status(ben))["notes"] == 0


async def test_what_was_registered_beside_the_catalogue_takes_every_scope(
    served: Serving,
) -> None:
    actor = Actor(caller("anna", *(EVERYTHING - {"admin"})))
    server = build_server(served.door, identify=actor.identify, offer=OFFERED)

    def one() -> str:
        return "secret"

    def each(key: str) -> str:
        return f"secret {key}"

    server.resource("other://x")(one)
    server.resource("other://x/{key}")(each)
    async with Client(server, cache=None) as client:
        for uri in ("other://x", "other://x/1"):
            with pytest.raises(MCPError, match="lacks the scope admin"):
                await client.read_resource(uri)
        assert not [uri for uri in await listed(client) if uri.startswith("other:")]
        actor.principal = ANNA
        assert {"other://x", "other://x/{key}"} <= await listed(client)
        assert (await client.read_resource("other://x")).contents[0].text == "secret"


async def test_the_status_tells_of_reminders_and_of_the_machine_by_scope(
    agenda: AgendaServing,
) -> None:
    actor = Actor()
    door = agenda.served.door
    door.settings = replace(door.settings, warnings=("/home/anna/notes is not there",))
    async with client_of(agenda.served, actor) as client:
        await call(client, "create_reminder", text="Secret", at="+1h")
        await agenda.fire(hours=1)
        await call(client, "create_reminder", text="Next", at="+1h")
        whole = await status(client)
        assert set(whole) > AGENDA | MACHINE
        assert "last_errors" in whole["companion"]
        assert whole["warnings"][0] == "/home/anna/notes is not there"

        actor.principal = caller("anna", "notes:read")
        notes_only = await status(client)
        assert set(whole) - set(notes_only) == AGENDA | MACHINE
        assert notes_only["warnings"] == []
        assert notes_only["health"] == "ok"

        actor.principal = caller("anna", "notes:read", "tasks:read")
        with_tasks = await status(client)
        assert set(whole) - set(with_tasks) == MACHINE
        assert "last_errors" not in with_tasks["companion"]
        assert [fired["text"] for fired in with_tasks["inbox"]] == ["Secret"]
        assert "companion install" in with_tasks["warnings"][0]


async def test_only_an_admin_is_told_why_the_status_is_down(served: Serving) -> None:
    actor = Actor()
    async with client_of(served, actor) as client:
        await call(client, "list_notes")

        async def outage(statement: Statement) -> list[Row]:
            raise BackendUnavailable("sqlite", "query", "/home/anna/dome.db is locked.")

        served.dome.ports.database.query = outage
        assert (await status(client))["warnings"] == ["/home/anna/dome.db is locked."]
        actor.principal = caller("anna", "notes:read")
        down = await status(client)
        assert down["health"] == "down"
        assert "/home" not in str(down)

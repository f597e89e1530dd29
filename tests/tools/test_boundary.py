"""What the boundary does for every tool: arguments, errors, annotations, schemas."""

import json
import logging
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, Tool

from dome_mcp.core.ports import Row, Statement
from tests.serving import LISBON, Serving, call, refused

pytestmark = pytest.mark.anyio

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "tools.json"
NAMES = [
    "ingest", "search", "rag_answer", "get_note", "list_notes", "update_note", "delete_note",
    "create_task", "list_tasks", "update_task", "complete_task",
    "create_reminder", "list_reminders", "update_reminder",
]  # fmt: skip
CHARACTERS_A_TOKEN = 4
BUDGET_TOKENS = 3_000


async def listed(client: Client) -> list[Tool]:
    return (await client.list_tools()).tools


async def test_unknown_arguments_are_refused_and_the_known_ones_named(client: Client) -> None:
    message = await refused(client, "search", query="x", k=3, top="all")
    assert message.startswith("search has no argument k, top. It takes: query, limit, mode")


async def test_wrong_arguments_are_named_without_their_values(client: Client) -> None:
    message = await refused(client, "search", query="x", mode="swordfish")
    assert "mode" in message
    assert "'hybrid'" in message
    assert "swordfish" not in message


async def test_a_missing_argument_is_named(client: Client) -> None:
    assert "note_id" in await refused(client, "get_note")


async def test_an_unknown_tool_is_a_protocol_error(client: Client) -> None:
    with pytest.raises(MCPError, match="rag_answer") as caught:
        await client.call_tool("remember", {})
    assert caught.value.error.code == INVALID_PARAMS


async def test_an_unknown_note_is_an_error_that_says_how_to_find_one(client: Client) -> None:
    message = await refused(client, "get_note", note_id="01NOPE")
    assert message == "There is no note '01NOPE'. Use list_notes or search to find the note's id."


async def test_what_goes_wrong_inside_is_logged_under_a_reference_and_not_told(
    client: Client, served: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    await call(client, "ingest", text=LISBON)

    async def broken(statement: Statement) -> list[Row]:
        raise KeyError(LISBON)

    served.dome.ports.database.query = broken
    with caplog.at_level(logging.INFO):
        message = await refused(client, "list_notes")
    reference = message.removeprefix("Internal error, reference ").removesuffix(".")
    assert len(reference) == 8
    assert f"internal error {reference}: KeyError" in caplog.text
    assert "Miramar" not in caplog.text + message


async def test_every_tool_has_title_description_schemas_and_exact_annotations(
    client: Client,
) -> None:
    tools = await listed(client)
    assert [tool.name for tool in tools] == NAMES
    readers = {"search", "rag_answer", "get_note", "list_notes", "list_tasks", "list_reminders"}
    destroyers = {"update_note", "delete_note", "update_task", "update_reminder"}
    # Each call adds another one, or moves what repeats once more.
    cumulative = {"create_task", "complete_task", "create_reminder", "update_reminder"}
    for tool in tools:
        hints = tool.annotations
        assert tool.title
        assert tool.description
        assert tool.output_schema
        assert hints is not None
        assert hints.read_only_hint == (tool.name in readers)
        assert hints.destructive_hint == (tool.name in destroyers)
        assert hints.idempotent_hint == (tool.name not in cumulative)
        assert hints.open_world_hint == (tool.name == "ingest")


async def test_the_tools_cost_few_tokens(client: Client) -> None:
    tools = [wire(tool) for tool in await listed(client)]
    size = len(json.dumps({"tools": tools}, separators=(",", ":"), ensure_ascii=False))
    print(f"tools/list of {len(tools)} tools: {size} characters")
    assert size < BUDGET_TOKENS * CHARACTERS_A_TOKEN


async def test_schemas_are_plain_enough_for_every_client(client: Client) -> None:
    for tool in await listed(client):
        text = json.dumps([tool.input_schema, tool.output_schema])
        for needless in ("$ref", "$defs", "anyOf", "allOf", '"null"'):
            assert needless not in text, tool.name
        assert tool.input_schema["type"] == "object"
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)


async def test_the_tools_are_those_of_the_snapshot(client: Client) -> None:
    # After a deliberate change: python -m tests.tools.write_snapshot
    assert [wire(tool) for tool in await listed(client)] == json.loads(SNAPSHOT.read_text())


async def test_results_are_as_their_schemas_say(client: Client) -> None:
    schemas = {tool.name: tool.output_schema for tool in await listed(client)}
    stored = await call(client, "ingest", text=LISBON, tags=["travel"])
    note_id = stored["note_id"]
    results = {
        "ingest": stored,
        "search": await call(client, "search", query="hotel"),
        "rag_answer": await call(client, "rag_answer", question="Which hotel?"),
        "get_note": await call(client, "get_note", note_id=note_id),
        "list_notes": await call(client, "list_notes"),
        "update_note": await call(client, "update_note", note_id=note_id, title="Lisbon"),
        "delete_note": await call(client, "delete_note", note_id=note_id),
        **await agenda_results(client),
    }
    assert set(results) == set(schemas)
    for name, result in results.items():
        jsonschema.validate(result, schemas[name])
        assert set(result) <= set(schemas[name]["properties"]), name


async def agenda_results(client: Client) -> dict[str, dict[str, Any]]:
    """A result of each tool for tasks and reminders."""
    task = await call(client, "create_task", description="Paint", due="+2d", remind=["-1h"])
    task_id = task["task"]["task_id"]
    reminder = await call(client, "create_reminder", text="Call Anna", at="+1h")
    reminder_id = reminder["reminder"]["reminder_id"]
    return {
        "create_task": task,
        "create_reminder": reminder,
        "list_tasks": await call(client, "list_tasks"),
        "list_reminders": await call(client, "list_reminders"),
        "update_task": await call(client, "update_task", task_id=task_id, due="+3d"),
        "update_reminder": await call(
            client, "update_reminder", reminder_id=reminder_id, action="cancel"
        ),
        "complete_task": await call(client, "complete_task", task_id=task_id),
    }


def wire(tool: Tool) -> dict[str, object]:
    """The tool as a client receives it."""
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)

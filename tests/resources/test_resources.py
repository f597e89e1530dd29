"""Notes, originals and the status as resources, and word of their changes."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPDeprecationWarning
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    TextResourceContents,
)

from dome_mcp.app import Dome
from dome_mcp.core.errors import BackendUnavailable, QuotaExhausted
from dome_mcp.core.ports import Row, Statement
from dome_mcp.settings import Settings
from tests.serving import BREAD, LISBON, Serving, call, serving

pytestmark = pytest.mark.anyio


async def read(client: Client, uri: str) -> TextResourceContents | BlobResourceContents:
    (contents,) = (await client.read_resource(uri)).contents
    return contents


async def test_a_note_is_markdown_with_its_details_in_front(client: Client) -> None:
    stored = await call(
        client, "ingest", text=LISBON, title='A "quoted" title', tags=["travel", "may"],
        created_at="2026-03-01T10:00",
    )  # fmt: skip
    contents = await read(client, f"dome://notes/{stored['note_id']}")
    assert contents.mime_type == "text/markdown"
    assert contents.text == (
        '---\ntitle: "A \\"quoted\\" title"\ndate: "2026-03-01T10:00:00+01:00"\n'
        f'tags: ["may", "travel"]\n---\n\n{LISBON}'
    )


async def test_the_original_of_a_file_is_its_bytes_with_their_type(
    client: Client, tmp_path: Path
) -> None:
    data = b"<html><title>Shelf</title><p>The shelf needs six brackets of steel.</p></html>"
    (tmp_path / "shelf.html").write_bytes(data)
    stored = await call(client, "ingest", path=str(tmp_path / "shelf.html"))
    contents = await read(client, f"dome://notes/{stored['note_id']}/original")
    assert contents.mime_type == "text/html"
    assert base64.b64decode(contents.blob) == data


async def test_the_original_of_a_text_is_that_text(client: Client) -> None:
    stored = await call(client, "ingest", text=BREAD)
    contents = await read(client, f"dome://notes/{stored['note_id']}/original")
    assert base64.b64decode(contents.blob).decode() == BREAD


async def test_the_status_counts_what_is_stored(client: Client, served: Serving) -> None:
    await call(client, "ingest", text=LISBON, tags=["travel"], context="holiday")
    await call(client, "ingest", text=BREAD, tags=["travel"])
    contents = await read(client, "dome://status")
    status = json.loads(contents.text)
    assert contents.mime_type == "application/json"
    assert status["health"] == "ok"
    assert (status["notes"], status["pending_chunks"]) == (2, 0)
    assert status["tags"] == {"travel": 2}
    assert status["contexts"] == {"holiday": 1}
    assert status["embedding_model"] == "words/1"
    assert status["embedding_model_loaded"] is True
    assert set(status["bytes"]) == {"database", "blobs"}
    assert set(status["versions"]) == {"dome", "mcp", "python", "sqlite"}


async def test_the_status_of_a_database_that_is_down_says_so(
    client: Client, served: Serving
) -> None:
    await call(client, "list_notes")

    async def outage(statement: Statement) -> list[Row]:
        raise BackendUnavailable("sqlite", "query", "The database is busy.")

    served.dome.ports.database.query = outage
    status = json.loads((await read(client, "dome://status")).text)
    assert status == {"health": "down", "warnings": ["The database is busy."]}
    with pytest.raises(MCPError, match="busy") as caught:
        await client.list_resources()
    assert caught.value.error.code == INTERNAL_ERROR


async def test_the_status_of_an_application_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    @asynccontextmanager
    async def fail(settings: Settings) -> AsyncIterator[Dome]:
        raise QuotaExhausted("sqlite", "open", "The disk is full.", "Free some disk space.")
        yield

    home = tmp_path / "home"
    async with serving(home, opener=fail) as served, Client(served.server) as client:
        status = json.loads((await read(client, "dome://status")).text)
    assert status == {"health": "down", "warnings": ["The disk is full. Free some disk space."]}


async def test_blobs_on_disk_are_counted(client: Client, tmp_path: Path) -> None:
    (tmp_path / "shelf.md").write_text("The shelf needs six brackets.")
    await call(client, "ingest", path=str(tmp_path / "shelf.md"))
    status = json.loads((await read(client, "dome://status")).text)
    assert status["bytes"]["blobs"] == len("The shelf needs six brackets.")


async def test_resources_are_what_is_open_and_the_notes_newest_first(client: Client) -> None:
    for day in range(1, 4):
        await call(
            client, "ingest", text=f"Note {day}", title=f"Day {day}", created_at=f"2026-01-0{day}"
        )
    listed = (await client.list_resources()).resources
    assert [resource.uri for resource in listed[:3]] == [
        "dome://status", "dome://tasks", "dome://reminders",
    ]  # fmt: skip
    assert [resource.title for resource in listed[3:]] == ["Day 3", "Day 2", "Day 1"]


async def test_many_resources_come_in_pages(client: Client) -> None:
    for number in range(60):
        await call(client, "ingest", text=f"Note number {number}.")
    first = await client.list_resources()
    rest = await client.list_resources(cursor=first.next_cursor)
    uris = {resource.uri for page in (first, rest) for resource in page.resources}
    assert len(first.resources) == 53
    assert len(uris) == 63
    assert rest.next_cursor is None


async def test_a_wrong_cursor_is_a_protocol_error(client: Client) -> None:
    with pytest.raises(MCPError) as caught:
        await client.list_resources(cursor="page2")
    assert caught.value.error.code == INVALID_PARAMS


async def test_templates_are_listed(client: Client) -> None:
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == [
        "dome://notes/{id}",
        "dome://notes/{id}/original",
    ]


@pytest.mark.parametrize(
    "uri", ["dome://notes/01NOPE", "dome://notes/01NOPE/original", "dome://nothing", "other://x"]
)
async def test_what_is_not_there_is_a_protocol_error(client: Client, uri: str) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == INVALID_PARAMS


async def test_a_listener_hears_of_every_change_of_a_note(served: Serving) -> None:
    async with Client(served.server) as client:
        stored = await call(client, "ingest", text=LISBON)
        uri = f"dome://notes/{stored['note_id']}"
        async with client.listen(resources_list_changed=True, resource_subscriptions=[uri]) as told:
            for tool, changes in (("update_note", {"title": "New"}), ("delete_note", {})):
                await call(client, tool, note_id=stored["note_id"], **changes)
                with anyio.fail_after(10):
                    assert await anext(told) == ResourceUpdated(uri=uri)
                    assert await anext(told) == ResourcesListChanged()


async def test_a_handshake_client_hears_of_what_it_subscribed_to(served: Serving) -> None:
    send, receive = anyio.create_memory_object_stream[Any](100)

    async def hear(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification | ResourceListChangedNotification):
            await send.send(message)

    async def next_heard() -> Any:
        with anyio.fail_after(10):
            return await receive.receive()

    async with Client(served.server, mode="legacy", message_handler=hear) as client, send, receive:
        stored = await call(client, "ingest", text=LISBON)
        assert isinstance(await next_heard(), ResourceListChangedNotification)
        uri = f"dome://notes/{stored['note_id']}"
        with pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(uri)
        await call(client, "update_note", note_id=stored["note_id"], title="New")
        updated = await next_heard()
        assert isinstance(updated, ResourceUpdatedNotification)
        assert str(updated.params.uri) == uri
        assert isinstance(await next_heard(), ResourceListChangedNotification)
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource(uri)
        await call(client, "delete_note", note_id=stored["note_id"])
        assert isinstance(await next_heard(), ResourceListChangedNotification)
        assert receive.statistics().current_buffer_used == 0


async def test_a_duplicate_changes_nothing_and_tells_nobody(served: Serving) -> None:
    async with Client(served.server) as client:
        stored = await call(client, "ingest", text=LISBON)
        uri = f"dome://notes/{stored['note_id']}"
        async with client.listen(resources_list_changed=True, resource_subscriptions=[uri]) as told:
            await call(client, "ingest", text=LISBON)
            await call(client, "ingest", text=BREAD)
            with anyio.fail_after(10):
                # Not ResourceUpdated, which the duplicate would have sent first.
                assert await anext(told) == ResourcesListChanged()

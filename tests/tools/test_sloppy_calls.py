"""Calls as assistants make them: what can be understood is, the rest is told what to send."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.settings import Settings
from tests.services.conftest import make_ports
from tests.serving import BREAD, LISBON, call, refused, serving, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("search", {}, "search needs query."),
        ("get_note", {"note_id": None}, "get_note needs note_id."),
        ("search", {"query": 5}, "Wrong arguments for search: query must be a valid string."),
        ("search", {"query": "x", "limit": 500}, "limit must be less than or equal to 50"),
        ("search", {"query": "x", "limit": "ten"}, "limit must be a valid integer"),
        ("ingest", {"text": "x", "tags": {"a": 1}}, 'a valid list of strings such as ["a", "b"]'),
        ("search", {"query": " "}, "The query is empty. Send some words to look for."),
        ("ingest", {"text": " "}, "There is nothing to save. Send exactly one of text, path and"),
        ("ingest", {"text": "a", "url": "b"}, "You sent text and url. Send exactly one of"),
        ("ingest", {"path": "https://example.com"}, "Send it as url."),
        ("ingest", {"url": "file:///home/me/a.txt"}, "Send it as path."),
        ("ingest", {"path": "notes/today.md"}, "This is not a whole path. Send it from the root"),
        ("list_notes", {"since": "2026-05", "until": "2026-04"}, "Send the earlier first."),
        ("list_notes", {"until": "9999-12-31"}, "out of range. Send a date of the years 1000 to"),
    ],
)
async def test_a_wrong_call_is_told_what_to_send(
    client: Client, tool: str, arguments: dict[str, object], message: str
) -> None:
    assert message in await refused(client, tool, **arguments)


async def test_numbers_nulls_and_commas_among_names_are_understood(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, tags=[2026, None, "travel"])
    note = await call(client, "get_note", note_id=stored["note_id"])
    assert note["tags"] == ["2026", "travel"]
    changed = await call(client, "update_note", note_id=stored["note_id"], tags="Sea, #Sun")
    assert changed["tags"] == ["sea", "sun"]


async def test_blank_optional_arguments_count_as_not_given(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, created_at=" ", url="  ", context="\t")
    assert "context" not in await call(client, "get_note", note_id=stored["note_id"])


async def test_the_address_of_a_note_serves_as_its_id(client: Client) -> None:
    note_id = (await call(client, "ingest", text=LISBON))["note_id"]
    address = f"dome://notes/{note_id}"
    assert (await call(client, "get_note", note_id=address))["note_id"] == note_id
    assert (await call(client, "search", query="hotel", note_ids=[address]))["passages"]


async def test_saving_again_with_other_tags_says_how_to_change_them(client: Client) -> None:
    await call(client, "ingest", text=LISBON)
    plain = text_of(await client.call_tool("ingest", {"text": LISBON}))
    labelled = text_of(await client.call_tool("ingest", {"text": LISBON, "tags": ["travel"]}))
    assert plain.endswith("nothing was written.")
    assert labelled.endswith("To change its title, tags or context use update_note.")


async def test_zero_bytes_do_not_garble_a_text(client: Client) -> None:
    stored = await call(client, "ingest", text="\x00Feed the \x00starter\x01.\x00")
    assert (await call(client, "get_note", note_id=stored["note_id"]))["text"] == (
        "Feed the starter."
    )


async def test_a_folder_is_refused_with_what_is_in_it(client: Client, tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    for name in ("roof.md", "boiler.pdf", ".hidden"):
        (tmp_path / "house" / name).write_text("x")
    message = await refused(client, "ingest", path=str(tmp_path / "house"))
    assert "In it are: boiler.pdf, roof.md." in message


async def test_a_path_outside_is_refused_with_the_folders_that_are_not(
    client: Client, tmp_path: Path
) -> None:
    assert f"may read: {tmp_path}." in await refused(client, "ingest", path="/etc/passwd")


async def test_cursors_of_search_and_of_list_notes_are_told_apart(client: Client) -> None:
    for number in range(3):
        await call(client, "ingest", text=f"Turbine report, part {number}.")
    of_search = (await call(client, "search", query="turbine", limit=1))["next_cursor"]
    of_list = (await call(client, "list_notes", limit=1))["next_cursor"]
    assert "list_notes gave" in await refused(client, "list_notes", cursor=of_search)
    assert "search gave" in await refused(client, "search", query="turbine", cursor=of_list)


@pytest.mark.parametrize("content", ["5", "[1]", '["a","b"]', "[1e999,2]", "[null,null]", "{}"])
async def test_a_made_up_cursor_is_refused(client: Client, content: str) -> None:
    cursor = base64.urlsafe_b64encode(content.encode()).decode()
    for tool, arguments in (("list_notes", {}), ("search", {"query": "x"})):
        assert "The cursor" in await refused(client, tool, cursor=cursor, **arguments)


async def test_until_a_month_means_to_its_end_and_until_a_time_includes_it(client: Client) -> None:
    await call(client, "ingest", text=BREAD, created_at="2026-03-31T23:30:15")

    async def found(until: str) -> bool:
        return bool((await call(client, "list_notes", until=until))["notes"])

    assert await found("2026-03")
    assert await found("20260331")
    assert await found("2026-03-31T23:30:15+02:00")
    assert not await found("2026-03-30")
    assert not await found("2026-02")


async def test_without_a_model_nothing_is_promised_to_be_found_by_meaning(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with serving(home, opener=without_model) as served, Client(served.server) as client:
        result = await client.call_tool("ingest", {"text": BREAD})
        note_id = result.structured_content["note_id"]
        read = text_of(await client.call_tool("get_note", {"note_id": note_id}))
    assert text_of(result).endswith(": 1 chunk, findable by keyword.")
    assert result.structured_content["status"] == "ready"
    assert "yet" not in read


@asynccontextmanager
async def without_model(settings: Settings) -> AsyncIterator[Dome]:
    async with SqliteDatabase.open(None) as database:
        yield Dome.of_owner(
            settings, await make_ports(database, settings.home, None), holder="test"
        )

"""The tools that save, read, list, change and delete notes."""

import json

import pytest
from mcp import Client

from tests.serving import BREAD, LISBON, call, refused, text_of

pytestmark = pytest.mark.anyio


async def test_a_saved_note_is_read_back_with_its_details(client: Client) -> None:
    stored = await call(
        client, "ingest", text=LISBON, title="Lisbon", tags=["Travel"], context="holiday",
        source="mail", created_at="2026-03-01",
    )  # fmt: skip
    note = await call(client, "get_note", note_id=stored["note_id"])
    assert stored["status"] == "ready"
    assert not stored["duplicate"]
    assert note["text"] == LISBON
    assert note["title"] == "Lisbon"
    assert note["tags"] == ["travel"]
    assert note["context"] == "holiday"
    assert note["source"] == "mail"
    assert note["date"] == "2026-03-01T00:00:00+01:00"
    assert note["revision"] == 1
    assert (note["chunks"], note["pending"]) == (stored["chunks"], 0)


async def test_the_same_text_again_is_the_same_note(client: Client) -> None:
    first = await call(client, "ingest", text=LISBON)
    again = await call(client, "ingest", text=LISBON)
    assert again["duplicate"]
    assert again["note_id"] == first["note_id"]


async def test_exactly_one_of_text_path_and_url_is_taken(client: Client) -> None:
    assert "exactly one" in await refused(client, "ingest")
    assert "exactly one" in await refused(client, "ingest", text="a", url="https://example.com")


async def test_a_file_is_saved_from_an_allowed_folder_only(client: Client, tmp_path) -> None:
    (tmp_path / "shelf.md").write_text("# Shelf\n\nThe shelf needs six brackets.\n")
    stored = await call(client, "ingest", path=str(tmp_path / "shelf.md"))
    assert stored["title"] == "Shelf"
    assert "Internal error" not in await refused(client, "ingest", path="/etc/passwd")


async def test_an_unparsable_date_is_refused_with_an_example(client: Client) -> None:
    assert "2026-03-01" in await refused(client, "ingest", text="x", created_at="yesterday")


async def test_a_list_in_a_json_string_is_taken_as_a_list(client: Client) -> None:
    stored = await call(client, "ingest", text=BREAD, tags='["baking","rye"]')
    assert (await call(client, "get_note", note_id=stored["note_id"]))["tags"] == ["baking", "rye"]


async def test_one_name_is_taken_as_a_list_of_one(client: Client) -> None:
    stored = await call(client, "ingest", text=BREAD, tags="baking")
    assert (await call(client, "get_note", note_id=stored["note_id"]))["tags"] == ["baking"]


async def test_a_text_that_looks_like_json_is_kept_as_text(client: Client) -> None:
    text = json.dumps({"a": ["b"]})
    stored = await call(client, "ingest", text=text)
    assert (await call(client, "get_note", note_id=stored["note_id"]))["text"] == text


async def test_empty_and_null_arguments_count_as_not_given(client: Client) -> None:
    stored = await call(client, "ingest", text=BREAD, path="", url=None, title="", created_at="")
    note = await call(client, "get_note", note_id=stored["note_id"], offset="", limit=None)
    assert note["title"].startswith("Sourdough bread")


async def test_a_long_text_is_read_in_pages_that_join_without_a_gap(client: Client) -> None:
    text = " ".join(f"Sentence number {number}." for number in range(200))
    stored = await call(client, "ingest", text=text)
    pages, offset = [], 0
    while offset is not None:
        page = await call(client, "get_note", note_id=stored["note_id"], offset=offset, limit=1000)
        pages.append(page["text"])
        offset = page.get("next_offset")
    assert len(pages) == -(-len(text) // 1000)
    assert "".join(pages) == text


async def test_an_offset_past_the_end_is_refused_with_the_length(client: Client) -> None:
    stored = await call(client, "ingest", text=BREAD)
    message = await refused(client, "get_note", note_id=stored["note_id"], offset=10_000)
    assert str(len(BREAD)) in message


async def test_notes_are_listed_newest_first_in_pages(client: Client) -> None:
    for day in range(1, 6):
        await call(client, "ingest", text=f"Note of day {day}.", created_at=f"2026-01-0{day}")
    first = await call(client, "list_notes", limit=3)
    rest = await call(client, "list_notes", limit=3, cursor=first["next_cursor"])
    days = [note["date"][8:10] for note in [*first["notes"], *rest["notes"]]]
    assert days == ["05", "04", "03", "02", "01"]
    assert "next_cursor" not in rest


async def test_a_listing_is_narrowed_by_tag_context_and_dates(client: Client) -> None:
    await call(client, "ingest", text=LISBON, tags=["travel", "spring"], created_at="2026-03-01")
    await call(client, "ingest", text=BREAD, context="kitchen", created_at="2026-03-02T00:30")

    async def titles(**filters: object) -> list[str]:
        listed = await call(client, "list_notes", **filters)
        return [note["title"].split()[0] for note in listed["notes"]]

    assert await titles(tags=["spring", "travel"]) == ["Trip"]
    assert await titles(tags=["spring", "kitchen"]) == []
    assert await titles(context="kitchen") == ["Sourdough"]
    assert await titles(since="2026-03-02") == ["Sourdough"]
    assert await titles(until="2026-03-01") == ["Trip"]


async def test_a_change_keeps_what_was_not_sent(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, tags=["travel"], context="holiday")
    changed = await call(
        client, "update_note", note_id=stored["note_id"], revision=1, title="May trip", context=""
    )
    assert changed["title"] == "May trip"
    assert changed["tags"] == ["travel"]
    assert changed["context"] == "holiday"
    assert changed["revision"] == 2


async def test_tags_and_context_can_be_taken_away(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON, tags=["travel"], context="holiday")
    changed = await call(client, "update_note", note_id=stored["note_id"], tags=[], context="-")
    assert changed["tags"] == []
    assert "context" not in changed


async def test_a_changed_text_is_found_by_its_new_words_only(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON)
    await call(client, "update_note", note_id=stored["note_id"], text="The plumber comes Monday.")
    assert (await call(client, "search", query="plumber", mode="keyword"))["passages"]
    assert not (await call(client, "search", query="Miramar", mode="keyword"))["passages"]


async def test_a_change_of_an_older_revision_is_refused(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON)
    await call(client, "update_note", note_id=stored["note_id"], title="One")
    message = await refused(
        client, "update_note", note_id=stored["note_id"], revision=1, title="Two"
    )
    assert "get_note" in message
    assert (await call(client, "get_note", note_id=stored["note_id"]))["title"] == "One"


async def test_a_change_of_nothing_is_refused(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON)
    assert "nothing to change" in await refused(client, "update_note", note_id=stored["note_id"])


async def test_a_deleted_note_is_gone_from_everywhere(client: Client) -> None:
    stored = await call(client, "ingest", text=LISBON)
    deleted = await call(client, "delete_note", note_id=stored["note_id"])
    assert deleted["deleted"]
    assert "list_notes" in await refused(client, "get_note", note_id=stored["note_id"])
    assert (await call(client, "list_notes"))["notes"] == []
    assert (await call(client, "search", query="Lisbon Miramar"))["passages"] == []


async def test_progress_is_reported_from_reading_to_stored(client: Client) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    result = await client.call_tool("ingest", {"text": BREAD}, progress_callback=hear)
    assert not result.is_error, text_of(result)
    assert seen == [(0, 2, "Reading"), (2, 2, "Stored")]

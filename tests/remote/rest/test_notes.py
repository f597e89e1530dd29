"""Notes over REST: stored, read, changed under a condition, deleted, and nobody else's."""

from urllib.parse import unquote

import pytest

from dome_mcp.core.drafts import Labels
from dome_mcp.intake import ingest_path
from tests.remote.rest.conftest import Api, problem_in
from tests.serving import BREAD, LISBON, Serving

pytestmark = pytest.mark.anyio


async def store(api: Api, text: str = LISBON, **labels: object) -> str:
    """The id of the note that now holds the text."""
    response = await api.post("/api/notes", json={"text": text, **labels})
    assert response.status_code == 201, response.text
    return response.json()["note_id"]


async def test_a_text_is_stored_with_its_labels_and_read_back_whole(api: Api):
    text = LISBON + "\n\n" + "A long evening. " * 5000
    sent = {
        "text": text,
        "title": "Lisbon",
        "tags": ["Travel"],
        "context": "holidays",
        "source": "a letter",
        "created_at": "2026-02-03",
    }
    created = await api.post("/api/notes", json=sent)
    assert created.status_code == 201
    assert created.headers["location"] == f"/api/notes/{created.json()['note_id']}"
    read = await api.get(created.headers["location"])
    assert read.headers["etag"] == created.headers["etag"] == '"1"'
    note = read.json()
    assert note["text"].strip() == text.strip()
    assert "next_offset" not in note
    assert (note["title"], note["tags"], note["context"]) == ("Lisbon", ["travel"], "holidays")
    assert (note["source"], note["date"]) == ("a letter", "2026-02-03T00:00:00+01:00")


async def test_the_same_text_again_is_the_same_note(api: Api):
    note_id = await store(api)
    again = await api.post("/api/notes", json={"text": LISBON})
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert again.headers["location"] == f"/api/notes/{note_id}"


async def test_notes_are_listed_page_by_page_and_by_their_labels(api: Api):
    for number in range(3):
        await store(api, f"Item {number}.", tags=["a", "b"] if number else ["a"])
    first = (await api.get("/api/notes?limit=2")).json()
    second = (await api.get("/api/notes", params={"cursor": first["next_cursor"]})).json()
    titles = [note["title"] for note in (*first["notes"], *second["notes"])]
    assert sorted(titles) == ["Item 0.", "Item 1.", "Item 2."]
    assert "next_cursor" not in second
    both = (await api.get("/api/notes?tags=a&tags=b")).json()
    assert len(both["notes"]) == 2


@pytest.mark.parametrize("cursor", ["x", "%00", "bnVsbA", "WzFlOTk5LCJ4Il0", "é"])
async def test_a_cursor_that_no_listing_gave_is_refused(api: Api, cursor: str):
    problem_in(await api.get(f"/api/notes?cursor={cursor}"), 422, "invalid-input")


async def test_a_revision_that_the_client_has_is_not_sent_again(api: Api):
    path = f"/api/notes/{await store(api)}"
    known = await api.get(path, headers={"If-None-Match": '"7", W/"1"'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == '"1"'
    assert (await api.get(path, headers={"If-None-Match": '"2"'})).status_code == 200


async def test_a_change_is_made_to_the_revision_that_was_read(api: Api):
    path = f"/api/notes/{await store(api)}"
    changed = await api.patch(path, json={"title": "Portugal"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200
    assert (changed.json()["title"], changed.json()["text"]) == ("Portugal", LISBON)
    assert changed.headers["etag"] == '"2"'
    assert (await api.get(path)).json() == changed.json()


@pytest.mark.parametrize("tags", ['"2"', 'W/"1"', '"2", W/"1"', '""', '"01"'])
async def test_a_change_of_another_revision_is_stale_and_changes_nothing(api: Api, tags: str):
    path = f"/api/notes/{await store(api)}"
    stale = await api.patch(path, json={"title": "Portugal"}, headers={"If-Match": tags})
    problem_in(stale, 412, "stale-revision")
    assert (await api.get(path)).headers["etag"] == '"1"'


@pytest.mark.parametrize("tags", ["*", '"5" , "1"'])
async def test_a_change_may_name_several_revisions_or_any(api: Api, tags: str):
    path = f"/api/notes/{await store(api)}"
    changed = await api.patch(path, json={"title": "Portugal"}, headers={"If-Match": tags})
    assert changed.headers["etag"] == '"2"'


async def test_a_change_must_say_what_it_is_made_to(api: Api):
    path = f"/api/notes/{await store(api)}"
    problem_in(await api.patch(path, json={"title": "x"}), 428, "revision-required")
    malformed = await api.patch(path, json={"title": "x"}, headers={"If-Match": "1"})
    problem_in(malformed, 422, "invalid-input")


async def test_an_empty_change_is_refused(api: Api):
    path = f"/api/notes/{await store(api)}"
    response = await api.patch(path, json={}, headers={"If-Match": "*"})
    problem_in(response, 422, "invalid-input")


@pytest.mark.parametrize("context", ["", None])
async def test_labels_can_be_taken_away_and_what_is_left_out_stays(api: Api, context: str | None):
    path = f"/api/notes/{await store(api, tags=['a'], context='b')}"
    kept = await api.patch(path, json={"title": "x"}, headers={"If-Match": "*"})
    assert (kept.json()["tags"], kept.json()["context"]) == (["a"], "b")
    sent = {"tags": [], "context": context}
    bare = await api.patch(path, json=sent, headers={"If-Match": "*"})
    assert bare.json()["tags"] == []
    assert "context" not in bare.json()


async def test_a_text_that_another_note_has_is_a_conflict_and_not_stale(api: Api):
    await store(api, BREAD)
    path = f"/api/notes/{await store(api)}"
    response = await api.patch(path, json={"text": BREAD}, headers={"If-Match": '"1"'})
    problem_in(response, 409, "conflict")


async def test_a_deleted_note_is_gone(api: Api):
    path = f"/api/notes/{await store(api)}"
    problem_in(await api.delete(path, headers={"If-Match": '"4"'}), 412, "stale-revision")
    gone = await api.delete(path, headers={"If-Match": '"1"'})
    assert (gone.status_code, gone.content) == (204, b"")
    problem_in(await api.get(path), 404, "not-found")
    problem_in(await api.delete(path), 404, "not-found")


async def test_the_original_is_a_download_that_no_browser_runs(api: Api, served: Serving):
    file = served.door.settings.home.parent / "plan.html"
    file.write_text("<html><body><p>Paint it red.</p><script>steal()</script></body></html>")
    labels = Labels(title='Plan: "é/\\\r\nx" 100%')
    ingested = await ingest_path(await served.door.dome(), str(file), labels)
    path = f"/api/notes/{ingested.note.note_id}/original"
    response = await api.get(path)
    assert response.content == file.read_bytes()
    headers = response.headers
    assert headers["content-type"] == "text/html"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    disposition, plain, exact = headers["content-disposition"].split("; ")
    assert (disposition, plain) == ("attachment", 'filename="Plan x 100.html"')
    assert unquote(exact.removeprefix("filename*=UTF-8''")) == "Plan é x 100.html"
    head = await api.head(path)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(response.content)))


async def test_the_original_of_a_text_is_the_text(api: Api):
    response = await api.get(f"/api/notes/{await store(api, BREAD, title='Bread')}/original")
    assert (response.text, response.charset_encoding) == (BREAD, "utf-8")
    assert 'filename="Bread.md"' in response.headers["content-disposition"]


async def test_nobody_reaches_the_notes_of_somebody_else(api: Api):
    path = f"/api/notes/{await store(api)}"
    mallory = api.as_("mallory", "notes:read", "notes:write")
    for response in (
        await mallory.get(path),
        await mallory.get(f"{path}/original"),
        await mallory.patch(path, json={"title": "x"}, headers={"If-Match": "*"}),
        await mallory.delete(path),
    ):
        problem_in(response, 404, "not-found")
    assert (await mallory.get("/api/notes")).json() == {"notes": []}
    assert (await api.get(path)).json()["text"] == LISBON


async def test_a_reader_cannot_write_and_a_writer_cannot_read(api: Api):
    path = f"/api/notes/{await store(api)}"
    reader, writer = api.as_("me", "notes:read"), api.as_("me", "notes:write")
    for response in (
        await reader.post("/api/notes", json={"text": "a"}),
        await reader.patch(path, json={"title": "x"}, headers={"If-Match": "*"}),
        await reader.delete(path),
        await writer.get(path),
        await writer.get("/api/notes"),
        await writer.get(f"{path}/original"),
    ):
        problem_in(response, 403, "insufficient-scope")


async def test_those_who_listen_are_told_of_every_write(api: Api, served: Serving):
    told: list[str] = []
    dome = await served.door.dome()
    dome.feed.listen(dome.user_id, lambda change: told.append(change.uris[0]))
    path = f"/api/notes/{await store(api)}"
    await api.patch(path, json={"title": "x"}, headers={"If-Match": "*"})
    await api.delete(path)
    assert told == [f"dome://notes/{path.rpartition('/')[2]}"] * 3

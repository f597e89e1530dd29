import json
from dataclasses import replace

import pytest

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import Conflict, InvalidInput, NotFound
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.idempotency import GivenAnswer, begin, finish
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note, get_note, list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.services.status import counts, note_ids_with_prefix, tags_with_prefix
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio


async def test_a_new_text_replaces_the_old_one_everywhere(ports: Ports):
    note = (await ingest(draft("The code is 1234."), ports, user_id=USER, now=NOW)).note
    changes = NoteChanges(document=Document("The code is 9876.", "text/plain"))
    changed = await update_note(
        note.note_id, changes, ports, user_id=USER, now=later(1), revision=1
    )
    assert changed.revision == 2
    assert changed.updated_at == later(1)
    assert changed.created_at == note.created_at
    assert changed.is_indexed
    assert not (await search(SearchRequest("1234", mode="keyword"), ports, user_id=USER)).passages
    found = await search(SearchRequest("9876"), ports, user_id=USER)
    assert found.passages[0].text == "The code is 9876."


async def test_only_what_changed_is_embedded_anew(ports: Ports, embedder: WordEmbedder):
    document = long_document(12)
    made = draft_note(document, Labels(), user_id=USER, now=NOW)
    note = (await ingest(made, ports, user_id=USER, now=NOW)).note
    while (await index_step(ports, user_id=USER, holder="test", now=NOW)).left:
        pass
    embedder.embedded.clear()
    edited = document.text.replace("Fact 5 about", "Note 5 about")
    changes = NoteChanges(document=replace(document, text=edited))
    changed = await update_note(note.note_id, changes, ports, user_id=USER, now=later(1))
    assert changed.is_indexed
    assert 1 <= len(embedder.embedded) <= 3
    assert all("item5" in text for text in embedder.embedded)
    found = await search(SearchRequest("item11"), ports, user_id=USER)
    best = found.passages[0]
    stored = await get_note(note.note_id, ports, user_id=USER)
    assert (stored.text or "")[best.start : best.end] == best.text


async def test_a_new_title_is_searched_and_embedded(ports: Ports, embedder: WordEmbedder):
    note = (await ingest(draft("Turn the valve left."), ports, user_id=USER, now=NOW)).note
    embedder.embedded.clear()
    changes = NoteChanges(title="Radiator manual")
    changed = await update_note(note.note_id, changes, ports, user_id=USER, now=later(1))
    assert changed.title == "Radiator manual"
    assert "Radiator manual" in embedder.embedded[0]
    found = await search(SearchRequest("radiator", mode="keyword"), ports, user_id=USER)
    assert [passage.title for passage in found.passages] == ["Radiator manual"]


async def test_labels_change_without_touching_the_text(ports: Ports, embedder: WordEmbedder):
    note = (await ingest(draft("A.", tags=("x",), context="c"), ports, user_id=USER, now=NOW)).note
    embedder.embedded.clear()
    changes = NoteChanges(tags=("New", "#other"), context="")
    changed = await update_note(note.note_id, changes, ports, user_id=USER, now=later(1))
    assert changed.tags == ("new", "other")
    assert changed.context is None
    assert embedder.embedded == []


async def test_a_stale_revision_is_refused_and_nothing_is_written(ports: Ports):
    note = (await ingest(draft("One."), ports, user_id=USER, now=NOW)).note
    changes = NoteChanges(title="First")
    await update_note(note.note_id, changes, ports, user_id=USER, now=later(1), revision=1)
    with pytest.raises(Conflict, match="revision 2, not 1"):
        await update_note(
            note.note_id, NoteChanges(title="Second"), ports, user_id=USER, now=NOW, revision=1
        )
    assert (await get_note(note.note_id, ports, user_id=USER)).title == "First"


async def test_a_change_that_would_repeat_another_note_is_refused(ports: Ports):
    first = (await ingest(draft("One."), ports, user_id=USER, now=NOW)).note
    second = (await ingest(draft("Two."), ports, user_id=USER, now=NOW)).note
    changes = NoteChanges(document=Document("One.", "text/plain"))
    with pytest.raises(Conflict, match=first.note_id):
        await update_note(second.note_id, changes, ports, user_id=USER, now=NOW)


async def test_deleted_is_deleted_everywhere(ports: Ports):
    document = draft("Secret plan. " * 4000, origin="file:///plan.txt", tags=("plan",))
    note = (await ingest(document, ports, user_id=USER, now=NOW)).note
    assert len(await ports.blobs.keys()) == 2
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    assert await ports.blobs.keys() == []
    for mode in ("keyword", "semantic", "hybrid"):
        found = await search(SearchRequest("secret plan", mode=mode), ports, user_id=USER)
        assert found.passages == ()
    for table in ("chunks", "chunks_fts", "vectors", "note_tags"):
        rows = await ports.database.query(Statement(f"SELECT count(*) AS n FROM {table}"))  # noqa: S608  a table name of ours
        assert rows[0]["n"] == 0, table
    with pytest.raises(NotFound):
        await get_note(note.note_id, ports, user_id=USER)
    tombstone = await ports.database.query(Statement("SELECT * FROM notes"))
    assert tombstone[0]["note_id"] == note.note_id
    assert "Secret" not in str(tombstone)


async def test_no_answer_and_no_job_tells_of_a_deleted_note(ports: Ports):
    note, kept = [
        (await ingest(draft(text), ports, user_id=USER, now=NOW)).note
        for text in ("The merger is off.", "The kettle is on.")
    ]
    for key, of in (("a", note), ("b", kept)):
        begun = await begin(key, key, ports.database, user_id=USER, now=NOW)
        told = GivenAnswer(201, {}, json.dumps({"note_id": of.note_id, "title": of.title}))
        await finish(key, told, ports.database, user_id=USER, begun=begun)
        await ports.database.query(
            Statement(
                """INSERT INTO jobs (job_id, user_id, kind, request, state, attempt, failures,
                not_before_ms, result, created_at_ms, updated_at_ms)
                VALUES (?1, ?2, 'ingest', ?3, 'done', 1, 0, 0, ?4, 0, 0)""",
                (key, USER, json.dumps({"text": of.text}), told.body),
            )
        )
    empty = await begin("c", "c", ports.database, user_id=USER, now=NOW)
    await finish("c", GivenAnswer(204, {}, ""), ports.database, user_id=USER, begun=empty)
    await delete_note(note.note_id, ports, user_id=USER, now=NOW)
    left = [
        *await ports.database.query(Statement("SELECT * FROM idempotency")),
        *await ports.database.query(Statement("SELECT * FROM jobs")),
    ]
    assert "merger" not in repr(left)
    assert repr(left).count("kettle") == 3
    again = await begin("a", "a", ports.database, user_id=USER, now=NOW)
    assert again.answer is not None
    assert again.answer.body == json.dumps({"note_id": note.note_id}, separators=(",", ":"))


async def test_a_note_is_deleted_at_the_revision_that_was_read_and_at_no_other(ports: Ports):
    note = (await ingest(draft("Mine."), ports, user_id=USER, now=NOW)).note
    with pytest.raises(Conflict):
        await delete_note(note.note_id, ports, user_id=USER, now=later(1), revision=2)
    await delete_note(note.note_id, ports, user_id=USER, now=later(1), revision=1)
    with pytest.raises(NotFound):
        await get_note(note.note_id, ports, user_id=USER)


async def test_deleted_content_can_be_stored_again(ports: Ports):
    note = (await ingest(draft("Again."), ports, user_id=USER, now=NOW)).note
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    again = await ingest(draft("Again.", now=later(2)), ports, user_id=USER, now=later(2))
    assert not again.duplicate


async def test_nobody_else_reads_changes_or_deletes_a_note(ports: Ports):
    note = (await ingest(draft("Mine."), ports, user_id=USER, now=NOW)).note
    with pytest.raises(NotFound):
        await get_note(note.note_id, ports, user_id="you")
    with pytest.raises(NotFound):
        await update_note(note.note_id, NoteChanges(title="x"), ports, user_id="you", now=NOW)
    with pytest.raises(NotFound):
        await delete_note(note.note_id, ports, user_id="you", now=NOW)
    assert not (await search(SearchRequest("mine"), ports, user_id="you")).passages
    assert (await get_note(note.note_id, ports, user_id=USER)).revision == 1


async def test_a_listing_pages_through_every_note_newest_first(ports: Ports):
    for number in range(5):
        await ingest(draft(f"n{number}", now=later(number)), ports, user_id=USER, now=later(number))
    seen: list[str] = []
    cursor = None
    while True:
        page = await list_notes(NoteFilter(), ports, user_id=USER, limit=2, cursor=cursor)
        seen += [note.title for note in page.notes]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["n4", "n3", "n2", "n1", "n0"]


async def test_a_cursor_that_no_listing_gave_is_refused(ports: Ports):
    for cursor in ("nonsense", "W10", "é"):
        with pytest.raises(InvalidInput, match="cursor"):
            await list_notes(NoteFilter(), ports, user_id=USER, cursor=cursor)


@pytest.mark.parametrize(
    ("among", "titles"),
    [
        (NoteFilter(tags=("a",)), {"one", "both"}),
        (NoteFilter(tags=("A", "b")), {"both"}),
        (NoteFilter(context="work"), {"two"}),
        (NoteFilter(since=later(1)), {"two", "both"}),
        (NoteFilter(until=later(1)), {"one"}),
        (NoteFilter(since=later(1), until=later(2)), {"two"}),
    ],
)
async def test_filters_hold_for_listings_and_for_every_kind_of_search(
    ports: Ports, among: NoteFilter, titles: set[str]
):
    for minute, (title, tags, context) in enumerate(
        [("one", ("a",), None), ("two", ("b",), "work"), ("both", ("a", "b"), None)]
    ):
        note = draft(f"thing {title}", title=title, tags=tags, context=context, now=later(minute))
        await ingest(note, ports, user_id=USER, now=later(minute))
    page = await list_notes(among, ports, user_id=USER)
    assert {note.title for note in page.notes} == titles
    for mode in ("keyword", "semantic", "hybrid"):
        request = SearchRequest("thing", mode=mode, among=among)
        found = await search(request, ports, user_id=USER)
        assert {passage.title for passage in found.passages} == titles, mode


async def test_counts_and_completions_are_of_the_user_alone(ports: Ports):
    note = (await ingest(draft("One.", tags=("work_a",)), ports, user_id=USER, now=NOW)).note
    await ingest(draft("Two.", user_id="you", tags=("workxa",)), ports, user_id="you", now=NOW)
    mine = await counts(ports, user_id=USER)
    assert (mine.notes, mine.chunks, mine.pending_chunks) == (1, 1, 0)
    assert await tags_with_prefix("work_", ports, user_id=USER) == ["work_a"]
    assert await tags_with_prefix("work_", ports, user_id="you") == []
    assert await note_ids_with_prefix(note.note_id[:8], ports, user_id=USER) == [note.note_id]

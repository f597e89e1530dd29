import pytest

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import Document, NoteFilter, Original
from dome_mcp.core.ports import Ports
from dome_mcp.services.blobs import INLINE_BODY_BYTES, original_of
from dome_mcp.services.indexing import INLINE_CHUNKS, index_step, semantics
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import get_note, list_notes
from dome_mcp.services.search import SearchRequest, search
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio


async def test_a_short_note_is_found_by_meaning_and_by_keyword_when_ingest_returns(ports: Ports):
    note = (
        await ingest(draft("The boiler is serviced in May."), ports, user_id=USER, now=NOW)
    ).note
    assert note.is_indexed
    for mode in ("keyword", "semantic", "hybrid"):
        request = SearchRequest("boiler service", mode=mode)
        found = await search(request, ports, user_id=USER)
        assert [passage.note_id for passage in found.passages] == [note.note_id], mode


async def test_a_long_note_is_found_by_keyword_at_once_and_by_meaning_after_indexing(ports: Ports):
    long = draft_note(long_document(INLINE_CHUNKS + 4), Labels(), user_id=USER, now=NOW)
    note = (await ingest(long, ports, user_id=USER, now=NOW)).note
    assert note.pending == note.chunks > INLINE_CHUNKS
    found = await search(SearchRequest("item7"), ports, user_id=USER)
    assert found.passages[0].heading == "Heading 7"
    assert found.passages[0].page == 8
    assert str(note.pending) in (found.index.note or "")

    while (await index_step(ports, user_id=USER, holder="test", now=NOW, limit=5)).left:
        pass
    assert (await get_note(note.note_id, ports, user_id=USER)).is_indexed
    found = await search(SearchRequest("item7", mode="semantic"), ports, user_id=USER)
    assert found.passages[0].heading == "Heading 7"
    assert found.index.note is None


async def test_the_same_content_again_is_the_same_note_and_says_so(ports: Ports):
    first = await ingest(draft("Milk, eggs."), ports, user_id=USER, now=NOW)
    again = await ingest(draft("Milk, eggs.", now=later(1)), ports, user_id=USER, now=later(1))
    assert not first.duplicate
    assert again.duplicate
    assert again.note == first.note


async def test_the_same_content_in_another_context_or_of_another_user_is_a_note_of_its_own(
    ports: Ports,
):
    first = await ingest(draft("Yes."), ports, user_id=USER, now=NOW)
    elsewhere = await ingest(draft("Yes.", context="work"), ports, user_id=USER, now=NOW)
    other = await ingest(draft("Yes.", user_id="you"), ports, user_id="you", now=NOW)
    assert len({item.note.note_id for item in (first, elsewhere, other)}) == 3


async def test_a_file_that_changed_brings_its_note_up_to_date(ports: Ports):
    uri = "file:///plan.txt"
    old = await ingest(draft("Paint it red.", origin=uri), ports, user_id=USER, now=NOW)
    new = await ingest(
        draft("Paint it blue.", origin=uri, tags=("house",)), ports, user_id=USER, now=later(5)
    )
    assert new.updated
    assert new.note.note_id == old.note.note_id
    assert new.note.revision == 2
    assert new.note.tags == ("house",)
    stored = await get_note(new.note.note_id, ports, user_id=USER)
    assert stored.text == "Paint it blue."
    assert await original_of(stored, ports.blobs) == b"Paint it blue."
    assert len(await ports.blobs.keys()) == 1
    gone = await search(SearchRequest("red", mode="keyword"), ports, user_id=USER)
    assert gone.passages == ()


async def test_texts_that_share_a_source_label_do_not_replace_each_other(ports: Ports):
    await ingest(draft("First call.", source="phone"), ports, user_id=USER, now=NOW)
    second = await ingest(draft("Second call.", source="phone"), ports, user_id=USER, now=NOW)
    assert not second.updated
    assert len((await list_notes(NoteFilter(), ports, user_id=USER)).notes) == 2


async def test_a_long_text_is_kept_whole_in_the_blob_store(ports: Ports):
    text = "Ein Satz über Öl. " * (INLINE_BODY_BYTES // 10)
    note = (await ingest(draft(text), ports, user_id=USER, now=NOW)).note
    assert note.text is None
    assert (await get_note(note.note_id, ports, user_id=USER)).text == text


async def test_the_original_bytes_are_kept_beside_the_text(ports: Ports):
    original = Original(b"%PDF-1.7 \xff\x00", "Plan.PDF")
    document = Document("A plan.", "application/pdf")
    made = draft_note(
        document, Labels(), user_id=USER, now=NOW, original=original, origin="file:///p"
    )
    note = (await ingest(made, ports, user_id=USER, now=NOW)).note
    assert note.blob_key
    assert note.blob_key.endswith(f"{note.content_hash}.pdf")
    assert await original_of(note, ports.blobs) == original.data


async def test_a_text_without_words_is_refused():
    with pytest.raises(InvalidInput, match="no text"):
        draft("  \n ")


async def test_many_drafts_are_stored_at_once_and_duplicates_are_said(ports: Ports):
    await ingest(draft("note 3"), ports, user_id=USER, now=NOW)
    drafts = [draft(f"note {number}") for number in (1, 2, 3, 1)]
    results = await ingest_many(drafts, ports, user_id=USER, now=NOW)
    assert [result.duplicate for result in results] == [False, False, True, True]
    assert results[3].note.note_id == results[0].note.note_id
    assert (await semantics(ports, user_id=USER)).state.pending_chunks == 2
    found = await search(SearchRequest("note", mode="keyword"), ports, user_id=USER)
    assert len(found.passages) == 3


async def test_ids_sort_by_time(ports: Ports):
    ids = [
        (await ingest(draft(f"n{n}", now=later(n)), ports, user_id=USER, now=later(n))).note.note_id
        for n in range(3)
    ]
    assert ids == sorted(ids)


async def test_a_source_that_would_swell_every_passage_is_refused():
    with pytest.raises(InvalidInput, match="2001 characters"):
        draft("One.", source="x" * 2001)

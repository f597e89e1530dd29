"""Vectors follow the notes, one process at a time, whatever the model thinks of one of them."""

import pytest

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Ports
from dome_mcp.services.indexing import LEASE, index_step, semantics
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import list_notes
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft, long_document

pytestmark = pytest.mark.anyio


async def store_pending(ports: Ports, *texts: str) -> None:
    await ingest_many([draft(text) for text in texts], ports, user_id=USER, now=NOW)


async def test_a_chunk_that_the_model_refuses_keeps_no_other_waiting(
    ports: Ports, embedder: WordEmbedder
):
    embedder.refused = "poison"
    await store_pending(ports, "first good", "the poison pill", "second good")
    step = await index_step(ports, user_id=USER, holder="a", now=NOW)
    assert (step.done, step.left) == (3, 0)
    found = await search(SearchRequest("good", mode="semantic"), ports, user_id=USER)
    assert {passage.text for passage in found.passages} == {"first good", "second good"}
    found = await search(SearchRequest("poison", mode="keyword"), ports, user_id=USER)
    assert [passage.text for passage in found.passages] == ["the poison pill"]


async def test_a_service_that_refuses_everything_costs_no_chunk_its_vector(
    ports: Ports, embedder: WordEmbedder
):
    await store_pending(ports, "one", "two")
    embedder.refused = ""  # as with a token that was revoked
    with pytest.raises(BackendRejected):
        await index_step(ports, user_id=USER, holder="a", now=NOW)
    embedder.refused = "no text has this in it"
    assert (await index_step(ports, user_id=USER, holder="a", now=NOW)).done == 2
    found = await search(SearchRequest("one", mode="semantic"), ports, user_id=USER)
    assert len(found.passages) == 2


async def test_a_short_note_that_the_model_refuses_is_stored_all_the_same(
    ports: Ports, embedder: WordEmbedder
):
    embedder.refused = "poison"
    note = (await ingest(draft("the poison pill"), ports, user_id=USER, now=NOW)).note
    assert note.pending == 1
    assert len((await list_notes(NoteFilter(), ports, user_id=USER)).notes) == 1


async def test_one_process_indexes_at_a_time_until_its_lease_ends(ports: Ports):
    made = draft_note(long_document(12), Labels(), user_id=USER, now=NOW)
    await ingest(made, ports, user_id=USER, now=NOW)
    first = await index_step(ports, user_id=USER, holder="a", now=NOW, limit=2)
    assert first.done == 2
    other = await index_step(ports, user_id=USER, holder="b", now=NOW, limit=2)
    assert (other.done, other.is_elsewhere) == (0, True)
    after = await index_step(ports, user_id=USER, holder="b", now=NOW + LEASE, limit=2)
    assert after.done == 2


async def test_the_lease_is_given_back_when_nothing_is_left(ports: Ports):
    await store_pending(ports, "one")
    assert (await index_step(ports, user_id=USER, holder="a", now=NOW)).left == 0
    await store_pending(ports, "two")
    assert (await index_step(ports, user_id=USER, holder="b", now=NOW)).done == 1


async def test_vectors_of_another_model_are_not_mixed_in(ports: Ports, embedder: WordEmbedder):
    await ingest(draft("one thing"), ports, user_id=USER, now=NOW)
    embedder.model = "other/1"
    note = (await ingest(draft("two things"), ports, user_id=USER, now=NOW)).note
    assert note.pending == 1
    state = await semantics(ports, user_id=USER)
    assert "words/1" in (state.problem or "")
    found = await search(SearchRequest("thing"), ports, user_id=USER)
    assert "reindex" in (found.index.note or "")
    assert len(found.passages) == 2

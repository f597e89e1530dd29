"""A short note is embedded with what was noted just before it in the same context."""

import pytest

from dome_mcp.core.model import Document, NoteChanges
from dome_mcp.core.ports import Ports
from dome_mcp.services.indexing import index_step, semantics
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note, get_note
from dome_mcp.services.revising import update_note
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft, later

pytestmark = pytest.mark.anyio


async def note(ports: Ports, text: str, *, minute: int, context: str | None = "talk") -> str:
    made = draft(text, context=context, now=later(minute))
    return (await ingest(made, ports, user_id=USER, now=later(minute))).note.note_id


async def test_what_was_noted_before_is_embedded_after_the_notes_own_text(
    ports: Ports, embedder: WordEmbedder
):
    await note(ports, "We saw a heron.", minute=0)
    await note(ports, "It flew off.", minute=1)
    assert embedder.embedded[-1] == "It flew off.\nWe saw a heron."


@pytest.mark.parametrize(
    ("minute", "context"), [(61, "talk"), (1, "elsewhere"), (1, None), (-1, "talk")]
)
async def test_other_contexts_other_hours_and_later_notes_are_not_embedded_with_it(
    ports: Ports, embedder: WordEmbedder, minute: int, context: str | None
):
    await note(ports, "We saw a heron.", minute=0)
    await note(ports, "It flew off.", minute=minute, context=context)
    assert embedder.embedded[-1] == "It flew off."


async def test_at_most_four_notes_are_taken_oldest_first(ports: Ports, embedder: WordEmbedder):
    for minute in range(6):
        await note(ports, f"line{minute}", minute=minute)
    assert embedder.embedded[-1] == "line5\nline1 line2 line3 line4"


@pytest.mark.parametrize("change", ["deleted", "rewritten", "moved"])
async def test_no_trace_of_a_note_that_is_gone_stays_in_the_next_ones_vector(
    ports: Ports, embedder: WordEmbedder, change: str
):
    first = await note(ports, "We saw a heron.", minute=0)
    second = await note(ports, "It flew off.", minute=1)
    if change == "deleted":
        await delete_note(first, ports, user_id=USER, now=later(2))
    elif change == "moved":
        await update_note(first, NoteChanges(context=""), ports, user_id=USER, now=later(2))
    else:
        changes = NoteChanges(document=Document("We saw a crane.", "text/plain"))
        await update_note(first, changes, ports, user_id=USER, now=later(2))
    assert (await get_note(second, ports, user_id=USER)).pending == 1
    await index_step(ports, user_id=USER, holder="test", now=later(3))
    assert (await semantics(ports, user_id=USER)).state.pending_chunks == 0
    assert "It flew off." in embedder.embedded[-1]
    assert "heron" not in embedder.embedded[-1]


async def test_a_new_tag_leaves_the_next_notes_vector_alone(ports: Ports):
    first = await note(ports, "We saw a heron.", minute=0)
    second = await note(ports, "It flew off.", minute=1)
    await update_note(first, NoteChanges(tags=("birds",)), ports, user_id=USER, now=NOW)
    assert (await get_note(second, ports, user_id=USER)).is_indexed

"""The writes of the knowledge base that tests cut off, and what must be so afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import NotFound
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.integrity import examine
from dome_mcp.services.notes import delete_note, get_note, list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store.chunks import chunks_of_note, to_stored_chunk
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

FILE = "file:///plan.txt"
LONG_TEXT = "The long plan has many words. " * 1100
"""Longer than a row holds, and of more chunks than are embedded at once."""

Action = Callable[[Ports], Awaitable[object]]


@dataclass(frozen=True)
class Scenario:
    """What is there before, and the operation that is cut off."""

    before: Action
    operation: Action


async def _nothing(ports: Ports) -> None:
    del ports


async def _store_file(ports: Ports) -> None:
    await ingest(draft("Paint it red.", origin=FILE), ports, user_id=USER, now=NOW)


async def _store_long_file(ports: Ports) -> None:
    await ingest(draft(LONG_TEXT, origin=FILE), ports, user_id=USER, now=NOW)


async def _store_new_file(ports: Ports) -> None:
    newer = draft("Paint it blue.", origin=FILE, now=later(1))
    await ingest(newer, ports, user_id=USER, now=later(1))


async def _store_long_document(ports: Ports) -> None:
    made = draft_note(long_document(9), Labels(), user_id=USER, now=NOW)
    await ingest(made, ports, user_id=USER, now=NOW)


async def _store_many(ports: Ports) -> None:
    drafts = [draft(f"Item {number}.") for number in range(3)]
    drafts.append(draft("Items come from a list.", origin=FILE))
    await ingest_many(drafts, ports, user_id=USER, now=NOW)


async def index_all(ports: Ports, *, holder: str = "", limit: int = 5) -> None:
    """Embeds all that waits; the clock moves past the lease of a holder that crashed."""
    for minute in range(1, 50):
        now = later(minute)
        step = await index_step(
            ports, user_id=USER, holder=f"{holder}{minute}", now=now, limit=limit
        )
        if not step.left:
            return


async def _rewrite(ports: Ports) -> None:
    changes = NoteChanges(title="Painting", document=Document("Paint it green.", "text/plain"))
    await update_note(await _only_note(ports), changes, ports, user_id=USER, now=later(2))


async def _relabel(ports: Ports) -> None:
    changes = NoteChanges(tags=("house", "paint"), context="house")
    await update_note(await _only_note(ports), changes, ports, user_id=USER, now=later(2))


async def _delete(ports: Ports) -> None:
    try:
        await delete_note(await _only_note(ports), ports, user_id=USER, now=later(3))
    except (NotFound, IndexError):
        return  # the crash came after the deletion


async def _only_note(ports: Ports) -> str:
    page = await list_notes(NoteFilter(), ports, user_id=USER)
    return page.notes[0].note_id


SCENARIOS = {
    "ingest a short file": Scenario(_nothing, _store_file),
    "ingest a long file": Scenario(_nothing, _store_long_file),
    "ingest many": Scenario(_nothing, _store_many),
    "refresh a file": Scenario(_store_file, _store_new_file),
    "refresh a long file": Scenario(_store_long_file, _store_new_file),
    "index a long document": Scenario(_store_long_document, index_all),
    "rewrite a note": Scenario(_store_file, _rewrite),
    "change tags and context": Scenario(_store_file, _relabel),
    "delete a note": Scenario(_store_long_file, _delete),
    "delete a note with vectors": Scenario(_store_file, _delete),
}


async def state(ports: Ports) -> list[tuple[object, ...]]:
    """What a user sees: each note, whole, and what a search finds."""
    page = await list_notes(NoteFilter(), ports, user_id=USER, limit=100)
    notes = [await get_note(note.note_id, ports, user_id=USER) for note in page.notes]
    found = await search(
        SearchRequest("paint item plan fact", mode="keyword", limit=50), ports, user_id=USER
    )
    seen = sorted((passage.title, passage.text) for passage in found.passages)
    told = [(note.title, note.text, note.tags, note.context, note.chunks) for note in notes]
    return [*told, tuple(seen)]


async def check_consistent(ports: Ports, *also_empty: str) -> None:
    """Rows, full text, vectors and blobs tell the same story; only blobs may be too many.

    `also_empty` are queries that find what is wrong with this kind of index.
    """
    for sql in (*_MUST_BE_EMPTY, *also_empty):
        assert not await ports.database.query(Statement(sql)), sql
    seen = await examine(ports)
    assert seen.is_sound, seen
    keys = set(await ports.blobs.keys())
    rows = await ports.database.query(Statement("SELECT blob_key, body_key FROM notes"))
    assert {str(key) for row in rows for key in row.values() if key} <= keys
    page = await list_notes(NoteFilter(), ports, user_id=USER, limit=100)
    for note in page.notes:
        text = (await get_note(note.note_id, ports, user_id=USER)).text or ""
        rows = await ports.database.query(chunks_of_note(note.note_id, USER))
        for chunk in map(to_stored_chunk, rows):
            assert text[chunk.start : chunk.end] == chunk.text


_MUST_BE_EMPTY = (
    "SELECT chunk_id FROM chunks WHERE chunk_key NOT IN (SELECT rowid FROM chunks_fts)",
    "SELECT rowid FROM chunks_fts WHERE rowid NOT IN (SELECT chunk_key FROM chunks)",
    """
    SELECT chunk_id FROM chunks WHERE note_key NOT IN (
      SELECT note_key FROM notes WHERE deleted_at_ms IS NULL)""",
)

"""A crash at any port call leaves the old state or the new one, and can be repeated."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import NotFound
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import delete_note, get_note, list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio

FILE = "file:///plan.txt"
LONG_TEXT = "The long plan has many words. " * 2000

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
    made = draft_note(long_document(12), Labels(), user_id=USER, now=NOW)
    await ingest(made, ports, user_id=USER, now=NOW)


async def _store_many(ports: Ports) -> None:
    drafts = [draft(f"Item {number}.") for number in range(3)] + [draft(LONG_TEXT)]
    await ingest_many(drafts, ports, user_id=USER, now=NOW)


async def _index_all(ports: Ports) -> None:
    # The clock moves past the lease of the holder that crashed.
    for minute in range(1, 50):
        step = await index_step(ports, user_id=USER, holder=str(minute), now=later(minute), limit=5)
        if not step.left:
            return


async def _rewrite(ports: Ports) -> None:
    changes = NoteChanges(title="Painting", document=Document("Paint it green.", "text/plain"))
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
    "index a long document": Scenario(_store_long_document, _index_all),
    "rewrite a note": Scenario(_store_file, _rewrite),
    "delete a note": Scenario(_store_long_file, _delete),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_crash_at_any_port_call_leaves_old_or_new_and_can_be_repeated(
    name: str, moment: Moment, tmp_path: Path
):
    scenario = SCENARIOS[name]
    async with _world(tmp_path / "whole") as ports:
        await scenario.before(ports)
        old = await _state(ports)
        fuse = Fuse()
        await scenario.operation(with_fuse(ports, fuse))
        new = await _state(ports)
    assert fuse.calls > 1
    assert name.startswith("index") or new != old
    for call in range(fuse.calls):
        async with _world(tmp_path / f"crash{call}") as ports:
            await scenario.before(ports)
            with pytest.raises(Crash):
                await scenario.operation(with_fuse(ports, Fuse(call, moment)))
            assert await _state(ports) in (old, new), f"after a crash {moment} call {call}"
            await _check_consistent(ports)
            await scenario.operation(ports)
            assert await _state(ports) == new, f"repeated after a crash {moment} call {call}"
            await _check_consistent(ports)


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[Ports]:
    async with SqliteDatabase.open(None) as database:
        yield await make_ports(database, folder, WordEmbedder())


async def _state(ports: Ports) -> list[tuple[object, ...]]:
    """What a user sees: each note, whole, and what a search finds."""
    page = await list_notes(NoteFilter(), ports, user_id=USER, limit=100)
    notes = [await get_note(note.note_id, ports, user_id=USER) for note in page.notes]
    found = await search(
        SearchRequest("paint item plan fact", mode="keyword", limit=50), ports, user_id=USER
    )
    seen = sorted((passage.title, passage.text) for passage in found.passages)
    return [(note.title, note.text, note.tags, note.chunks) for note in notes] + [tuple(seen)]


async def _check_consistent(ports: Ports) -> None:
    """Rows, full text, vectors and blobs tell the same story; only blobs may be too many."""
    for sql in _MUST_BE_EMPTY:
        assert not await ports.database.query(Statement(sql)), sql
    keys = set(await ports.blobs.keys())
    rows = await ports.database.query(Statement("SELECT blob_key, body_key FROM notes"))
    assert {str(key) for row in rows for key in row.values() if key} <= keys
    page = await list_notes(NoteFilter(), ports, user_id=USER, limit=100)
    for note in page.notes:
        text = (await get_note(note.note_id, ports, user_id=USER)).text or ""
        sql = """
        SELECT c.start_offset, c.end_offset, c.text FROM chunks c JOIN notes n USING (note_key)
        WHERE n.note_id = ?1"""
        for row in await ports.database.query(Statement(sql, (note.note_id,))):
            assert text[row["start_offset"] : row["end_offset"]] == row["text"]


_MUST_BE_EMPTY = (
    "SELECT chunk_id FROM chunks WHERE chunk_key NOT IN (SELECT rowid FROM chunks_fts)",
    "SELECT rowid FROM chunks_fts WHERE rowid NOT IN (SELECT chunk_key FROM chunks)",
    "SELECT chunk_key FROM vectors WHERE chunk_key NOT IN (SELECT chunk_key FROM chunks)",
    """
    SELECT chunk_id FROM chunks
    WHERE embedded_with IS NOT NULL AND chunk_key NOT IN (SELECT chunk_key FROM vectors)""",
    """
    SELECT chunk_id FROM chunks WHERE note_key NOT IN (
      SELECT note_key FROM notes WHERE deleted_at_ms IS NULL)""",
)

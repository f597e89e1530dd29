"""A note that leaves one home and enters another is the same note."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import InvalidInput, NotFound
from dome_mcp.core.model import Note, NoteChanges, Original
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.archive import (
    ArchivedNote,
    archived,
    from_record,
    restore,
    to_record,
)
from dome_mcp.services.ingest import ingest
from dome_mcp.services.integrity import examine
from dome_mcp.services.notes import delete_note, get_note
from dome_mcp.services.revising import update_note
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio

_CHUNKS = """
SELECT chunk_id, ordinal, start_offset, end_offset, page, heading, text, content_hash
FROM chunks ORDER BY note_key, ordinal"""

BOILER = "The boiler's warranty ends in May 2031. Größe: 24 kW 🔥"


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Ports]:
    """Another home, empty."""
    async with SqliteDatabase.open(tmp_path / "other" / "dome.db") as database:
        yield await make_ports(database, tmp_path / "other", WordEmbedder())


async def store(ports: Ports, text: str = BOILER, **labels: object) -> Note:
    return (await ingest(draft(text, **labels), ports, user_id=USER, now=NOW)).note


async def moved(note_id: str, ports: Ports) -> ArchivedNote:
    """The note as it comes out of a file: its record has been JSON."""
    leaving = await archived(note_id, ports, user_id=USER)
    original = leaving.original and Original(leaving.original.data, "file.txt")
    return from_record(json.loads(json.dumps(to_record(leaving))), original)


async def chunk_rows(ports: Ports) -> list[dict[str, object]]:
    rows = await ports.database.query(Statement(_CHUNKS))
    return [dict(row) for row in rows]


async def test_a_note_of_all_kinds_comes_back_equal(ports: Ports, other: Ports) -> None:
    labels: dict[str, object] = {"tags": ("house", "heating"), "context": "home"}
    from_file = await store(ports, origin="file:///boiler.txt", **labels)
    await update_note(
        from_file.note_id, NoteChanges(title="Heating"), ports, user_id=USER, now=later(5)
    )
    long = draft_note(long_document(60), Labels(source="book"), user_id=USER, now=NOW)
    await ingest(long, ports, user_id=USER, now=NOW)
    for note_id in (from_file.note_id, long.note_id):
        assert await restore([await moved(note_id, ports)], other, user_id=USER) == ["restored"]
        before = await get_note(note_id, ports, user_id=USER)
        after = await get_note(note_id, other, user_id=USER)
        assert replace(after, pending=before.pending) == before
        before, after = [await archived(note_id, each, user_id=USER) for each in (ports, other)]
        assert to_record(after) == to_record(before)
        assert after.original == before.original
    assert await chunk_rows(other) == await chunk_rows(ports)
    assert (await examine(other)).is_sound


async def test_a_restored_note_waits_for_its_vectors(ports: Ports, other: Ports) -> None:
    note = await store(ports)
    assert note.pending == 0
    await restore([await moved(note.note_id, ports)], other, user_id=USER)
    assert (await get_note(note.note_id, other, user_id=USER)).pending == note.chunks


async def test_a_note_that_is_there_is_left_as_it_is(ports: Ports) -> None:
    note = await store(ports)
    leaving = await moved(note.note_id, ports)
    await update_note(note.note_id, NoteChanges(title="Newer"), ports, user_id=USER, now=later(1))
    assert await restore([leaving], ports, user_id=USER) == ["present"]
    assert (await get_note(note.note_id, ports, user_id=USER)).title == "Newer"


async def test_a_note_whose_content_is_there_is_not_stored_twice(
    ports: Ports, other: Ports
) -> None:
    note = await store(ports)
    twin = (await ingest(draft(BOILER, now=later(9)), other, user_id=USER, now=later(9))).note
    assert twin.note_id != note.note_id
    assert await restore([await moved(note.note_id, ports)], other, user_id=USER) == ["present"]
    with pytest.raises(NotFound):
        await get_note(note.note_id, other, user_id=USER)


async def test_a_note_that_was_deleted_here_comes_back(ports: Ports) -> None:
    note = await store(ports, origin="file:///boiler.txt")
    leaving = await moved(note.note_id, ports)
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    assert await restore([leaving], ports, user_id=USER) == ["restored"]
    back = await get_note(note.note_id, ports, user_id=USER)
    assert (back.text, back.revision, back.source) == (BOILER, 1, "file:///boiler.txt")
    assert (await examine(ports)).is_sound


async def test_an_id_of_another_user_is_refused(ports: Ports) -> None:
    note = await store(ports)
    leaving = await moved(note.note_id, ports)
    assert await restore([leaving], ports, user_id="somebody") == ["taken"]
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    assert await restore([leaving], ports, user_id="somebody") == ["taken"]
    assert await ports.blobs.keys() == []


async def test_a_note_whose_original_is_lost_still_leaves_with_its_text(ports: Ports) -> None:
    note = await store(ports, origin="file:///boiler.txt")
    assert note.blob_key is not None
    await ports.blobs.delete(note.blob_key)
    leaving = await archived(note.note_id, ports, user_id=USER)
    assert leaving.has_lost_its_original
    assert leaving.note.text == BOILER


async def test_a_note_whose_text_is_lost_is_an_error(ports: Ports) -> None:
    long = draft_note(long_document(60), Labels(), user_id=USER, now=NOW)
    note = (await ingest(long, ports, user_id=USER, now=NOW)).note
    assert note.body_key is not None
    await ports.blobs.delete(note.body_key)
    with pytest.raises(NotFound) as caught:
        await archived(note.note_id, ports, user_id=USER)
    assert caught.value.kind == "blob"


@pytest.mark.parametrize(
    "damage",
    [
        {"text": None},
        {"title": 5},
        {"chunks": [[0, 1]]},
        {"chunks": None},
        {"created_at_ms": "yesterday"},
        {"created_at_ms": 10**30},
        {"tags": None},
        {"tags": [1]},
        {"note_id": "../../../etc/cron.d/x"},
        {"source": "half a \ud83d character"},
    ],
)
async def test_a_damaged_record_is_refused(ports: Ports, damage: dict[str, object]) -> None:
    note = await store(ports)
    record = to_record(await archived(note.note_id, ports, user_id=USER))
    with pytest.raises(InvalidInput):
        from_record({**record, **damage}, None)


async def test_a_record_with_a_field_missing_is_refused(ports: Ports) -> None:
    note = await store(ports)
    record = to_record(await archived(note.note_id, ports, user_id=USER))
    for name in record:
        with pytest.raises(InvalidInput):
            from_record({key: record[key] for key in record if key != name}, None)

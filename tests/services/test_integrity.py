"""Damage is found, named and mended; what is sound is left alone."""

import json
from dataclasses import replace

import pytest

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.model import NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest
from dome_mcp.services.integrity import Examination, VectorDamage, examine, findings
from dome_mcp.services.notes import delete_note, get_note
from dome_mcp.services.repair import forget_every_vector, repair
from dome_mcp.services.revising import update_note
from tests.services.conftest import WatchedD1, WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio

BOILER = "The boiler is a Vaillant ecoTEC; its warranty ends in May 2031."
_FOUND = """
SELECT n.note_id FROM chunks_fts f
JOIN chunks c ON c.chunk_key = f.rowid JOIN notes n ON n.note_key = c.note_key
WHERE chunks_fts MATCH ?1 ORDER BY f.rowid"""
GARDEN = "Tomatoes go into the raised bed after the last frost."


async def store(ports: Ports, text: str = BOILER, **labels: object) -> str:
    stored = await ingest(draft(text, **labels), ports, user_id=USER, now=NOW)
    return stored.note.note_id


async def store_long(ports: Ports, sections: int = 60) -> str:
    """A note whose text does not fit its row."""
    document = long_document(sections)
    long = draft_note(document, Labels(), user_id=USER, now=NOW)
    return (await ingest(long, ports, user_id=USER, now=NOW)).note.note_id


async def run(ports: Ports, sql: str, *params: str | int) -> None:
    await ports.database.query(Statement(sql, params))


async def damage(ports: Ports, sql: str) -> None:
    """Runs what a database may refuse its callers, as a defect of its own would do it."""
    if isinstance(ports.database, WatchedD1):
        ports.database.simulator.damage(sql)
    else:
        await run(ports, sql)


async def found(ports: Ports, words: str) -> list[str]:
    rows = await ports.database.query(Statement(_FOUND, (words,)))
    return [str(row["note_id"]) for row in rows]


async def everything_is_abandoned(_key: str) -> bool:
    return True


async def mended(ports: Ports) -> Examination:
    """What is still wrong after a repair."""
    seen = await examine(ports, is_abandoned=everything_is_abandoned)
    await repair(seen, ports, now=later(1))
    return await examine(ports, is_abandoned=everything_is_abandoned)


async def test_what_was_stored_changed_and_deleted_properly_is_sound(ports: Ports) -> None:
    note_id = await store(ports, origin="file:///boiler.txt")
    long_id = await store_long(ports)
    gone_id = await store(ports, GARDEN)
    await update_note(note_id, NoteChanges(title="Heating"), ports, user_id=USER, now=later(1))
    await update_note(
        long_id,
        NoteChanges(document=long_document(70)),
        ports,
        user_id=USER,
        now=later(1),
    )
    await delete_note(gone_id, ports, user_id=USER, now=later(1))
    seen = await examine(ports, is_abandoned=everything_is_abandoned)
    assert seen.is_sound
    assert {finding.level for finding in findings(seen)} == {"ok"}


async def test_a_chunk_that_no_keyword_finds_is_indexed_again(ports: Ports) -> None:
    note_id = await store(ports, title="Heating")
    await run(ports, "DELETE FROM chunks_fts WHERE rowid = 1")
    assert (await examine(ports)).unindexed == (1,)
    assert await found(ports, "boiler") == []
    assert (await mended(ports)).is_sound
    assert await found(ports, "boiler") == [note_id]
    assert await found(ports, "heating") == [note_id]


async def test_an_entry_without_a_chunk_is_removed(ports: Ports) -> None:
    await store(ports)
    await run(ports, "INSERT INTO chunks_fts (rowid, text) VALUES (77, 'ghost')")
    assert (await examine(ports)).orphan_words == (77,)
    assert (await mended(ports)).is_sound


async def test_an_entry_with_other_words_is_written_again(ports: Ports) -> None:
    note_id = await store(ports)
    await run(ports, "DELETE FROM chunks_fts WHERE rowid = 1")
    await run(ports, "INSERT INTO chunks_fts (rowid, title, text) VALUES (1, 'x', 'other words')")
    assert (await examine(ports)).stale_words == (1,)
    assert (await mended(ports)).is_sound
    assert await found(ports, "warranty") == [note_id]


async def test_an_entry_under_an_old_title_is_written_again(ports: Ports) -> None:
    note_id = await store(ports, title="Heating")
    await run(ports, "UPDATE notes SET title = 'Boiler room' WHERE note_id = ?1", note_id)
    assert (await examine(ports)).stale_words == (1,)
    assert (await mended(ports)).is_sound
    assert await found(ports, "room") == [note_id]


async def test_a_full_text_index_that_contradicts_itself_is_rebuilt(ports: Ports) -> None:
    first, second = await store(ports), await store(ports, GARDEN)
    await damage(ports, "DELETE FROM chunks_fts_data WHERE id > 10")
    assert (await examine(ports)).is_index_corrupt
    assert (await mended(ports)).is_sound
    assert await found(ports, "warranty") == [first]
    assert await found(ports, "tomatoes") == [second]


async def test_chunks_of_a_deleted_note_are_removed(ports: Ports) -> None:
    note_id = await store(ports)
    await run(ports, "UPDATE notes SET deleted_at_ms = 1 WHERE note_id = ?1", note_id)
    assert len((await examine(ports)).dead_chunks) == 1
    assert (await mended(ports)).is_sound
    assert await ports.database.query(Statement("SELECT 1 AS one FROM chunks")) == []


async def test_a_lost_vector_is_made_again(ports: Ports, embedder: WordEmbedder) -> None:
    await store(ports)
    await run(ports, "DELETE FROM vectors")
    missing = (await examine(ports)).vectors.missing
    assert len(missing) == 1
    assert (await mended(ports)).is_sound
    step = await index_step(ports, user_id=USER, holder="test", now=later(2))
    assert step.done == 1
    assert ports.vectors is not None
    vector = await embedder.embed_query("boiler warranty")
    matches = await ports.vectors.search(USER, vector, limit=5, among=NoteFilter())
    assert [match.chunk_id for match in matches] == list(missing)


async def test_a_vector_without_a_chunk_is_counted_and_removed(ports: Ports) -> None:
    await store(ports)
    vectors = "SELECT 99, note_key, user_id, embedding FROM vectors"
    columns = "(chunk_key, note_key, user_id, embedding)"
    # The driver enforces foreign keys, so the damage is done in the schema's own terms.
    await run(ports, "ALTER TABLE vectors RENAME TO kept")
    await run(
        ports,
        "CREATE TABLE vectors (vector_key INTEGER PRIMARY KEY, chunk_key INTEGER, "
        "note_key INTEGER, user_id TEXT, embedding BLOB)",
    )
    await run(ports, "INSERT INTO vectors SELECT * FROM kept")
    await run(ports, f"INSERT INTO vectors {columns} {vectors}")
    assert (await examine(ports)).vectors == VectorDamage((), 1)
    assert (await mended(ports)).is_sound


async def test_chunks_that_are_no_slices_of_the_text_are_cut_anew(ports: Ports) -> None:
    note_id = await store(ports)
    await run(ports, "UPDATE chunks SET text = 'something else'")
    assert (await examine(ports)).torn_notes == ((note_id, USER),)
    assert (await mended(ports)).is_sound
    assert await found(ports, "warranty") == [note_id]
    assert await found(ports, "something") == []


async def test_a_note_without_chunks_is_cut_anew_with_its_headings(ports: Ports) -> None:
    note_id = await store_long(ports)
    before = await get_note(note_id, ports, user_id=USER)
    await run(ports, "DELETE FROM chunks_fts WHERE rowid > 0")
    await run(ports, "DELETE FROM chunks")
    seen = await examine(ports)
    assert seen.torn_notes == ((note_id, USER),)
    document = long_document(60)
    await repair(seen, ports, now=later(1), parse=lambda text: replace(document, text=text))
    after = await get_note(note_id, ports, user_id=USER)
    assert (await examine(ports)).is_sound
    assert (after.text, after.chunks) == (before.text, before.chunks)
    rows = await ports.database.query(Statement("SELECT DISTINCT heading FROM chunks"))
    assert {row["heading"] for row in rows} == {f"Heading {number}" for number in range(60)}


async def test_a_lost_text_is_reported_and_nothing_of_the_note_is_touched(ports: Ports) -> None:
    note_id = await store_long(ports)
    note = await get_note(note_id, ports, user_id=USER)
    assert note.body_key is not None
    await ports.blobs.delete(note.body_key)
    seen = await mended(ports)
    assert seen.lost_texts == (note_id,)
    assert seen.lost_blobs == (note.body_key,)
    rows = await ports.database.query(Statement("SELECT count(*) AS n FROM chunks"))
    assert rows[0]["n"] == note.chunks


async def test_an_original_with_other_bytes_is_reported_and_kept(ports: Ports) -> None:
    note_id = await store(ports, origin="file:///boiler.txt")
    note = await get_note(note_id, ports, user_id=USER)
    assert note.blob_key is not None
    await ports.blobs.put(note.blob_key, b"rotten")
    assert (await mended(ports)).damaged_blobs == (note.blob_key,)
    assert await ports.blobs.get(note.blob_key) == b"rotten"


async def test_a_blob_of_no_note_goes_only_when_it_is_abandoned(ports: Ports) -> None:
    await store(ports, origin="file:///boiler.txt")
    await ports.blobs.put("someone/note/fresh", b"being stored")
    await ports.blobs.put("someone/note/old", b"left behind")

    async def is_old(key: str) -> bool:
        return key.endswith("old")

    seen = await examine(ports, is_abandoned=is_old)
    assert seen.orphan_blobs == ("someone/note/old",)
    assert [f.check for f in findings(seen) if f.level == "warning"] == ["leftovers"]
    await repair(seen, ports, now=later(1))
    assert await ports.blobs.keys("someone/") == ["someone/note/fresh"]


async def test_a_repair_says_what_it_did_and_the_same_again_is_harmless(ports: Ports) -> None:
    await store(ports)
    await run(ports, "DELETE FROM chunks_fts WHERE rowid = 1")
    seen = await examine(ports)
    assert await repair(seen, ports, now=later(1)) == ["Wrote 1 full-text entries and removed 0."]
    assert await repair(seen, ports, now=later(1)) == []
    assert (await examine(ports)).is_sound


async def test_a_note_that_changed_since_the_examination_is_left_alone(ports: Ports) -> None:
    note_id = await store(ports)
    seen = replace(Examination(), torn_notes=((note_id, USER), ("gone", USER)))
    await delete_note(note_id, ports, user_id=USER, now=later(1))
    assert await repair(seen, ports, now=later(2)) == []


async def test_a_full_reindex_makes_every_vector_again(
    ports: Ports, embedder: WordEmbedder
) -> None:
    await store(ports)
    await store(ports, GARDEN)
    embedder.embedded.clear()
    await forget_every_vector(ports)
    await index_step(ports, user_id=USER, holder="test", now=later(1))
    assert len(embedder.embedded) == 2


async def test_the_words_of_many_scripts_are_recognised_in_the_index(ports: Ports) -> None:
    for text in (
        "東京の天気は晴れです。",
        "Straße über Ærø, C++ and C#",
        'He said "stop" (twice).',
    ):
        await store(ports, text, title=json.dumps(text))
    assert (await examine(ports)).is_sound


def test_each_kind_of_damage_has_a_line_that_names_it() -> None:
    seen = Examination(
        is_index_corrupt=True,
        unindexed=(1, 2),
        lost_texts=("n",),
        vectors=VectorDamage(("c",), 3),
    )
    lines = {finding.check: finding for finding in findings(seen)}
    assert lines["full text"].message == (
        "the index contradicts itself; 2 chunks that no keyword finds"
    )
    assert "--repair" in lines["vectors"].hint
    assert "backup" in lines["texts"].hint
    assert lines["blobs"].level == "ok"

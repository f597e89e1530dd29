"""Making again what can be made again.

Full text, chunks and vectors follow from the notes; blobs, chunks and entries of no note go. A
text, an original and a label are never touched. Each step is one batch and may be repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from dome_mcp.core.drafts import draft_chunks
from dome_mcp.core.errors import BackendRejected, NotFound
from dome_mcp.core.model import Document, Note
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services.blobs import text_of
from dome_mcp.services.integrity import CheckedVectors, Examination
from dome_mcp.services.notes import stored_note
from dome_mcp.services.restoring import RestorableVectors
from dome_mcp.store import chunks, embedding, integrity, notes
from dome_mcp.store.notes import to_int

Item = TypeVar("Item")

_AT_ONCE = 500


async def repair(
    examination: Examination,
    ports: Ports,
    *,
    now: datetime,
    parse: Callable[[str], Document] | None = None,
) -> list[str]:
    """Mends what the examination found and returns what was done, a sentence each.

    Chunks without a vector are left pending, for `index_step`. `parse` finds the headings of a
    text that has to be cut anew; without it the new chunks have none.

    Raises:
        BackendError: a step failed; those before it are done.
    """
    seen = examination
    done: list[str] = []
    if seen.dead_chunks:
        await _remove_chunks(seen.dead_chunks, ports)
        done.append(f"Removed {len(seen.dead_chunks)} chunks of deleted notes.")
    for note_id, user_id in seen.torn_notes:
        if await _cut_anew(note_id, ports, user_id=user_id, now=now, parse=parse):
            done.append(f"Cut note {note_id} into chunks again.")
    if seen.is_index_corrupt:
        await ports.database.query(integrity.delete_all_words())
    else:
        for keys in _parts((*seen.orphan_words, *seen.stale_words)):
            await ports.database.query(integrity.delete_words(keys))
    indexed = await _index_missing(ports.database)
    if indexed or seen.orphan_words:
        done.append(f"Wrote {indexed} full-text entries and removed {len(seen.orphan_words)}.")
    done += await _mend_vectors(seen, ports)
    if isinstance(ports.vectors, RestorableVectors) and (sent := await ports.vectors.restore()):
        done.append(f"Sent {sent} vectors again to an index that had lost some.")
    for key in seen.orphan_blobs:
        await ports.blobs.delete(key)
    if seen.orphan_blobs:
        done.append(f"Removed {len(seen.orphan_blobs)} files that belong to no note.")
    return done


async def forget_every_vector(ports: Ports) -> None:
    """Makes every chunk pending; the old vectors serve until the new ones are there."""
    await ports.database.query(embedding.forget_vectors(""))


async def _remove_chunks(chunk_ids: Sequence[str], ports: Ports) -> None:
    for part in _parts(chunk_ids):
        unstaged = ports.vectors.unstage(part) if ports.vectors else ()
        await ports.database.batch([*unstaged, *integrity.delete_dead_chunks(part)])


async def _cut_anew(
    note_id: str,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    parse: Callable[[str], Document] | None,
) -> bool:
    """Replaces a note's chunks by slices of its text; False where the note changed meanwhile."""
    try:
        note = await stored_note(note_id, ports, user_id=user_id)
        text = await text_of(note, ports.blobs)
    except NotFound:
        return False
    rows = await ports.database.query(chunks.chunks_of_note(note_id, user_id))
    old = [str(row["chunk_id"]) for row in rows]
    new = draft_chunks(note_id, _document(note, text, parse))
    after = replace(note, characters=len(text), updated_at=now)
    try:
        await ports.database.batch(
            [
                *notes.revise_note(
                    after, body=note.text, body_key=note.body_key, revision=note.revision
                ),
                *chunks.unindex_chunks(old, user_id=user_id),
                *(ports.vectors.unstage(old) if ports.vectors else ()),
                *chunks.delete_chunks(old, user_id=user_id),
                *chunks.insert_chunks(note_id, new, user_id=user_id),
                *chunks.index_chunks(note.title, new, user_id=user_id),
            ]
        )
    except BackendRejected:
        if (await stored_note(note_id, ports, user_id=user_id)).revision == note.revision:
            raise
        return False
    return True


def _document(note: Note, text: str, parse: Callable[[str], Document] | None) -> Document:
    parsed = parse(text) if parse else None
    # Offsets count in the stored text, so headings of a text that parsing changed are no use.
    if parsed is not None and parsed.text == text:
        return parsed
    return Document(text, note.content_type)


async def _index_missing(database: Database) -> int:
    """Writes the full-text rows that are missing and returns how many."""
    rows = await database.query(integrity.unindexed_chunks())
    keys = [to_int(row["key"]) for row in rows]
    for part in _parts(keys):
        found = await database.query(integrity.chunks_by_key(part))
        await database.query(integrity.index_rows(found))
    return len(keys)


async def _mend_vectors(seen: Examination, ports: Ports) -> list[str]:
    done: list[str] = []
    for part in _parts(seen.vectors.missing):
        await ports.database.query(integrity.forget_chunk_vectors(part))
    if seen.vectors.missing:
        done.append(f"Marked {len(seen.vectors.missing)} chunks to be embedded again.")
    if seen.vectors.orphans and isinstance(ports.vectors, CheckedVectors):
        await ports.database.batch(ports.vectors.remove_orphans())
        done.append(f"Removed {seen.vectors.orphans} vectors of chunks that are gone.")
    return done


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]

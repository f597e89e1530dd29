"""Storing notes: row, chunks, full text and, for a short one, vectors, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.drafts import NoteDraft
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.identifiers import note_prefix
from dome_mcp.core.model import Ingested, Note
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.blobs import put_body, put_original
from dome_mcp.services.indexing import inline_vectors, settle_staged
from dome_mcp.services.notes import stored_note
from dome_mcp.services.revising import take_place_of
from dome_mcp.store import chunks, embedding, notes


async def ingest(draft: NoteDraft, ports: Ports, *, user_id: str, now: datetime) -> Ingested:
    """Stores the draft, or says which note has its content already.

    A file or page that was stored before with other content has its note brought up to date,
    unless somebody has edited that note's text since. All is durable when this returns, or
    nothing is written; the same call again is harmless. What a crash leaves behind is at most a
    blob that no row names.

    Raises:
        BackendError: nothing was stored.
    """
    if known := await _same_content(draft, ports, user_id=user_id):
        return Ingested(known, duplicate=True)
    if stale := await _same_origin(draft, ports, user_id=user_id):
        return Ingested(await take_place_of(stale, draft, ports, now=now), updated=True)
    statements = await _insert(draft, ports, user_id=user_id, now=now)
    vectors = await inline_vectors(
        embedding.pending_of(draft, draft.chunks, revision=1), ports, user_id=user_id
    )
    try:
        await ports.database.batch([*statements, *vectors])
    except BackendRejected:
        # Somebody else may have stored the same content between the look and the write.
        if known := await _same_content(draft, ports, user_id=user_id):
            await _discard(draft, ports, user_id=user_id)
            return Ingested(known, duplicate=True)
        raise
    if vectors:
        await settle_staged(ports)
    return Ingested(await stored_note(draft.note_id, ports, user_id=user_id))


async def ingest_many(
    drafts: Sequence[NoteDraft], ports: Ports, *, user_id: str, now: datetime
) -> list[Ingested]:
    """Stores drafts in one transaction, found by keyword at once, by meaning when indexed.

    Drafts that are already there, or bring an older note up to date, are dealt with one by one.
    No two of the drafts may have the same origin.

    Raises:
        BackendError: the drafts that were not yet acknowledged may not be stored.
    """
    first = {(draft.context, draft.content_hash): draft for draft in reversed(drafts)}
    taken = await _taken(drafts, ports, user_id=user_id)
    known = await _origins(drafts, ports, user_id=user_id)
    fresh = [
        draft
        for key, draft in first.items()
        if key not in taken and (draft.context, draft.origin) not in known
    ]
    fresh.reverse()
    statements: list[Statement] = []
    for draft in fresh:
        statements += await _insert(draft, ports, user_id=user_id, now=now)
    try:
        await ports.database.batch(statements)
    except BackendRejected:
        # A race for one of them; the one-by-one path below finds out which.
        fresh = []
    done = {draft.note_id for draft in fresh}
    stored = await _stored(list(done), ports, user_id=user_id)
    results: list[Ingested] = []
    for draft in drafts:
        if note := stored.pop(draft.note_id, None):
            results.append(Ingested(note))
        else:
            results.append(await ingest(draft, ports, user_id=user_id, now=now))
    return results


async def note_of_content(
    content_hash: str, ports: Ports, *, user_id: str, context: str
) -> Note | None:
    """The note in this context whose content has the hash."""
    rows = await ports.database.query(notes.note_by_content(content_hash, user_id, context=context))
    return notes.to_note(rows[0]) if rows else None


async def contents_present(
    content_hashes: Sequence[str], ports: Ports, *, user_id: str, context: str
) -> set[str]:
    """Those among the hashes whose content a note in this context has."""
    rows = await ports.database.query(notes.contents_present(content_hashes, user_id))
    return {str(row["content_hash"]) for row in rows if row["context"] == context}


async def _insert(
    draft: NoteDraft, ports: Ports, *, user_id: str, now: datetime
) -> list[Statement]:
    """Puts the draft's blobs and returns the statements that write all but its vectors."""
    original_key = None
    if draft.original is not None:
        original_key = await put_original(
            draft.original, ports.blobs, user_id=user_id, note_id=draft.note_id
        )
    body_key = await put_body(draft.text, ports.blobs, user_id=user_id, note_id=draft.note_id)
    return [
        *notes.insert_note(
            draft,
            user_id=user_id,
            body=None if body_key else draft.text,
            body_key=body_key,
            original_key=original_key,
            now_ms=to_ms(now),
        ),
        *chunks.insert_chunks(draft.note_id, draft.chunks, user_id=user_id),
        *chunks.index_chunks(draft.title, draft.chunks, user_id=user_id),
    ]


async def _discard(draft: NoteDraft, ports: Ports, *, user_id: str) -> None:
    """Deletes the blobs of a draft that lost its race; no row can name them."""
    known = await ports.database.query(notes.note_by_id(draft.note_id, user_id))
    if not known:
        for key in await ports.blobs.keys(note_prefix(user_id, draft.note_id)):
            await ports.blobs.delete(key)


async def _same_content(draft: NoteDraft, ports: Ports, *, user_id: str) -> Note | None:
    return await note_of_content(draft.content_hash, ports, user_id=user_id, context=draft.context)


async def _same_origin(draft: NoteDraft, ports: Ports, *, user_id: str) -> Note | None:
    """The note that holds an older state of the draft's file or page, unless it was edited."""
    if draft.origin is None:
        return None
    rows = await ports.database.query(
        notes.note_by_source(draft.origin, user_id, context=draft.context)
    )
    note = notes.to_note(rows[0]) if rows else None
    is_as_read = note and note.blob_key and note.content_hash in note.blob_key
    return note if is_as_read else None


async def _taken(
    drafts: Sequence[NoteDraft], ports: Ports, *, user_id: str
) -> set[tuple[str, str]]:
    hashes = [draft.content_hash for draft in drafts]
    rows = await ports.database.query(notes.contents_present(hashes, user_id))
    return {(str(row["context"]), str(row["content_hash"])) for row in rows}


async def _origins(
    drafts: Sequence[NoteDraft], ports: Ports, *, user_id: str
) -> set[tuple[str, str | None]]:
    """The contexts and origins, among the drafts', that some note was made of."""
    origins = [draft.origin for draft in drafts if draft.origin]
    rows = await ports.database.query(notes.sources_present(origins, user_id))
    return {(str(row["context"]), str(row["source_uri"])) for row in rows}


async def _stored(ids: list[str], ports: Ports, *, user_id: str) -> dict[str, Note]:
    rows = await ports.database.query(notes.notes_by_id(ids, user_id))
    return {note.note_id: note for note in map(notes.to_note, rows)}

"""Changing a note: what stayed keeps its chunks, full text and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dome_mcp.core.drafts import (
    DraftChunk,
    NoteDraft,
    clean_title,
    draft_chunks,
    infer_title,
    rename_chunks,
)
from dome_mcp.core.errors import BackendRejected, Conflict, InvalidInput, NotFound
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.model import Document, Note, NoteChanges
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.blobs import drop_unused, put_body, put_original, text_of
from dome_mcp.services.indexing import forget_in_followers, inline_vectors, settle_staged
from dome_mcp.services.notes import relabelled, stored_note
from dome_mcp.store import chunks, embedding, notes


@dataclass(frozen=True, slots=True)
class Content:
    """A note's text and the chunks it falls into."""

    text: str
    chunks: Sequence[DraftChunk]


async def update_note(
    note_id: str,
    changes: NoteChanges,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    revision: int | None = None,
) -> Note:
    """Changes a note's text or labels and returns it as stored.

    `revision` is the one the caller has read; without it the change is made to whatever is there.

    Raises:
        NotFound: the user has no such note.
        Conflict: the note is at another revision, or another note has this content.
        InvalidInput: nothing to change, or a text without words.
    """
    before = await stored_note(note_id, ports, user_id=user_id)
    if revision is not None and revision != before.revision:
        raise stale_revision(before, revision)
    after = relabelled(before, title=changes.title, tags=changes.tags, context=changes.context)
    content = None
    if changes.document is not None:
        document = changes.document
        if not document.text.strip():
            raise InvalidInput("The new text is empty.", "Send a text, or use delete_note.")
        after = replace(after, content_hash=content_hash(document.text))
        if changes.title is None:
            after = replace(after, title=await _title_for(before, document, ports))
        content = Content(document.text, draft_chunks(note_id, document))
    if after == before:
        return before
    return await revise(before, replace(after, updated_at=now), ports, content=content)


async def _title_for(before: Note, document: Document, ports: Ports) -> str:
    """The note's title under a new text: a title taken from the old text follows the new one."""
    old = await text_of(before, ports.blobs)
    if before.title != clean_title(infer_title(old)):
        return before.title
    return clean_title(document.title or infer_title(document.text))


async def take_place_of(stale: Note, draft: NoteDraft, ports: Ports, *, now: datetime) -> Note:
    """Gives an existing note the content of a newer draft of its source; its tags are kept.

    Raises:
        Conflict: the note changed meanwhile.
    """
    original_key = None
    if draft.original is not None:
        original_key = await put_original(
            draft.original, ports.blobs, user_id=stale.user_id, note_id=stale.note_id
        )
    after = replace(
        stale,
        title=draft.title,
        tags=tuple(sorted({*stale.tags, *draft.tags})),
        content_type=draft.content_type,
        content_hash=draft.content_hash,
        created_at=draft.created_at,
        updated_at=now,
        blob_key=original_key,
    )
    content = Content(draft.text, rename_chunks(draft.chunks, stale.note_id))
    return await revise(stale, after, ports, content=content)


async def revise(
    before: Note, after: Note, ports: Ports, *, content: Content | None = None
) -> Note:
    """Writes `after` over `before`, with new content where it is given, and returns what is stored.

    Raises:
        Conflict: the note is no longer as `before`, or another note has this content.
    """
    user_id = before.user_id
    body, body_key = before.text, before.body_key
    if content is not None:
        body_key = await put_body(
            content.text, ports.blobs, user_id=user_id, note_id=before.note_id
        )
        body = None if body_key else content.text
        after = replace(after, characters=len(content.text))
    after = replace(after, body_key=body_key)
    changes = await _chunk_changes(before, after, ports, content=content)
    try:
        await ports.database.batch(
            [
                *_in_followers(before, after),
                *notes.revise_note(after, body=body, body_key=body_key, revision=before.revision),
                *changes,
            ]
        )
    except BackendRejected as error:
        raise await _conflict(before, after, ports) or error from error
    if changes:
        await settle_staged(ports)
    await drop_unused(before, after, ports.blobs)
    return await stored_note(before.note_id, ports, user_id=user_id)


async def _chunk_changes(
    before: Note, after: Note, ports: Ports, *, content: Content | None
) -> list[Statement]:
    """The statements that bring chunks, full text and vectors from `before` to `after`."""
    is_renamed = after.title != before.title
    if content is None and not is_renamed:
        return []
    rows = await ports.database.query(chunks.chunks_of_note(before.note_id, before.user_id))
    stored = [chunks.to_stored_chunk(row) for row in rows]
    drafts = [chunks.to_draft(chunk) for chunk in stored] if content is None else content.chunks
    old, new = {chunk.chunk_id for chunk in stored}, {draft.chunk_id for draft in drafts}
    removed = sorted(old - new)
    added = [draft for draft in drafts if draft.chunk_id not in old]
    kept = [draft for draft in drafts if draft.chunk_id in old]
    # The title stands in every full-text row and in every embedded text.
    stale = sorted(old) if is_renamed else removed
    indexed = drafts if is_renamed else added
    user_id = before.user_id
    statements = [
        *chunks.unindex_chunks(stale, user_id=user_id),
        *(ports.vectors.unstage(removed) if ports.vectors else ()),
        *chunks.delete_chunks(removed, user_id=user_id),
        *chunks.insert_chunks(before.note_id, added, user_id=user_id),
        *(chunks.move_chunks(kept, user_id=user_id) if content else ()),
        *chunks.index_chunks(after.title, indexed, user_id=user_id),
    ]
    if is_renamed:
        statements.append(embedding.forget_note_vectors(before.note_id, before.user_id))
    pending = embedding.pending_of(after, indexed, revision=before.revision + 1)
    return [*statements, *await inline_vectors(pending, ports, user_id=before.user_id)]


def _in_followers(before: Note, after: Note) -> list[Statement]:
    """What a changed text or place leaves to be embedded anew in the notes after this one."""
    if (before.content_hash, before.context) == (after.content_hash, after.context):
        return []
    return [forget_in_followers(before.note_id, user_id=before.user_id)]


async def _conflict(before: Note, after: Note, ports: Ports) -> Exception | None:
    """What a refused revision means; None where it is not about the note's state."""
    rows = await ports.database.query(notes.note_by_id(before.note_id, before.user_id))
    if not rows:
        return NotFound("note", before.note_id, "It was deleted meanwhile.")
    present = notes.to_note(rows[0])
    if present.revision != before.revision:
        return stale_revision(present, before.revision)
    rows = await ports.database.query(
        notes.note_by_content(after.content_hash, before.user_id, context=after.context or "")
    )
    if rows:
        twin = notes.to_note(rows[0])
        return Conflict(
            f"Note {twin.note_id} already has this content.", "Use that note, or delete it first."
        )
    return None


def stale_revision(present: Note, revision: int) -> Conflict:
    """The error for a change that was made to an older revision than the present one."""
    return Conflict(
        f"Note {present.note_id} is at revision {present.revision}, not {revision}.",
        "Read it again with get_note and repeat the change on what it says now.",
    )

"""Reading, listing, changing and deleting notes."""

import base64
import json
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.drafts import clean_context, clean_tags, clean_title
from dome_mcp.core.errors import BackendRejected, Conflict, InvalidInput, NotFound
from dome_mcp.core.model import Note, NoteFilter, NotePage
from dome_mcp.core.ports import Ports
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.blobs import drop_unused, text_of
from dome_mcp.services.indexing import forget_in_followers
from dome_mcp.store import chunks, notes

MAX_PAGE = 200


async def stored_note(note_id: str, ports: Ports, *, user_id: str) -> Note:
    """The note's row; its text only where the row holds it.

    Raises:
        NotFound: the user has no such note.
    """
    rows = await ports.database.query(notes.note_by_id(note_id.strip(), user_id))
    if not rows:
        raise NotFound("note", note_id, "Use list_notes or search to find the note's id.")
    return notes.to_note(rows[0])


async def get_note(note_id: str, ports: Ports, *, user_id: str) -> Note:
    """The note with its whole text.

    Raises:
        NotFound: the user has no such note.
    """
    note = await stored_note(note_id, ports, user_id=user_id)
    try:
        return replace(note, text=await text_of(note, ports.blobs))
    except NotFound:
        # The text was replaced between the two reads; the row now names where it is.
        note = await stored_note(note_id, ports, user_id=user_id)
        return replace(note, text=await text_of(note, ports.blobs))


async def list_notes(
    among: NoteFilter, ports: Ports, *, user_id: str, limit: int = 20, cursor: str | None = None
) -> NotePage:
    """A page of notes, newest first.

    Raises:
        InvalidInput: a limit outside 1 to 200, or a cursor that no listing gave.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"limit {limit} is out of range.", f"Send 1 to {MAX_PAGE}.")
    after = _decode(cursor) if cursor else None
    rows = await ports.database.query(
        notes.notes_page(user_id, among, after=after, limit=limit + 1)
    )
    found = [notes.to_note(row) for row in rows]
    page = tuple(found[:limit])
    return NotePage(page, _encode(page[-1]) if len(found) > limit else None)


async def delete_note(note_id: str, ports: Ports, *, user_id: str, now: datetime) -> Note:
    """Deletes the note, its chunks, full text, vectors, tags and blobs, and leaves a tombstone.

    Returns the note as it was. A crash leaves at most blobs that no row names.

    Raises:
        NotFound: the user has no such note.
        Conflict: the note changed meanwhile.
    """
    note = await stored_note(note_id, ports, user_id=user_id)
    rows = await ports.database.query(chunks.chunks_of_note(note.note_id, user_id))
    ids = [str(row["chunk_id"]) for row in rows]
    statements = [
        forget_in_followers(note.note_id, user_id=user_id),
        *notes.bury_note(note, now_ms=to_ms(now)),
        *chunks.unindex_chunks(ids),
        *(ports.vectors.unstage(ids) if ports.vectors else ()),
        *chunks.delete_chunks(ids),
    ]
    try:
        await ports.database.batch(statements)
    except BackendRejected as error:
        present = await stored_note(note_id, ports, user_id=user_id)
        if present.revision == note.revision:
            raise
        raise Conflict(
            f"Note {note_id} changed while it was being deleted.", "Delete it again."
        ) from error
    if ports.vectors is not None:
        await ports.vectors.settle()
    await drop_unused(note, None, ports.blobs)
    return note


def relabelled(
    note: Note, *, title: str | None, tags: tuple[str, ...] | None, context: str | None
) -> Note:
    """The note with other labels; None leaves one as it is, an empty context removes it.

    Raises:
        InvalidInput: a label is too long.
    """
    return replace(
        note,
        title=note.title if title is None else clean_title(title),
        tags=note.tags if tags is None else clean_tags(tags),
        context=note.context if context is None else clean_context(context) or None,
    )


def _encode(note: Note) -> str:
    position = json.dumps([to_ms(note.created_at), note.note_id])
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[int, str]:
    try:
        created_at_ms, note_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * 3))
        return int(created_at_ms), str(note_id)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            "The cursor is not one that list_notes gave.",
            "Send next_cursor of the last page as it was, or none for the first page.",
        ) from error

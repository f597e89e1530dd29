"""Reading, listing, changing and deleting notes."""

from dataclasses import replace
from datetime import datetime

from dome_mcp.core.cursors import from_cursor, to_cursor
from dome_mcp.core.drafts import clean_context, clean_tags, clean_title
from dome_mcp.core.errors import BackendRejected, Conflict, InvalidInput, NotFound
from dome_mcp.core.model import Note, NoteFilter, NotePage
from dome_mcp.core.ports import Ports
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.blobs import drop_unused, text_of
from dome_mcp.services.indexing import forget_in_followers, settle_staged
from dome_mcp.store import chunks, idempotency, jobs, notes

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
    after = from_cursor(cursor, tool="list_notes") if cursor else None
    rows = await ports.database.query(
        notes.notes_page(user_id, among, after=after, limit=limit + 1)
    )
    found = [notes.to_note(row) for row in rows]
    page = tuple(found[:limit])
    last = (to_ms(page[-1].created_at), page[-1].note_id) if len(found) > limit else None
    return NotePage(page, last and to_cursor(last))


async def delete_note(
    note_id: str, ports: Ports, *, user_id: str, now: datetime, revision: int | None = None
) -> Note:
    """Deletes the note, its chunks, full text, vectors, tags and blobs, and leaves a tombstone.

    What jobs and repeatable requests remember of it goes too.

    Returns the note as it was. A crash leaves at most blobs that no row names. `revision` is the
    one the caller has read; without it the note is deleted whatever it says.

    Raises:
        NotFound: the user has no such note.
        Conflict: the note is at another revision, or changed meanwhile.
    """
    note = await stored_note(note_id, ports, user_id=user_id)
    if revision is not None and revision != note.revision:
        raise Conflict(
            f"Note {note.note_id} is at revision {note.revision}, not {revision}.",
            "Read it again with get_note before you delete it.",
        )
    rows = await ports.database.query(chunks.chunks_of_note(note.note_id, user_id))
    ids = [str(row["chunk_id"]) for row in rows]
    statements = [
        forget_in_followers(note.note_id, user_id=user_id),
        *notes.bury_note(note, now_ms=to_ms(now)),
        *chunks.unindex_chunks(ids, user_id=user_id),
        *(ports.vectors.unstage(ids) if ports.vectors else ()),
        *chunks.delete_chunks(ids, user_id=user_id),
        idempotency.forget_note_in_answers(note.note_id, user_id),
        *jobs.forget_jobs_of_note(note.note_id, user_id),
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
    await settle_staged(ports)
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

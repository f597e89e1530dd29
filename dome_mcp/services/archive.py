"""Notes on their way out of one DOME and into another, with everything they need to be the same.

An archived note carries the places of its chunks but not their vectors: another home may have
another model, and indexing makes them again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from dome_mcp.core.drafts import DraftChunk, NoteDraft
from dome_mcp.core.errors import BackendRejected, InvalidInput, NotFound
from dome_mcp.core.identifiers import chunk_ids, content_hash
from dome_mcp.core.model import Chunk, Note, Original
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.services.blobs import original_of, put_body, put_original
from dome_mcp.services.notes import get_note, stored_note
from dome_mcp.store import archive, chunks, notes

_NOTE_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")

Outcome = Literal["restored", "present", "taken"]
"""`present`: the note, or one with its content, is there. `taken`: the id is another user's."""


@dataclass(frozen=True, slots=True)
class ArchivedNote:
    """A note with its whole text, its chunks and its original bytes."""

    note: Note
    chunks: tuple[Chunk, ...]
    original: Original | None = None

    @property
    def has_lost_its_original(self) -> bool:
        return self.note.blob_key is not None and self.original is None


async def archived(note_id: str, ports: Ports, *, user_id: str) -> ArchivedNote:
    """The note as it is now, all parts from one revision.

    Raises:
        NotFound: the user has no such note, or its text is lost (kind `blob`).
    """
    while True:
        note = await get_note(note_id, ports, user_id=user_id)
        rows = await ports.database.query(chunks.chunks_of_note(note_id, user_id))
        original = await _original(note, ports)
        present = await stored_note(note_id, ports, user_id=user_id)
        if present.revision == note.revision:
            stored = [chunks.to_draft(chunks.to_stored_chunk(row)).chunk for row in rows]
            return ArchivedNote(note, tuple(stored), original)


async def restore(
    archived_notes: Sequence[ArchivedNote], ports: Ports, *, user_id: str
) -> list[Outcome]:
    """Stores notes under their own ids, dates and revisions, in one transaction.

    A note that is there is left as it is. One that was deleted here comes back. Vectors are left
    pending.

    Raises:
        BackendError: nothing was stored.
    """
    standings = await _standings(archived_notes, ports, user_id=user_id)
    statements: list[Statement] = []
    for each, standing in zip(archived_notes, standings, strict=True):
        if standing is None:
            statements += await _statements(each, ports, user_id=user_id)
    try:
        await ports.database.batch(statements)
    except BackendRejected:
        # Somebody may have stored one of them between the look and the write.
        if await _standings(archived_notes, ports, user_id=user_id) == standings:
            raise
        return await restore(archived_notes, ports, user_id=user_id)
    return [standing or "restored" for standing in standings]


def to_record(archived_note: ArchivedNote) -> dict[str, object]:
    """The note as JSON, but for its original bytes: times in milliseconds, chunks by offsets."""
    note = archived_note.note
    return {
        "note_id": note.note_id,
        "title": note.title,
        "text": note.text,
        "tags": list(note.tags),
        "context": note.context,
        "source": note.source,
        "content_type": note.content_type,
        "content_hash": note.content_hash,
        "created_at_ms": to_ms(note.created_at),
        "updated_at_ms": to_ms(note.updated_at),
        "revision": note.revision,
        "chunks": [
            [part.start, part.end, part.page, part.heading] for part in archived_note.chunks
        ],
    }


def from_record(record: Mapping[str, object], original: Original | None) -> ArchivedNote:
    """The note of a record.

    Raises:
        InvalidInput: a field is missing, or is not what `to_record` wrote.
    """
    try:
        text = _text(record, "text")
        places = cast("Sequence[tuple[int, int, int | None, str | None]]", record["chunks"])
        parts = tuple(
            Chunk(ordinal, start, end, text[start:end], page=page, heading=heading)
            for ordinal, (start, end, page, heading) in enumerate(places)
        )
        note = Note(
            note_id=_note_id(record),
            user_id="",
            title=_text(record, "title"),
            context=_optional_text(record, "context"),
            tags=tuple(_checked(tag) for tag in cast("Sequence[object]", record["tags"])),
            source=_optional_text(record, "source"),
            content_type=_text(record, "content_type"),
            created_at=from_ms(_number(record, "created_at_ms")),
            updated_at=from_ms(_number(record, "updated_at_ms")),
            revision=_number(record, "revision"),
            characters=len(text),
            chunks=len(parts),
            pending=len(parts),
            content_hash=_text(record, "content_hash"),
            text=text,
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise InvalidInput(
            "A record of the export is damaged.", "Restore it from the original export."
        ) from error
    return ArchivedNote(note, parts, original)


async def _original(note: Note, ports: Ports) -> Original | None:
    if note.blob_key is None:
        return None
    try:
        return Original(await original_of(note, ports.blobs), note.blob_key)
    except NotFound:
        return None


async def _standings(
    archived_notes: Sequence[ArchivedNote], ports: Ports, *, user_id: str
) -> list[Outcome | None]:
    """Why each note cannot be stored; None where it can."""
    statements: list[Statement] = []
    for note in (each.note for each in archived_notes):
        context = note.context or ""
        statements += (
            archive.held_by_another(note.note_id, user_id),
            notes.note_by_id(note.note_id, user_id),
            notes.note_by_content(note.content_hash, user_id, context=context),
        )
    found = iter(await ports.database.batch(statements))
    standings: list[Outcome | None] = []
    for elsewhere, same_id, same_content in zip(found, found, found, strict=True):
        present: Outcome | None = "present" if same_id or same_content else None
        standings.append("taken" if elsewhere else present)
    return standings


async def _statements(
    archived_note: ArchivedNote, ports: Ports, *, user_id: str
) -> list[Statement]:
    note, original = archived_note.note, archived_note.original
    draft = _draft(archived_note)
    original_key = None
    if original is not None:
        original_key = await put_original(
            original, ports.blobs, user_id=user_id, note_id=note.note_id
        )
    body_key = await put_body(draft.text, ports.blobs, user_id=user_id, note_id=note.note_id)
    return [
        archive.forget_tombstone(note.note_id, user_id),
        *notes.insert_note(
            draft,
            user_id=user_id,
            body=None if body_key else draft.text,
            body_key=body_key,
            original_key=original_key,
            now_ms=to_ms(note.updated_at),
        ),
        archive.set_revision(note.note_id, user_id, revision=note.revision),
        *chunks.insert_chunks(note.note_id, draft.chunks, user_id=user_id),
        *chunks.index_chunks(note.title, draft.chunks, user_id=user_id),
    ]


def _draft(archived_note: ArchivedNote) -> NoteDraft:
    note, parts = archived_note.note, archived_note.chunks
    hashes = [content_hash(f"{part.heading or ''}\x00{part.text}") for part in parts]
    ids = chunk_ids(note.note_id, hashes)
    return NoteDraft(
        note_id=note.note_id,
        title=note.title,
        text=note.text or "",
        tags=note.tags,
        context=note.context or "",
        source=note.source,
        content_type=note.content_type,
        content_hash=note.content_hash,
        created_at=note.created_at,
        chunks=tuple(map(DraftChunk, ids, hashes, parts)),
        original=archived_note.original,
        origin=None,
    )


def _note_id(record: Mapping[str, object]) -> str:
    """The id, which becomes part of file names: nothing but an id may stand there."""
    note_id = _text(record, "note_id")
    if not _NOTE_ID.fullmatch(note_id):
        raise ValueError("note_id")
    return note_id


def _text(record: Mapping[str, object], name: str) -> str:
    return _checked(record[name])


def _optional_text(record: Mapping[str, object], name: str) -> str | None:
    return None if record[name] is None else _checked(record[name])


def _checked(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    value.encode()  # JSON can hold half a character, which no database takes.
    return value


def _number(record: Mapping[str, object], name: str) -> int:
    value = record[name]
    if not isinstance(value, int):
        raise TypeError(name)
    return value

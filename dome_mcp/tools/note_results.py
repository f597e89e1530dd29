"""The structured results about notes."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.core.model import Ingested, Note
from dome_mcp.core.timestamps import local_iso
from dome_mcp.tools.results import NoteSummary, NoteText, note_summary


class Stored(TypedDict):
    """What ingest gives."""

    note_id: str
    title: str
    chunks: int
    status: Literal["ready", "indexing"]
    duplicate: bool
    updated: bool
    pending_chunks: NotRequired[int]
    by_meaning: NotRequired[bool]
    """Whether notes are searched by meaning at all. These two are for the text of ingest."""


class Listed(TypedDict):
    """What list_notes gives."""

    notes: list[NoteSummary]
    next_cursor: NotRequired[str]


class Deleted(TypedDict):
    """What delete_note gives."""

    note_id: str
    title: str
    deleted: bool


def stored_result(ingested: Ingested, dome: Dome) -> Stored:
    """What became of an ingest."""
    note, has_model = ingested.note, dome.ports.embedder is not None
    pending = note.pending if has_model else 0
    return {
        "note_id": note.note_id,
        "title": note.title,
        "chunks": note.chunks,
        "status": "indexing" if pending else "ready",
        "duplicate": ingested.duplicate,
        "updated": ingested.updated,
        "pending_chunks": pending,
        "by_meaning": has_model,
    }


def note_text(note: Note, dome: Dome) -> NoteText:
    """A note with its whole text; nothing is pending where there is no model to wait for."""
    return {
        **note_summary(note, zone=dome.zone),
        "pending": note.pending if dome.ports.embedder else 0,
        "updated": local_iso(note.updated_at, dome.zone),
        "content_type": note.content_type,
        "text": note.text or "",
    }

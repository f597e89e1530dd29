"""What every shell does with a text that it was sent: parse it, store it as a note, change it.

Apart from `intake`, which reads files and the web, because it needs nothing but the ports: a Worker
has it too.
"""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import Document, Ingested, Note, NoteChanges
from dome_mcp.documents.assembly import Source
from dome_mcp.documents.markdown_text import parse_text as parse_markdown
from dome_mcp.services import ingest as ingesting
from dome_mcp.services import revising

# Bytes with these in them are not taken for text, or for text in UTF-16; in a string they are
# slips of a program.
_CONTROLS = dict.fromkeys([*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)])


async def ingest_text(dome: Dome, text: str, labels: Labels) -> Ingested:
    """Stores a text as a note.

    Raises:
        InvalidInput: no words in it.
        BackendError: nothing was stored.
    """
    draft = await dome.aside(partial(draft_of_text, dome, text, labels))
    return await store(dome, draft)


async def update_note(
    dome: Dome,
    note_id: str,
    *,
    text: str | None,
    changes: NoteChanges,
    revision: int | None = None,
) -> Note:
    """Changes a note's text or labels (see `services.revising.update_note`)."""
    if text is not None:
        document = await dome.aside(partial(parse_text, dome, text))
        changes = replace(changes, document=document)
    note = await revising.update_note(
        note_id, changes, dome.ports, user_id=dome.user_id, now=dome.now(), revision=revision
    )
    _ring(dome, note)
    return note


async def store(dome: Dome, draft: NoteDraft) -> Ingested:
    """Stores a draft and sees to it that its vectors follow."""
    ingested = await ingesting.ingest(draft, dome.ports, user_id=dome.user_id, now=dome.now())
    _ring(dome, ingested.note)
    return ingested


def draft_of_text(dome: Dome, text: str, labels: Labels) -> NoteDraft:
    """The note a text makes; for a worker thread."""
    document = parse_text(dome, text)
    return draft_note(document, labels, user_id=dome.user_id, now=dome.now())


def parse_text(dome: Dome, text: str) -> Document:
    """The document a text makes: Markdown whatever it looks like, so that headings are locations.

    Raises:
        InvalidInput: no words in it, or more than the settings allow.
    """
    text = text.translate(_CONTROLS)
    # What UTF-8 has no bytes for was never stored, and a byte order mark is none of the text.
    data = text.encode("utf-8", "replace")
    limit = dome.settings.max_document_bytes
    if len(data) > limit:
        raise InvalidInput(
            f"The text has {len(data) / 1e6:,.1f} MB; the limit is {limit / 1e6:,.1f} MB.",
            "Split it, or send the part that matters.",
        )
    if not text.strip():
        raise InvalidInput("There is no text to store.", "Send a text with at least one word.")
    # Without a file name the title is a heading, or is inferred from the text.
    document = parse_markdown(data.decode("utf-8-sig"), Source("", "text/markdown", "utf-8"))
    return dated(document, dome)


def dated(document: Document, dome: Dome, modified_at: datetime | None = None) -> Document:
    """The document with an instant as its date: without an offset it is of the user's zone."""
    date = document.created_at or modified_at
    if date is not None and date.tzinfo is None:
        date = date.replace(tzinfo=dome.zone).astimezone(UTC)
    return replace(document, created_at=date)


def _ring(dome: Dome, note: Note) -> None:
    if not note.is_indexed:
        dome.pending.ring()

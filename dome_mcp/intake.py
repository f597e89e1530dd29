"""What every shell does to take something in: read it, parse it, store it.

Parsing and chunking cost CPU and run on a worker thread; the services only write.
"""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.errors import BackendUnavailable, InvalidInput, NotFound
from dome_mcp.core.model import Document, Ingested, Note, NoteChanges, Original
from dome_mcp.documents import markdown, registry
from dome_mcp.documents.assembly import Source
from dome_mcp.services import ingest as ingesting
from dome_mcp.services import revising
from dome_mcp.sources import files, web

# Bytes with these in them are not taken for text, or for text in UTF-16; in a string they are
# slips of a program.
_CONTROLS = dict.fromkeys([*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)])


async def ingest_text(dome: Dome, text: str, labels: Labels) -> Ingested:
    """Stores a text as a note.

    Raises:
        InvalidInput: no words in it.
        BackendError: nothing was stored.
    """
    draft = await anyio.to_thread.run_sync(partial(draft_of_text, dome, text, labels))
    return await store(dome, draft)


async def ingest_path(dome: Dome, path: str, labels: Labels) -> Ingested:
    """Stores a local file as a note, its bytes beside it.

    Raises:
        Forbidden: outside the allowed folders, or hidden.
        NotFound: no such file.
        UnreadableDocument: no text can be taken from it.
        BackendError: nothing was stored.
    """
    draft = await anyio.to_thread.run_sync(partial(draft_of_path, dome, path, labels))
    return await store(dome, draft)


async def ingest_url(dome: Dome, url: str, labels: Labels) -> Ingested:
    """Stores a web page or file as a note, its bytes beside it.

    Raises:
        Forbidden: an address that the settings do not allow.
        UnreadableDocument: no text can be taken from it.
        BackendUnavailable: the site does not answer.
    """
    settings = dome.settings
    page = await web.fetch(
        url,
        allow_private=settings.allow_private_urls,
        max_bytes=settings.max_document_bytes,
        timeout_seconds=settings.url_timeout_seconds,
    )
    draft = await anyio.to_thread.run_sync(
        partial(
            _draft,
            dome,
            page.data,
            labels,
            filename=page.filename,
            content_type=page.declared_type,
            origin=page.source_uri,
            modified_at=page.modified_at,
        )
    )
    return await store(dome, draft)


async def ingest_file(
    dome: Dome, path: Path, labels: Labels, *, filename: str, declared_type: str | None
) -> Ingested:
    """Stores a file that a client sent as a note, its bytes beside it; `path` is where it waits.

    Its name is its source, where the labels name none. The file stays where it is.

    Raises:
        NotFound: it waits there no more.
        UnreadableDocument: no text can be taken from it.
        BackendError: nothing was stored.
    """
    # Reading and parsing leave nothing behind, so nobody has to wait for their end.
    draft = await anyio.to_thread.run_sync(
        partial(_draft_of_file, dome, path, labels, filename, declared_type), abandon_on_cancel=True
    )
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
        document = await anyio.to_thread.run_sync(partial(parse_text, dome, text))
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


def draft_of_path(dome: Dome, path: str, labels: Labels) -> NoteDraft:
    """The note a local file makes; for a worker thread."""
    settings = dome.settings
    source = files.read_file(
        path,
        roots=settings.allowed_roots,
        max_bytes=settings.max_document_bytes,
        excluded=(settings.home,),
    )
    return _draft(
        dome,
        source.data,
        labels,
        filename=source.filename,
        content_type=None,
        origin=source.source_uri,
        modified_at=source.modified_at,
    )


def _draft_of_file(
    dome: Dome, path: Path, labels: Labels, filename: str, declared_type: str | None
) -> NoteDraft:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("file", filename, "Send it again.") from error
    except OSError as error:
        raise BackendUnavailable(
            "files", "read", f"The file {filename!r} cannot be read: {error.strerror}."
        ) from error
    return _draft(
        dome,
        data,
        replace(labels, source=labels.source or filename),
        filename=filename,
        content_type=declared_type,
        origin=None,
        modified_at=None,
    )


def parse_text(dome: Dome, text: str) -> Document:
    """The document a text makes: Markdown whatever it looks like, so that headings are locations.

    Raises:
        InvalidInput: no words in it, or more than the settings allow.
    """
    text = text.translate(_CONTROLS)
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
    return _dated(dome, markdown.parse(data, Source("", "text/markdown", "utf-8")))


def _draft(
    dome: Dome,
    data: bytes,
    labels: Labels,
    *,
    filename: str,
    content_type: str | None,
    origin: str | None,
    modified_at: datetime | None,
) -> NoteDraft:
    document = registry.parse(
        data,
        filename=filename,
        content_type=content_type,
        max_bytes=dome.settings.max_document_bytes,
    )
    return draft_note(
        _dated(dome, document, modified_at),
        labels,
        user_id=dome.user_id,
        now=dome.now(),
        original=Original(data, filename),
        origin=origin,
    )


def _dated(dome: Dome, document: Document, modified_at: datetime | None = None) -> Document:
    """The document with an instant as its date: without an offset it is of the user's zone."""
    date = document.created_at or modified_at
    if date is not None and date.tzinfo is None:
        date = date.replace(tzinfo=dome.zone).astimezone(UTC)
    return replace(document, created_at=date)


def _ring(dome: Dome, note: Note) -> None:
    if not note.is_indexed:
        dome.pending.ring()

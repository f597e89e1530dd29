"""What every shell does to take something in: read it, parse it, store it.

Parsing and chunking cost CPU and run on a worker thread; the services only write.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels, NoteDraft, clean_context, draft_note
from dome_mcp.core.errors import BackendUnavailable, NotFound
from dome_mcp.core.identifiers import content_hash
from dome_mcp.core.model import Document, Ingested, Original
from dome_mcp.documents.foreign import FOREIGN_EXTENSIONS, PICTURE_TYPES
from dome_mcp.received import Foreign, Received, convert, parse
from dome_mcp.services import ingest as ingesting
from dome_mcp.sources import files, web
from dome_mcp.texts import store

OnConversion = Callable[[], Awaitable[None]]
"""Called before a document is sent to a converter, which takes its time."""


async def ingest_path(
    dome: Dome, path: str, labels: Labels, *, on_conversion: OnConversion | None = None
) -> Ingested:
    """Stores a local file as a note, its bytes beside it.

    Raises:
        Forbidden: outside the allowed folders, or hidden.
        NotFound: no such file.
        UnreadableDocument: no text can be taken from it.
        BackendError: nothing was stored.
    """
    received = await anyio.to_thread.run_sync(_received_from_path, dome, path)
    return await _take_in(dome, received, labels, on_conversion)


async def ingest_url(
    dome: Dome, url: str, labels: Labels, *, on_conversion: OnConversion | None = None
) -> Ingested:
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
        pictures=PICTURE_TYPES,
    )
    received = Received(
        page.data,
        page.filename,
        content_type=page.declared_type,
        origin=page.source_uri,
        modified_at=page.modified_at,
    )
    return await _take_in(dome, received, labels, on_conversion)


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
    data = await anyio.to_thread.run_sync(_data_of, path, filename)
    received = Received(data, filename, content_type=declared_type)
    return await _take_in(dome, received, replace(labels, source=labels.source or filename))


def is_for_converter(dome: Dome, filename: str) -> bool:
    """Whether a file of this name is sent to a converter, which takes its time and may fail."""
    return dome.converter is not None and Path(filename).suffix.lower() in FOREIGN_EXTENSIONS


async def draft_of_path(
    dome: Dome, path: str, labels: Labels, *, limiter: anyio.CapacityLimiter | None = None
) -> NoteDraft:
    """The note a local file makes, read and parsed on a thread that `limiter` has for it.

    Raises:
        DomeError: as for `ingest_path`.
    """
    outcome = await anyio.to_thread.run_sync(
        lambda: _draft_or_foreign(dome, _received_from_path(dome, path), labels), limiter=limiter
    )
    return await _converted(dome, outcome, labels) if isinstance(outcome, Foreign) else outcome


async def _take_in(
    dome: Dome, received: Received, labels: Labels, on_conversion: OnConversion | None = None
) -> Ingested:
    # Reading and parsing leave nothing behind, so nobody has to wait for their end.
    outcome = await anyio.to_thread.run_sync(
        _draft_or_foreign, dome, received, labels, abandon_on_cancel=True
    )
    if isinstance(outcome, NoteDraft):
        return await store(dome, outcome)
    context = clean_context(labels.context)
    known = await ingesting.note_of_content(
        content_hash(received.data), dome.ports, user_id=dome.user_id, context=context
    )
    if known is not None:
        return Ingested(known, duplicate=True)
    if on_conversion is not None:
        await on_conversion()
    return await store(dome, await _converted(dome, outcome, labels))


def _draft_or_foreign(dome: Dome, received: Received, labels: Labels) -> NoteDraft | Foreign:
    document = parse(received, dome)
    if isinstance(document, Foreign):
        return document
    return _draft(dome, document, received, labels)


async def _converted(dome: Dome, foreign: Foreign, labels: Labels) -> NoteDraft:
    document = await convert(foreign, dome)
    return await anyio.to_thread.run_sync(_draft, dome, document, foreign.received, labels)


def _received_from_path(dome: Dome, path: str) -> Received:
    settings = dome.settings
    source = files.read_file(
        path,
        roots=settings.allowed_roots,
        max_bytes=settings.max_document_bytes,
        excluded=(settings.home,),
    )
    return Received(
        source.data, source.filename, origin=source.source_uri, modified_at=source.modified_at
    )


def _data_of(path: Path, filename: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("file", filename, "Send it again.") from error
    except OSError as error:
        raise BackendUnavailable(
            "files", "read", f"The file {filename!r} cannot be read: {error.strerror}."
        ) from error


def _draft(dome: Dome, document: Document, received: Received, labels: Labels) -> NoteDraft:
    return draft_note(
        document,
        labels,
        user_id=dome.user_id,
        now=dome.now(),
        original=Original(received.data, received.filename),
        origin=received.origin,
    )

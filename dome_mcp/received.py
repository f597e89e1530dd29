"""What came in, parsed by DOME or, where it has no parser and the settings allow it, converted."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio.to_thread

from dome_mcp.app import Converter, Dome
from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents import registry
from dome_mcp.documents.converted import document_of, name_for
from dome_mcp.documents.foreign import foreign_extension, is_drawing
from dome_mcp.texts import dated


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes as they came, and what their source says of them."""

    data: bytes
    filename: str
    content_type: str | None = None
    origin: str | None = None
    """The URI they were read from."""
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """What only a converter reads; `extension` is that of the format it is in."""

    received: Received
    extension: str
    converter: Converter


def parse(received: Received, dome: Dome) -> Document | Foreign:
    """The document, where DOME can read it itself; for a worker thread.

    Raises:
        UnreadableDocument: neither DOME nor its converter can; the hint names the setting where a
            converter might.
    """
    converter = dome.converter
    try:
        document = registry.parse(
            received.data,
            filename=received.filename,
            content_type=received.content_type,
            max_bytes=dome.settings.max_document_bytes,
        )
    except UnreadableDocument as error:
        extension = foreign_extension(received.data, filename=received.filename, error=error)
        if extension is None:
            raise
        if converter is None:
            raise _naming_the_setting(error) from error
        if extension not in converter.content_types:
            raise
        return Foreign(received, extension, converter)
    if converter is not None and is_drawing(received.data, filename=received.filename):
        return Foreign(received, ".svg", converter)
    return dated(document, dome, received.modified_at)


async def convert(foreign: Foreign, dome: Dome) -> Document:
    """The document as the converter reads it.

    Raises:
        UnreadableDocument: it cannot either.
        BackendError: it was not converted; the same again may do.
    """
    received, extension = foreign.received, foreign.extension
    content_types = foreign.converter.content_types
    filename = name_for(received.filename, extension, known=frozenset(content_types))
    text = await foreign.converter.to_markdown(received.data, filename=filename)
    document = await anyio.to_thread.run_sync(
        partial(document_of, text, filename=filename, content_type=content_types[extension])
    )
    return dated(document, dome, received.modified_at)


def _naming_the_setting(error: UnreadableDocument) -> UnreadableDocument:
    hint = "Or set DOME_CONVERT=cloudflare: Cloudflare then gets such files and reads them."
    return UnreadableDocument(error.reason, error.message, f"{error.hint} {hint}".strip())

"""Bytes of any format to one text with locations.

A format's module is imported when the first document of that format comes, because the parsers
are slow to import and most sessions meet one or two of them.

A format module has one entry, `parse(data, source) -> Document`. It may raise whatever its parser
raises on damaged bytes: that becomes `corrupt` here.
"""

import importlib
import re

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Source
from dome_mcp.documents.formats import SUPPORTED_EXTENSIONS, detect
from dome_mcp.documents.refusals import damaged, textless

__all__ = ["MAX_DOCUMENT_BYTES", "SUPPORTED_EXTENSIONS", "parse"]

MAX_DOCUMENT_BYTES = 100_000_000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def parse(
    data: bytes,
    *,
    filename: str,
    content_type: str | None = None,
    max_bytes: int = MAX_DOCUMENT_BYTES,
) -> Document:
    """The text of a document, its title, date and locations. Takes CPU time, does no I/O.

    `content_type` is what was declared, if anything; it may carry a charset. The result's
    `created_at` is the date that stands in the document, None where there is none.

    Raises:
        UnreadableDocument: with one of its reasons, and a hint what to send instead.
    """
    if len(data) > max_bytes:
        raise UnreadableDocument(
            "too_large",
            f"{filename!r} has {len(data):,} bytes; the limit is {max_bytes:,}.",
            "Split it, or send the part that matters.",
        )
    if not data or data.isspace():
        raise textless(filename)
    form = detect(data, filename=filename, content_type=content_type)
    declared = _CHARSET.search(content_type or "")
    source = Source(filename, form.content_type, declared[1] if declared else None)
    reader = importlib.import_module(f"dome_mcp.documents.{form.module}")
    try:
        document: Document = reader.parse(data, source)
    except UnreadableDocument:
        raise
    except Exception as error:  # parsers raise anything at all on damaged bytes
        raise damaged(filename) from error
    if not document.text:
        raise textless(filename)
    return document

"""What Cloudflare converts to Markdown, and how it answers, whoever asks it: REST or a binding.

This runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/workers-ai/features/markdown-conversion/ (2026-09); the
option `pdf.images` from the types in npm's @cloudflare/workers-types 5.20261117.1.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from dome_mcp.core.errors import BackendProtocolError, UnreadableDocument

BACKEND = "markdown conversion"
TIMEOUT_SECONDS = 60.0
"""Of our own too."""
MAX_BYTES = 10_000_000
"""A limit of our own: none is documented."""

CONVERTIBLE: dict[str, str] = {
    ".pdf": "application/pdf",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".html": "text/html",
    ".htm": "text/html",
    ".xml": "application/xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    ".xls": "application/vnd.ms-excel",
    ".et": "application/vnd.ms-excel",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".csv": "text/csv",
    ".numbers": "application/vnd.apple.numbers",
}
"""The extensions that Cloudflare takes, each with the type it knows them by."""

CONVERSION_OPTIONS: Mapping[str, Any] = {"pdf": {"metadata": False, "images": {"convert": True}}}
"""A PDF's metadata are no part of its text, but the pictures of its pages are: DOME sends those
that have no text besides."""

_FOLDERS = re.compile(r".*[\\/]", re.DOTALL)


def to_be_sent(data: bytes, filename: str) -> tuple[str, str]:
    """The name and the type that a document is sent with; of the name only the last part.

    Raises:
        UnreadableDocument: `unsupported` or `too_large`.
    """
    name = _FOLDERS.sub("", filename)
    content_type = CONVERTIBLE.get(PurePath(name).suffix.lower())
    if content_type is None:
        raise UnreadableDocument(
            "unsupported", f"Cloudflare does not convert files such as {filename!r}."
        )
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(
            "too_large",
            f"{filename!r} has {len(data):,} bytes; at most {MAX_BYTES:,} are converted.",
            "Split it, or send the part that matters.",
        )
    return name, content_type


def converted(results: Any, filename: str) -> str:
    """The Markdown in the results for one document.

    Raises:
        UnreadableDocument: `corrupt` where Cloudflare could not convert it, or `empty`.
        BackendProtocolError: these are no results, or not of one document.
    """
    try:
        (result,) = results
        is_refused = result["format"] == "error"
        text: Any = "" if is_refused else result["data"]
        is_empty = not text.strip()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise no_document() from error
    if is_refused:
        raise UnreadableDocument(
            "corrupt",
            f"Cloudflare could not convert {filename!r}.",
            "Open it in the program it comes from, save it again and send that copy.",
        )
    if is_empty:
        raise UnreadableDocument(
            "empty", f"{filename!r} holds no text.", "Check that it is the file you meant."
        )
    return text


def no_document() -> BackendProtocolError:
    """The error for an answer that is not of one document."""
    return BackendProtocolError(BACKEND, "convert", "Cloudflare's answer is not one document.")

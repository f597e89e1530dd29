"""Documents that DOME has no parser for, turned into Markdown by Cloudflare.

The document leaves the machine, and a picture is described by models, which costs neurons: for
callers whose settings allow it.

Source: https://developers.cloudflare.com/workers-ai/features/markdown-conversion/ (2026-09).
"""

import json
import re
from pathlib import PurePath
from typing import Any

from dome_mcp.backends.cloudflare.ai_refusals import read_ai
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.errors import BackendProtocolError, UnreadableDocument

BACKEND = "markdown conversion"
TIMEOUT_SECONDS = 60.0
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

_OPTIONS = json.dumps({"pdf": {"metadata": False}})
"""Without it a PDF's metadata become part of its text."""

_FOLDERS = re.compile(r".*[\\/]", re.DOTALL)


async def to_markdown(api: CloudflareApi, data: bytes, *, filename: str) -> str:
    """The document as Markdown; of a picture, a description.

    Of `filename` only the last part is sent.

    Raises:
        UnreadableDocument: `unsupported`, `too_large`, `empty`, or `corrupt` where Cloudflare
            cannot convert it.
        BackendError: as for `CloudflareApi`; QuotaExhausted for the neurons of a picture.
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
    response = await api.exchange(
        "POST",
        "/ai/tomarkdown",
        backend=BACKEND,
        operation="convert",
        files=[
            ("files", (name, data, content_type)),
            ("conversionOptions", (None, _OPTIONS)),
        ],
        is_repeatable=True,
        timeout_seconds=TIMEOUT_SECONDS,
        reader=read_ai,
    )
    return _markdown(response.content, filename)


def _markdown(content: bytes, filename: str) -> str:
    try:
        (converted,) = json.loads(content)["result"]
        is_refused = converted["format"] == "error"
        text: Any = "" if is_refused else converted["data"]
        is_empty = not text.strip()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise BackendProtocolError(
            BACKEND, "convert", "Cloudflare's answer is not one document."
        ) from error
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

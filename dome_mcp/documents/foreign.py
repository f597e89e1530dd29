"""Formats that DOME has no parser for but a converter may, told by what the bytes begin with.

Source: https://developers.cloudflare.com/workers-ai/features/markdown-conversion/supported-formats/
(2026-04), less what the parsers here read.
"""

from pathlib import PurePath

from dome_mcp.core.errors import UnreadableDocument

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
)
_CONTAINERS = {
    **dict.fromkeys((".ods", ".odt", ".numbers", ".xlsb"), _ZIP),
    **dict.fromkeys((".xls", ".et"), _OLE),
}
"""Formats whose first bytes many share, so that the name has to say which it is."""

_SVG = ".svg"
_HEAD_BYTES = 4096

FOREIGN_EXTENSIONS = frozenset(
    {*(extension for _, extension in _STARTS), ".jpeg", ".webp", _SVG, *_CONTAINERS}
)
PICTURE_TYPES = frozenset(
    f"image/{name}" for name in ("png", "jpeg", "gif", "bmp", "webp", "svg+xml")
)
"""The content types of the pictures among them."""


def foreign_extension(data: bytes, *, filename: str, error: UnreadableDocument) -> str | None:
    """The extension of the format that the bytes are in, None where no converter would read them.

    `error` is why they could not be parsed: a PDF is foreign where its pages hold no text.
    """
    if error.reason in ("encrypted", "too_large"):
        return None
    if b"%PDF-" in data[:_HEAD_BYTES]:
        return ".pdf" if error.reason in ("scanned", "empty") else None
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ".webp"
    suffix = PurePath(filename).suffix.lower()
    if suffix in _CONTAINERS:
        return suffix if data.startswith(_CONTAINERS[suffix]) else None
    return next((extension for start, extension in _STARTS if data.startswith(start)), None)


def is_drawing(data: bytes, *, filename: str) -> bool:
    """Whether this is an SVG, which parses as text although its text says little."""
    is_named_so = PurePath(filename).suffix.lower() == _SVG
    return is_named_so and b"<svg" in data[:_HEAD_BYTES]

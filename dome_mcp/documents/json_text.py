"""JSON, indented so that every value stands on a line of its own."""

import json

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.encoding import decode

_MAX_INDENTED = 20_000_000
"""Indenting holds the whole tree in memory; a longer text stays as it came."""


def parse(data: bytes, source: Source) -> Document:
    text = decode(data, filename=source.filename, charset=source.charset)
    indented = text if len(text) > _MAX_INDENTED else _indented(text)
    return assemble([Part(indented, is_verbatim=True)], source, title_from=())


def _indented(text: str) -> str:
    """The text as it is where it is not JSON, or nested deeper than Python can follow."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text

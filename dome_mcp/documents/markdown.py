"""Markdown in a file; what it means is in `markdown_text`."""

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Source
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.markdown_text import parse_text


def parse(data: bytes, source: Source) -> Document:
    text = decode(data, filename=source.filename, charset=source.charset)
    return parse_text(text, source)

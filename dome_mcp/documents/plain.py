"""Prose in plain text."""

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.encoding import decode


def parse(data: bytes, source: Source) -> Document:
    text = decode(data, filename=source.filename, charset=source.charset)
    return assemble([Part(text)], source)

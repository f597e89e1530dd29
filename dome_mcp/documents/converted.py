"""Documents that something else has turned into Markdown.

This runs inside Workers too, so it imports the standard library and dateutil alone.
"""

from dataclasses import replace
from pathlib import PurePath

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import Source
from dome_mcp.documents.markdown_text import parse_text
from dome_mcp.documents.refusals import textless

_NAMES_ITSELF = frozenset({".odt"})
"""Formats with headings of their own. In the others they are pages and sheets, and no titles."""


def name_for(filename: str, extension: str, *, known: frozenset[str]) -> str:
    """The file's name with the extension of the format that it is in, instead of a `known` one."""
    path = PurePath(filename)
    stem = path.stem if path.suffix.lower() in known else path.name
    return f"{stem}{extension}"


def document_of(markdown: str, *, filename: str, content_type: str) -> Document:
    """The document of a conversion; `filename` is what it was sent under.

    Raises:
        UnreadableDocument: there is no text in it.
    """
    path = PurePath(filename)
    document = parse_text(markdown, Source(f"{path.stem}.md", "text/markdown", "utf-8"))
    if not document.text:
        raise textless(filename)
    # The converter may put the file's name over what it read.
    has_title = path.suffix in _NAMES_ITSELF and document.title != filename
    title = document.title if has_title else path.stem
    return replace(document, title=title, content_type=content_type)

"""PDF: text by page, with the bookmarks as headings.

PDFium reads almost everything, fast. But where one glyph stands for several right-to-left letters
(as Arabic ligatures do) it gives them back to front, so pages with such letters are read again by
pypdf, which keeps them in the order they are spoken.
"""

import io
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdf
import pypdfium2 as pdfium
from pypdf.errors import PyPdfError
from pypdfium2 import raw

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import HeadingPath, Part, Source, assemble, descend, joined
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.metadata import Metadata
from dome_mcp.documents.refusals import damaged, protected, textless

# PDFium keeps its state in globals: two threads inside it at once crash the process.
_PDFIUM = threading.Lock()
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# PDFium leaves U+FFFE where a line ended in a hyphen. Before a small letter the hyphen only broke
# the word; before anything else (`Schwarz-Weiß`, `2019-2020`) it belongs there.
_BROKEN_WORD = re.compile("[\ufffe\x02](?:\r?\n)?(?=[^\\W\\d_])")
_HYPHEN = re.compile("[\ufffe\x02](?:\r?\n)?")


@dataclass(frozen=True, slots=True)
class _Bookmark:
    page: int
    name: str
    path: HeadingPath


@dataclass(frozen=True, slots=True)
class _Content:
    pages: list[str]
    bookmarks: list[_Bookmark]
    metadata: Metadata
    has_images: bool


def parse(data: bytes, source: Source) -> Document:
    with _PDFIUM:
        content = _read(data, source.filename)
    pages = content.pages
    if not any(any(map(str.isalnum, page)) for page in pages):
        raise _scanned(source.filename) if content.has_images else textless(source.filename)
    if any(map(_RIGHT_TO_LEFT.search, pages)):
        pages = _in_spoken_order(data, pages)
    return assemble(
        _parts([_rejoined(page) for page in pages], content.bookmarks),
        source,
        title=content.metadata.title,
        created_at=content.metadata.created_at,
        # A bookmark names a chapter, the first line most often the whole.
        title_from=("line",),
    )


def _read(data: bytes, filename: str) -> _Content:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise protected(filename) from error
        raise damaged(filename) from error
    try:
        pages = [_page_text(document, number) for number in range(len(document))]
        has_text = any(page.strip() for page in pages)
        fields = document.get_metadata_dict()
        return _Content(
            pages,
            list(_bookmarks(document)),
            Metadata(fields.get("Title"), parse_date(fields.get("CreationDate"))),
            has_images=not has_text and _has_images(document),
        )
    finally:
        document.close()


def _page_text(document: pdfium.PdfDocument, number: int) -> str:
    try:
        page = document[number]
    except pdfium.PdfiumError:
        # One damaged page does not take the others with it.
        return ""
    text_page = page.get_textpage()
    text = text_page.get_text_range()
    text_page.close()
    page.close()
    return text


def _bookmarks(document: pdfium.PdfDocument) -> Iterator[_Bookmark]:
    path: HeadingPath = ()
    for bookmark in document.get_toc():
        name = bookmark.get_title().strip()
        path = descend(path, bookmark.level, name)
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        if page is not None and name:
            yield _Bookmark(page, name, path)


def _has_images(document: pdfium.PdfDocument) -> bool:
    return any(
        next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]), None) is not None
        for page in document
    )


def _scanned(filename: str) -> UnreadableDocument:
    return UnreadableDocument(
        "scanned",
        f"{filename!r} holds pictures of pages, and no text.",
        "Run text recognition (OCR) over it, for example with ocrmypdf, and send the result.",
    )


def _in_spoken_order(data: bytes, pages: Sequence[str]) -> list[str]:
    """The pages with right-to-left letters read again; as they are where that fails."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        return [
            reader.pages[number].extract_text() if _RIGHT_TO_LEFT.search(page) else page
            for number, page in enumerate(pages)
        ]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return list(pages)


def _rejoined(text: str) -> str:
    def join(match: re.Match[str]) -> str:
        return "" if text[match.end()].islower() else "-"

    return _HYPHEN.sub("-", _BROKEN_WORD.sub(join, text)).replace("\r\n", "\n")


def _parts(pages: Sequence[str], bookmarks: Sequence[_Bookmark]) -> Iterator[Part]:
    """Each page, cut where the name of a bookmark stands on a line of its own."""
    path: HeadingPath = ()
    for number, text in enumerate(pages):
        position = 0
        for bookmark in (mark for mark in bookmarks if mark.page == number):
            line = _heading_line(text, bookmark.name, position)
            if text[position:line].strip():
                yield Part(text[position:line], number + 1, joined(path))
            path, position = bookmark.path, line
        yield Part(text[position:], number + 1, joined(path))


def _heading_line(text: str, name: str, position: int) -> int:
    """Where the bookmark's line begins; `position` where the page has no such line."""
    words = r"\s+".join(map(re.escape, name.split()))
    match = re.compile(rf"^[\d.\sA-Z]{{0,12}}{words}\s*$", re.M | re.I).search(text, position)
    return match.start() if match else position

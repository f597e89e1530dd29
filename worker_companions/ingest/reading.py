"""What a job brought, as a document: text is read here, and Cloudflare converts the rest.

Text is taken for UTF-8, or what its byte order mark says; a guess would take tables that are too
large for a Worker.
"""

import codecs
from pathlib import PurePath
from typing import Protocol

from dome_mcp.backends.cloudflare.markdown_shapes import CONVERTIBLE
from dome_mcp.core.errors import InvalidInput, UnreadableDocument
from dome_mcp.core.jobs import IngestRequest
from dome_mcp.core.model import Document, Original
from dome_mcp.core.ports import BlobStore
from dome_mcp.core.uploads import ReceivedFile
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.converted import document_of, name_for
from dome_mcp.documents.foreign import foreign_extension
from dome_mcp.documents.formats import Format, detect
from dome_mcp.documents.markdown_text import parse_text
from dome_mcp.documents.refusals import textless
from worker_companions.ingest.places import require_size, waiting_key

_MARKDOWN = "markdown"
_PLAIN = "plain"
_VERBATIM = frozenset({"verbatim", "json_text"})
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ELSEWHERE = "Ingest it on a computer that runs DOME (`dome-mcp ingest`), or send its text."


class Convert(Protocol):
    """`Converter.to_markdown`."""

    async def __call__(self, data: bytes, *, filename: str) -> str: ...


async def read(
    request: IngestRequest, blobs: BlobStore, convert: Convert
) -> tuple[Document, Original | None]:
    """The document that a job is to take in, and the bytes that it came as.

    Raises:
        InvalidInput, UnreadableDocument: it is nothing that can be read here.
        NotFound: its file is gone.
        BackendError: it cannot be read or converted now.
    """
    if request.file is not None:
        require_size(request.file.size_bytes)
        data = await blobs.get(waiting_key(request.file))
        document = await _document(data, request.file, convert)
        return document, Original(data, request.file.filename)
    if request.text is None:
        raise InvalidInput("Cloudflare's ingest Worker reads no web pages.", _ELSEWHERE)
    return parse_text(request.text, Source("", "text/markdown", "utf-8")), None


async def _document(data: bytes, file: ReceivedFile, convert: Convert) -> Document:
    if not data or data.isspace():
        raise textless(file.filename)
    try:
        form = detect(data, filename=file.filename, content_type=file.content_type)
    except UnreadableDocument as error:
        extension = foreign_extension(data, filename=file.filename, error=error)
        if extension not in CONVERTIBLE:
            raise
        return await _converted(data, file.filename, extension, convert)
    if form.module in {_MARKDOWN, _PLAIN} | _VERBATIM:
        return _text(data, file.filename, form)
    extension = next((each for each in form.extensions if each in CONVERTIBLE), None)
    if extension is None:
        raise UnreadableDocument(
            "unsupported",
            f"{file.filename!r} is a {form.name}, which Cloudflare does not convert.",
            _ELSEWHERE,
        )
    return await _converted(data, file.filename, extension, convert)


async def _converted(data: bytes, filename: str, extension: str, convert: Convert) -> Document:
    sent_as = name_for(filename, extension, known=frozenset(CONVERTIBLE))
    markdown = await convert(data, filename=sent_as)
    return document_of(markdown, filename=sent_as, content_type=CONVERTIBLE[extension])


def _text(data: bytes, filename: str, form: Format) -> Document:
    source = Source(filename, form.content_type)
    text = _decoded(data, filename)
    if form.module == _MARKDOWN:
        document = parse_text(text, source)
    elif form.module == _PLAIN:
        document = assemble([Part(text)], source)
    else:
        document = assemble([Part(text, is_verbatim=True)], source, title_from=())
    if not document.text:
        raise textless(filename)
    return document


def _decoded(data: bytes, filename: str) -> str:
    name = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        raise _no_text(filename) from error
    if "\x00" in text:
        raise _no_text(filename)
    return text


def _no_text(filename: str) -> UnreadableDocument:
    return UnreadableDocument(
        "binary",
        f"{PurePath(filename).name!r} is not text in UTF-8.",
        f"Save it as UTF-8 and send that copy. {_ELSEWHERE}",
    )

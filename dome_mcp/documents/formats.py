"""Which formats there are, and which of them some bytes are in.

What the bytes begin with decides, then the file's extension, then the type that was declared: a
name may be wrong, and a server that does not know says `application/octet-stream`.
"""

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.documents.refusals import damaged, protected


@dataclass(frozen=True, slots=True)
class Format:
    """A format and the module (in this package) that reads it.

    `is_binary` formats are known by their first bytes: a file named so without them is not one.
    """

    name: str
    module: str
    content_type: str
    extensions: tuple[str, ...]
    also: tuple[str, ...] = ()
    is_binary: bool = False


_OFFICE = "application/vnd.openxmlformats-officedocument."
PDF = Format("PDF document", "pdf", "application/pdf", (".pdf",), is_binary=True)
DOCX = Format(
    *("Word document", "docx", f"{_OFFICE}wordprocessingml.document", (".docx", ".docm", ".dotx")),
    is_binary=True,
)
PPTX = Format(
    *("presentation", "pptx", f"{_OFFICE}presentationml.presentation", (".pptx", ".pptm")),
    is_binary=True,
)
XLSX = Format(
    *("workbook", "xlsx", f"{_OFFICE}spreadsheetml.sheet", (".xlsx", ".xlsm")), is_binary=True
)
EPUB = Format("e-book", "epub", "application/epub+zip", (".epub",), is_binary=True)
HTML = Format(
    *("web page", "html", "text/html", (".html", ".htm", ".xhtml")), ("application/xhtml+xml",)
)
PLAIN = Format("plain text", "plain", "text/plain", (".txt", ".text", ".rst", ".org", ".adoc"))
FORMATS = (
    *(PDF, DOCX, PPTX, XLSX, EPUB, HTML, PLAIN),
    Format(
        *("Markdown", "markdown", "text/markdown", (".md", ".markdown", ".mdx", ".mkd")),
        ("text/x-markdown",),
    ),
    Format("CSV table", "csv_table", "text/csv", (".csv",), ("application/csv",)),
    Format("TSV table", "csv_table", "text/tab-separated-values", (".tsv",)),
    Format("e-mail", "mail", "message/rfc822", (".eml",)),
    Format("JSON", "json_text", "application/json", (".json", ".geojson")),
    Format("notebook", "notebook", "application/x-ipynb+json", (".ipynb",)),
    Format(
        *("JSON lines", "verbatim", "application/jsonl", (".jsonl", ".ndjson")),
        ("application/x-ndjson",),
    ),
    Format("YAML", "verbatim", "application/yaml", (".yaml", ".yml"), ("text/yaml",)),
    Format("TOML", "verbatim", "application/toml", (".toml",)),
    Format("XML", "verbatim", "application/xml", (".xml",), ("text/xml",)),
    Format("log", "verbatim", "text/plain", (".log", ".ini", ".cfg", ".conf", ".ics", ".vcf")),
    Format(
        *("source code", "verbatim", "text/plain"),
        (
            *(".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte"),
            *(".java", ".kt", ".kts", ".scala", ".groovy", ".clj", ".c", ".h", ".cc", ".cpp"),
            *(".hpp", ".cs", ".fs", ".vb", ".go", ".rs", ".swift", ".m", ".rb", ".php", ".pl"),
            *(".lua", ".r", ".jl", ".hs", ".ml", ".ex", ".exs", ".erl", ".dart", ".zig", ".nim"),
            *(".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".sql", ".graphql", ".proto"),
            *(".css", ".scss", ".sass", ".less", ".tf", ".tex", ".bib", ".srt", ".vtt", ".diff"),
        ),
    ),
)
_BY_EXTENSION = {extension: format for format in FORMATS for extension in format.extensions}
_BY_CONTENT_TYPE = {
    name: format for format in reversed(FORMATS) for name in (format.content_type, *format.also)
}
SUPPORTED_EXTENSIONS = frozenset(_BY_EXTENSION)

_NO_PICTURES = "Send the text that is in it, or a PDF with a text layer (OCR)."
_NO_MEDIA = "Send a transcript."
_NO_ARCHIVES = "Unpack it and send the files in it."
_NOT_A_DOCUMENT = "Send a document, or the text you want to keep."
_FOREIGN = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _NO_PICTURES),
    (b"\xff\xd8\xff", "a JPEG image", _NO_PICTURES),
    (b"GIF8", "a GIF image", _NO_PICTURES),
    (b"II*\x00", "a TIFF image", _NO_PICTURES),
    (b"MM\x00*", "a TIFF image", _NO_PICTURES),
    (b"ID3", "an audio file", _NO_MEDIA),
    (b"OggS", "an audio file", _NO_MEDIA),
    (b"fLaC", "an audio file", _NO_MEDIA),
    (b"\x1aE\xdf\xa3", "a video", _NO_MEDIA),
    (b"\x1f\x8b", "a gzip archive", _NO_ARCHIVES),
    (b"BZh", "a bzip2 archive", _NO_ARCHIVES),
    (b"\xfd7zXZ\x00", "an xz archive", _NO_ARCHIVES),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _NO_ARCHIVES),
    (b"Rar!\x1a\x07", "a RAR archive", _NO_ARCHIVES),
    (b"\x7fELF", "a program", _NOT_A_DOCUMENT),
    (b"SQLite format 3\x00", "an SQLite database", _NOT_A_DOCUMENT),
    (b"{\\rtf", "an RTF document", "Save it as DOCX or PDF and send that."),
)
_RIFF = {b"WEBP": ("a WebP image", _NO_PICTURES), b"WAVE": ("an audio file", _NO_MEDIA)}
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("__properties_version1.0", "an Outlook message (.msg)", "Save it as .eml and send that."),
    ("WordDocument", "an old Word document (.doc)", "Save it as .docx and send that."),
    ("Workbook", "an old Excel workbook (.xls)", "Save it as .xlsx or .csv and send that."),
    ("PowerPoint Document", "an old presentation (.ppt)", "Save it as .pptx and send that."),
)
# Without steps back: comments can be split in so many ways that a file of them would never end.
_HTML_START = re.compile(
    rb"(?><\?xml[^>]*>|<!--.*?-->|\s+)*+<(?:!doctype\s+html|html)[\s>]", re.I | re.S
)
_HEAD_BYTES = 1024


def detect(data: bytes, *, filename: str, content_type: str | None) -> Format:
    """The format of the bytes; plain text where nothing says otherwise.

    Raises:
        UnreadableDocument: `unsupported`, `mislabelled`, `encrypted` or `corrupt`.
    """
    extension = PurePath(filename).suffix.lower()
    named = _BY_EXTENSION.get(extension)
    found = _by_signature(data, filename, named)
    if found:
        return found
    declared = _BY_CONTENT_TYPE.get((content_type or "").split(";")[0].strip().lower())
    is_html = _HTML_START.match(data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")) is not None
    if is_html and (named is None or named.is_binary or declared is HTML):
        return HTML
    if named and named.is_binary:
        raise _misnamed(data, filename, named)
    if named or (declared and not declared.is_binary):
        return named or declared or PLAIN
    return PLAIN


def _by_signature(data: bytes, filename: str, named: Format | None) -> Format | None:
    if data.startswith(b"%PDF-") or (named is PDF and b"%PDF-" in data[:_HEAD_BYTES]):
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _zip_format(data, filename, named)
    if data.startswith(_OLE):
        raise _ole_error(data, filename, named)
    for signature, what, hint in _FOREIGN:
        if data.startswith(signature):
            raise _foreign(filename, what, hint, named)
    if data.startswith(b"RIFF") and data[8:12] in _RIFF:
        raise _foreign(filename, *_RIFF[data[8:12]], named)
    if data[4:8] == b"ftyp":
        is_picture = data[8:12] in _PICTURE_BRANDS
        what, hint = ("a picture", _NO_PICTURES) if is_picture else ("a video", _NO_MEDIA)
        raise _foreign(filename, what, hint, named)
    return None


def _zip_format(data: bytes, filename: str, named: Format | None) -> Format:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            has_mimetype = "mimetype" in names and archive.getinfo("mimetype").file_size < 200
            mimetype = archive.read("mimetype") if has_mimetype else b""
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise damaged(filename) from error
    if mimetype.strip() == EPUB.content_type.encode() or "META-INF/container.xml" in names:
        return EPUB
    for folder, found in (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX)):
        if any(name.startswith(folder) and name.endswith(".xml") for name in names):
            return found
    if mimetype.startswith(b"application/vnd.oasis.opendocument"):
        hint = "Save it as DOCX, PPTX, XLSX or PDF and send that."
        raise _foreign(filename, "an OpenDocument file", hint, named)
    raise _foreign(filename, "a zip archive", _NO_ARCHIVES, named)


def _ole_error(data: bytes, filename: str, named: Format | None) -> UnreadableDocument:
    """Old Office formats, Outlook's messages and encrypted new ones are all OLE containers."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return protected(filename)
    for stream, what, hint in _OLE_STREAMS:
        if stream.encode("utf-16-le") in data:
            return _foreign(filename, what, hint, named)
    return _foreign(filename, "an old Office file", "Save it in a current format.", named)


def _foreign(filename: str, what: str, hint: str, named: Format | None) -> UnreadableDocument:
    if named is None:
        return UnreadableDocument("unsupported", f"{filename!r} is {what}; no text is read.", hint)
    return UnreadableDocument(
        "mislabelled", f"{filename!r} is named as a {named.name} but is {what}.", hint
    )


def _misnamed(data: bytes, filename: str, named: Format) -> UnreadableDocument:
    if b"\x00" in data[:_HEAD_BYTES] or not _is_text(data[:_HEAD_BYTES]):
        return damaged(filename)
    return UnreadableDocument(
        "mislabelled",
        f"{filename!r} is named as a {named.name} but holds plain text.",
        "Rename it to .txt, or send the document it should be.",
    )


def _is_text(head: bytes) -> bool:
    # The cut may have gone through a character.
    return any(_decodes(head[: len(head) - cut]) for cut in range(4))


def _decodes(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

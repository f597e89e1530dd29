"""E-books in EPUB: the chapters in reading order."""

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

import lxml.etree as etree

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.core.model import Document
from dome_mcp.documents.archive import open_archive, parse_xml, read_member
from dome_mcp.documents.assembly import Part, Source, assemble
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.encoding import decode
from dome_mcp.documents.markup import parse_tree, tree_parts
from dome_mcp.documents.metadata import Metadata
from dome_mcp.documents.refusals import damaged

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def parse(data: bytes, source: Source) -> Document:
    with open_archive(data, filename=source.filename) as archive:
        package, folder = _package(archive, source.filename)
        chapters = list(_chapters(package, folder))
        if _encrypted(archive) & set(chapters):
            raise UnreadableDocument(
                "encrypted",
                f"{source.filename!r} is locked to its shop's readers (DRM).",
                "Send an edition without DRM.",
            )
        found = _metadata(package)
        parts = list(_parts(archive, chapters))
    return assemble(parts, source, title=found.title, created_at=found.created_at)


def _package(archive: zipfile.ZipFile, filename: str) -> tuple[etree._Element, str]:
    """The package document's root, and the folder its addresses are relative to."""
    container = parse_xml(read_member(archive, _CONTAINER) or b"")
    rootfile = next(container.iter("{*}rootfile"), None) if container is not None else None
    path = rootfile.get("full-path", "") if rootfile is not None else ""
    package = parse_xml(read_member(archive, path) or b"")
    if package is None:
        raise damaged(filename)
    return package, posixpath.dirname(path)


def _chapters(package: etree._Element, folder: str) -> Iterator[str]:
    files = {item.get("id"): item.get("href", "") for item in package.iter("{*}item")}
    for reference in package.iter("{*}itemref"):
        href = files.get(reference.get("idref"))
        if href:
            yield posixpath.normpath(posixpath.join(folder, unquote(href)))


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    """The members that are encrypted one by one; obfuscated fonts are among them, and harmless."""
    root = parse_xml(read_member(archive, _ENCRYPTION) or b"")
    if root is None:
        return set()
    return {unquote(item.get("URI", "")) for item in root.iter("{*}CipherReference")}


def _metadata(package: etree._Element) -> Metadata:
    return Metadata(package.findtext(".//{*}title"), parse_date(package.findtext(".//{*}date")))


def _parts(archive: zipfile.ZipFile, chapters: list[str]) -> Iterator[Part]:
    for name in chapters:
        data = read_member(archive, name)
        root = parse_tree(decode(data, filename=name)) if data else None
        if root is not None:
            yield from tree_parts(root)

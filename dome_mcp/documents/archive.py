"""Documents that are zip archives inside: opening them with limits, and reading their XML."""

import io
import zipfile
import zlib

import lxml.etree as etree

from dome_mcp.core.errors import UnreadableDocument
from dome_mcp.documents.dates import parse_date
from dome_mcp.documents.metadata import Metadata
from dome_mcp.documents.refusals import damaged, protected

MAX_UNPACKED_BYTES = 400_000_000
MAX_MEMBERS = 20_000
_ENCRYPTED_FLAG = 0x1
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_CREATED = "{http://purl.org/dc/terms/}created"


def open_archive(data: bytes, *, filename: str) -> zipfile.ZipFile:
    """The archive, once its directory says that it is safe to unpack.

    Raises:
        UnreadableDocument: `corrupt`, `encrypted`, or `too_large` when unpacked.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise damaged(filename) from error
    members = archive.infolist()
    if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
        raise protected(filename)
    # A member cannot unpack to more than its directory entry says: zipfile stops there.
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_UNPACKED_BYTES or len(members) > MAX_MEMBERS:
        raise UnreadableDocument(
            "too_large",
            f"{filename!r} would unpack to {unpacked / 1e6:,.0f} MB in {len(members):,} parts.",
            "Split it, or send the part that matters.",
        )
    return archive


def read_member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """The bytes of a member; None where there is none of that name, or it cannot be unpacked."""
    try:
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return None


def parse_xml(data: bytes) -> etree._Element | None:
    """The root of an XML text, read without entities or network; None where it is not XML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None


def core_properties(archive: zipfile.ZipFile) -> Metadata:
    """The title and date of creation of an Office Open XML file."""
    data = read_member(archive, "docProps/core.xml")
    root = parse_xml(data) if data else None
    if root is None:
        return Metadata()
    return Metadata(root.findtext(_TITLE), parse_date(root.findtext(_CREATED)))

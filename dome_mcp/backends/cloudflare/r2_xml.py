"""The XML of R2's S3 interface: what is read from answers, and the one text that is sent.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html,
…/API_CompleteMultipartUpload.html and …/ErrorResponses.html (2026-11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import lxml.etree as etree

from dome_mcp.backends.cloudflare.r2_keys import BACKEND
from dome_mcp.core.errors import BackendProtocolError

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `next_token` asks for the next, None on the last.

    `bytes` is how large the objects of the page are together.
    """

    keys: tuple[str, ...]
    bytes: int
    next_token: str | None


def error_code(content: bytes) -> str:
    """The `Code` of an error, empty where the body is none; it may be a page of HTML."""
    root = _parse(content)
    if root is None or etree.QName(root).localname != "Error":
        return ""
    return root.findtext("{*}Code") or ""


def page(content: bytes) -> Page:
    """One page of a listing that was asked for with `encoding-type=url`.

    Raises:
        BackendProtocolError: this is none.
    """
    root = _expect(content, "ListBucketResult", "keys")
    keys = tuple(unquote(key.text or "") for key in root.iterfind("{*}Contents/{*}Key"))
    sizes = (size.text or "" for size in root.iterfind("{*}Contents/{*}Size"))
    size = sum(int(text) for text in sizes if text.isascii() and text.isdecimal())
    if root.findtext("{*}IsTruncated") != "true":
        return Page(keys, size, None)
    token = root.findtext("{*}NextContinuationToken")
    if not token:
        raise _unreadable("keys")
    return Page(keys, size, token)


def upload_id(content: bytes) -> str:
    """The id of a multipart upload that was begun.

    Raises:
        BackendProtocolError: there is none.
    """
    found = _expect(content, "InitiateMultipartUploadResult", "put").findtext("{*}UploadId")
    if not found:
        raise _unreadable("put")
    return found


def complete_upload(etags: Sequence[str]) -> bytes:
    """The body that puts parts together; the first ETag is part 1's."""
    root = etree.Element("CompleteMultipartUpload", {"xmlns": _NAMESPACE})
    for number, etag in enumerate(etags, start=1):
        part = etree.SubElement(root, "Part")
        etree.SubElement(part, "PartNumber").text = str(number)
        etree.SubElement(part, "ETag").text = etag
    return etree.tostring(root)


def _expect(content: bytes, name: str, operation: str) -> etree._Element:
    root = _parse(content)
    if root is None or etree.QName(root).localname != name:
        raise _unreadable(operation)
    return root


def _parse(content: bytes) -> etree._Element | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return None


def _unreadable(operation: str) -> BackendProtocolError:
    return BackendProtocolError(BACKEND, operation, "R2's answer cannot be read.")

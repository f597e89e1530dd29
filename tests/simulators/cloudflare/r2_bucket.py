"""What an R2 bucket holds and answers, once it is known who asks.

Source: https://developers.cloudflare.com/r2/api/s3/api/, …/r2/api/error-codes/,
…/r2/platform/limits/ and …/r2/objects/upload-objects/ (2026-11).
"""

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import httpx
import lxml.etree as etree

from tests.simulators.cloudflare.r2_signatures import Refused

MAX_KEY_BYTES = 1024
MAX_METADATA_BYTES = 8192
MAX_KEYS = 1000
MIN_PART_BYTES = 5 * 1024 * 1024
MAX_PARTS = 10_000
WRITE_SPACING = timedelta(seconds=1)
"""How far apart two writes of one key must be."""

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Stored:
    data: bytes
    etag: str
    metadata: Mapping[str, str]
    written_at: datetime


@dataclass(slots=True)
class Upload:
    key: str
    metadata: Mapping[str, str]
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)


@dataclass(slots=True)
class StoredBucket:
    """Objects by key, and the uploads that are not objects yet.

    `limits_writes` turns the limit of one write a second for a key on.
    """

    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    page_keys: int = MAX_KEYS
    limits_writes: bool = False

    def answer(
        self, request: httpx.Request, key: str, query: Mapping[str, str], now: datetime
    ) -> httpx.Response:
        """The answer to a request for a key, or without one for the bucket.

        Raises:
            Refused: with the status and code of the refusal.
        """
        if not key:
            return self._list(request.method, query)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise Refused(400, "InvalidObjectName")
        if "uploads" in query and request.method == "POST":
            return self._begin(request, key)
        if "uploadId" in query:
            return self._continue(request, key, query, now)
        if request.method == "PUT":
            return self._put(request, key, now)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return httpx.Response(204)
        if request.method in ("GET", "HEAD"):
            return self._get(key)
        raise Refused(501, "NotImplemented")

    def _put(self, request: httpx.Request, key: str, now: datetime) -> httpx.Response:
        if "Content-Length" not in request.headers:
            raise Refused(411, "MissingContentLength")
        etag = hashlib.md5(request.content, usedforsecurity=False).hexdigest()
        self._store(key, Stored(request.content, etag, _metadata(request), now))
        return httpx.Response(200, headers={"ETag": f'"{etag}"'})

    def _store(self, key: str, stored: Stored) -> None:
        before = self.objects.get(key)
        if self.limits_writes and before and stored.written_at - before.written_at < WRITE_SPACING:
            raise Refused(429, "TooManyRequests")
        self.objects[key] = stored

    def _get(self, key: str) -> httpx.Response:
        stored = self.objects.get(key)
        if stored is None:
            raise Refused(404, "NoSuchKey")
        headers = {
            "ETag": f'"{stored.etag}"',
            "Last-Modified": format_datetime(stored.written_at.astimezone(UTC), usegmt=True),
            "Content-Type": "application/octet-stream",
            **stored.metadata,
        }
        return httpx.Response(200, content=stored.data, headers=headers)

    def _list(self, method: str, query: Mapping[str, str]) -> httpx.Response:
        if method != "GET" or query.get("list-type") != "2" or "delimiter" in query:
            raise Refused(501, "NotImplemented")
        token, prefix = query.get("continuation-token"), query.get("prefix", "")
        after = _key_of_token(token) if token is not None else query.get("start-after", "")
        found = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        size = min(int(query.get("max-keys", MAX_KEYS)), MAX_KEYS, self.page_keys)
        shown, is_cut = found[:size], len(found) > size
        is_encoded = query.get("encoding-type") == "url"
        parts = [f"<Name>b</Name><KeyCount>{len(shown)}</KeyCount><MaxKeys>{size}</MaxKeys>"]
        parts += [self._listed(key, is_encoded=is_encoded) for key in shown]
        parts.append(f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>")
        if is_cut:
            next_token = html.escape(_token_of_key(shown[-1]))
            parts.append(f"<NextContinuationToken>{next_token}</NextContinuationToken>")
        return _xml("ListBucketResult", "".join(parts))

    def _listed(self, key: str, *, is_encoded: bool) -> str:
        stored = self.objects[key]
        name = quote(key, safe="") if is_encoded else html.escape(key)
        return (
            f"<Contents><Key>{name}</Key><Size>{len(stored.data)}</Size>"
            f"<LastModified>{stored.written_at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>&quot;{stored.etag}&quot;</ETag></Contents>"
        )

    def _begin(self, request: httpx.Request, key: str) -> httpx.Response:
        # An id with characters that a query must encode, as R2's have.
        number = f"upload+{len(self.uploads)}/{key}".encode()
        upload_id = base64.b64encode(hashlib.sha256(number).digest()).decode()
        self.uploads[upload_id] = Upload(key, _metadata(request))
        return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>")

    def _continue(
        self, request: httpx.Request, key: str, query: Mapping[str, str], now: datetime
    ) -> httpx.Response:
        upload = self.uploads.get(query["uploadId"])
        if upload is None or upload.key != key:
            raise Refused(404, "NoSuchUpload")
        if request.method == "PUT":
            number = int(query["partNumber"])
            if not 1 <= number <= MAX_PARTS:
                raise Refused(400, "InvalidArgument")
            etag = hashlib.md5(request.content, usedforsecurity=False).hexdigest()
            upload.parts[number] = (etag, request.content)
            return httpx.Response(200, headers={"ETag": f'"{etag}"'})
        if request.method == "POST":
            etag = self._complete(upload, request.content, now)
            del self.uploads[query["uploadId"]]
            return _xml("CompleteMultipartUploadResult", f"<ETag>&quot;{etag}&quot;</ETag>")
        del self.uploads[query["uploadId"]]
        return httpx.Response(204)

    def _complete(self, upload: Upload, body: bytes, now: datetime) -> str:
        pieces: list[bytes] = []
        last = 0
        for number, etag in _named_parts(body):
            found = upload.parts.get(number)
            if number <= last or found is None or found[0] != etag:
                raise Refused(400, "InvalidPart")
            pieces.append(found[1])
            last = number
        if not pieces or len({len(piece) for piece in pieces[:-1]}) > 1:
            raise Refused(400, "InvalidPart")
        if any(len(piece) < MIN_PART_BYTES for piece in pieces[:-1]):
            raise Refused(400, "EntityTooSmall")
        if len(pieces) > 1 and len(pieces[-1]) > len(pieces[0]):
            raise Refused(400, "InvalidPart")
        digests = b"".join(hashlib.md5(each, usedforsecurity=False).digest() for each in pieces)
        whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        etag = f"{whole}-{len(pieces)}"
        self._store(upload.key, Stored(b"".join(pieces), etag, upload.metadata, now))
        return etag


def refusal(status: int, code: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The XML of an error."""
    body = f"<Error><Code>{code}</Code><Message>What R2 says about it.</Message></Error>"
    return httpx.Response(status, content=_document(body), headers=headers)


def _xml(name: str, content: str) -> httpx.Response:
    body = _document(f'<{name} xmlns="{_NAMESPACE}">{content}</{name}>')
    return httpx.Response(200, content=body, headers={"Content-Type": "application/xml"})


def _document(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def _metadata(request: httpx.Request) -> dict[str, str]:
    found = {n: v for n, v in request.headers.items() if n.startswith("x-amz-meta-")}
    if sum(len(name) + len(value) for name, value in found.items()) > MAX_METADATA_BYTES:
        raise Refused(400, "MetadataTooLarge")
    return found


def _named_parts(body: bytes) -> list[tuple[int, str]]:
    try:
        root = etree.fromstring(body)
        parts = root.findall(f"{{{_NAMESPACE}}}Part")
        texts = [[part.findtext("{*}PartNumber"), part.findtext("{*}ETag")] for part in parts]
        return [(int(number or ""), re.sub('"', "", etag or "")) for number, etag in texts]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused(400, "MalformedXML") from error


def _token_of_key(key: str) -> str:
    return base64.b64encode(f"\xff>{key}".encode("latin-1")).decode()


def _key_of_token(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("latin-1").removeprefix("\xff>")
    except ValueError as error:
        raise Refused(400, "InvalidArgument") from error

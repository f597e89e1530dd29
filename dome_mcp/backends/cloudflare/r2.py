"""`BlobStore` on an R2 bucket, over the S3 interface.

An object is whole or not there: a body of up to 50 MB goes in one request, a larger one in parts
that become an object when they are put together. An object keeps the SHA-256 of its bytes in its
metadata, and what `get` returns has been compared with it.

R2 reads what was written, and lists it, as soon as the write has returned.
Source: https://developers.cloudflare.com/r2/reference/consistency/ (2026-11).
"""

import hashlib
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import anyio.to_thread
import httpx

from dome_mcp import __version__
from dome_mcp.backends.cloudflare.http import CONNECT_SECONDS, TIMEOUT_SECONDS
from dome_mcp.backends.cloudflare.r2_keys import is_key, require_key
from dome_mcp.backends.cloudflare.r2_refusals import refusal
from dome_mcp.backends.cloudflare.r2_requests import Bucket, BucketRequests
from dome_mcp.backends.cloudflare.r2_xml import (
    BACKEND,
    Page,
    complete_upload,
    error_code,
    page,
    upload_id,
)
from dome_mcp.backends.cloudflare.sigv4 import MAX_EXPIRES_SECONDS, presigned_url
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    NotFound,
)

LARGEST_SINGLE_PUT_BYTES = 50_000_000
PART_BYTES = 16 * 1024 * 1024
"""All parts but the last have this size: R2 wants them equal, of 5 MiB at least.

Source: https://developers.cloudflare.com/r2/objects/upload-objects/ (2026-11).
"""

_PLAIN_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_DIGEST = "x-amz-meta-sha256"
_ABORT_SECONDS = 10.0
# No compression: the bytes are to come as they are stored.
_HEADERS = {"User-Agent": f"dome-mcp/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Usage:
    """How many objects a bucket holds, and how many bytes they are together."""

    objects: int
    bytes: int


class R2Blobs:
    """The `BlobStore` port on a bucket."""

    def __init__(self, requests: BucketRequests) -> None:
        self._requests = requests

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        bucket: Bucket,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> AsyncIterator["R2Blobs"]:
        """The bucket over a pool of connections of its own, closed with the block.

        The timeout is for each piece of a body, because a body may be of any size.
        """
        timeout = httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(
            headers=_HEADERS, timeout=timeout, transport=transport
        ) as client:
            yield cls(BucketRequests(client, bucket, clock=clock, sleep=sleep, jitter=jitter))

    async def put(self, key: str, data: bytes) -> None:
        """Stores the bytes; see `BlobStore.put`."""
        require_key(key, "put")
        sha256 = await _sha256(data)
        if len(data) > LARGEST_SINGLE_PUT_BYTES:
            await self._put_parts(key, data, sha256)
            return
        stored = await self._requests.send(
            "PUT", key, operation="put", headers={_DIGEST: sha256}, content=data, sha256=sha256
        )
        _expect(stored, "put")

    async def get(self, key: str) -> bytes:
        """The bytes of a key; see `BlobStore.get`.

        Raises:
            BackendProtocolError: they are not the bytes that were stored.
        """
        require_key(key, "get")
        found = await self._requests.send("GET", key, operation="get")
        if found is None:
            raise NotFound("blob", key)
        await _require_intact(found)
        return found.content

    async def delete(self, key: str) -> None:
        """Removes a key; see `BlobStore.delete`."""
        require_key(key, "delete")
        await self._requests.send("DELETE", key, operation="delete")

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Every key that starts with `prefix`, sorted; see `BlobStore.keys`.

        What others put into the bucket under names that are no keys is passed over.
        """
        keys: list[str] = []
        async for listed in self._pages(prefix):
            keys.extend(filter(is_key, listed.keys))
        return sorted(keys)

    async def usage(self) -> Usage:
        """How much is in the bucket, one request for each 1,000 objects.

        Raises:
            BackendError: it cannot be listed.
        """
        objects = size = 0
        async for listed in self._pages(""):
            objects += len(listed.keys)
            size += listed.bytes
        return Usage(objects, size)

    async def _pages(self, prefix: str) -> AsyncIterator[Page]:
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        while True:
            answer = await self._requests.send("GET", operation="keys", query=query)
            listed = page(_expect(answer, "keys").content)
            yield listed
            if listed.next_token is None:
                return
            if listed.next_token == query.get("continuation-token"):
                raise _unexpected("keys")
            query["continuation-token"] = listed.next_token

    async def written_at(self, key: str) -> datetime | None:
        """When the bytes of a key were stored; None where there are none."""
        require_key(key, "written_at")
        found = await self._requests.send("HEAD", key, operation="written_at")
        if found is None:
            return None
        try:
            return parsedate_to_datetime(found.headers["Last-Modified"])
        except (LookupError, ValueError) as error:
            raise _unexpected("written_at") from error

    def url_to_get(self, key: str, *, expires_seconds: int) -> str:
        """A URL by which whoever holds it may read the bytes, until it expires; made offline.

        Raises:
            BackendRejected: it is not a key, or not 1 to 604,800 seconds.
        """
        return self._presigned("GET", key, "url_to_get", expires_seconds)

    def url_to_put(self, key: str, *, expires_seconds: int) -> str:
        """A URL by which whoever holds it may store bytes; see `url_to_get`.

        What comes that way has no SHA-256 beside it; `get` then compares it with its ETag.
        """
        return self._presigned("PUT", key, "url_to_put", expires_seconds)

    def _presigned(self, method: str, key: str, operation: str, expires_seconds: int) -> str:
        require_key(key, operation)
        if not 1 <= expires_seconds <= MAX_EXPIRES_SECONDS:
            raise BackendRejected(
                BACKEND, operation, "A link to R2 lasts 1 to 604,800 seconds (7 days)."
            )
        bucket = self._requests.bucket
        return presigned_url(
            method,
            bucket.at(key),
            bucket.access_key,
            now=self._requests.now(),
            expires_seconds=expires_seconds,
            region=bucket.region,
        )

    async def _put_parts(self, key: str, data: bytes, sha256: str) -> None:
        begun = await self._requests.send(
            "POST", key, operation="put", query={"uploads": ""}, headers={_DIGEST: sha256}
        )
        upload = {"uploadId": upload_id(_expect(begun, "put").content)}
        try:
            etags = [
                await self._put_part(key, data[start : start + PART_BYTES], number, upload)
                for number, start in enumerate(range(0, len(data), PART_BYTES), start=1)
            ]
            await self._complete(key, etags, upload, sha256)
        except BaseException:  # raised again, a cancelled wait too
            # R2 would keep and bill the parts for seven days.
            with anyio.move_on_after(_ABORT_SECONDS, shield=True), suppress(BackendError):
                await self._requests.send("DELETE", key, operation="put", query=upload)
            raise

    async def _put_part(self, key: str, part: bytes, number: int, upload: dict[str, str]) -> str:
        stored = await self._requests.send(
            "PUT",
            key,
            operation="put",
            query={**upload, "partNumber": str(number)},
            content=part,
            sha256=await _sha256(part),
        )
        if stored is None:
            raise _upload_gone()
        try:
            return stored.headers["ETag"]
        except LookupError as error:
            raise _unexpected("put") from error

    async def _complete(
        self, key: str, etags: Sequence[str], upload: dict[str, str], sha256: str
    ) -> None:
        body = complete_upload(etags)
        done = await self._requests.send(
            "POST", key, operation="put", query=upload, content=body, sha256=await _sha256(body)
        )
        if done is None:
            # An earlier try may have done it, and only its answer been lost.
            there = await self._requests.send("HEAD", key, operation="put")
            if there is None or there.headers.get(_DIGEST) != sha256:
                raise _upload_gone()
        elif error_code(done.content):
            # S3 starts to answer 200 before it knows how it ends.
            raise refusal(done, "put")


async def _require_intact(found: httpx.Response) -> None:
    """Compares the bytes with their SHA-256, or where they have none with an ETag that is an MD5.

    Raises:
        BackendProtocolError: they differ.
    """
    data = found.content
    stored = found.headers.get(_DIGEST)
    md5 = _PLAIN_MD5.fullmatch(found.headers.get("ETag", ""))
    if stored is not None:
        is_intact = await _sha256(data) == stored
    else:
        is_intact = md5 is None or hashlib.md5(data, usedforsecurity=False).hexdigest() == md5[1]
    if not is_intact:
        raise BackendProtocolError(
            BACKEND, "get", "The bytes that came from R2 are not those that were stored."
        )


async def _sha256(data: bytes) -> str:
    """The digest in hexadecimal, made in a thread: a large body takes a tenth of a second."""
    return (await anyio.to_thread.run_sync(hashlib.sha256, data)).hexdigest()


def _expect(answer: httpx.Response | None, operation: str) -> httpx.Response:
    if answer is None:
        raise _unexpected(operation)
    return answer


def _unexpected(operation: str) -> BackendProtocolError:
    return BackendProtocolError(BACKEND, operation, "R2 answered with something it should not.")


def _upload_gone() -> BackendUnavailable:
    return BackendUnavailable(BACKEND, "put", "R2 lost the upload half way; nothing was written.")

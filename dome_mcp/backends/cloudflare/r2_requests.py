"""Requests to one R2 bucket over its S3 interface: signed, and sent again where that may help.

Every request here may be carried out twice without harm, so whatever may pass (no connection, no
answer in time, 408, 429, 5xx) is tried three times in all. A bucket has no limit of requests as
the account's REST interface has; what is limited is writes of one key.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from dome_mcp.backends.cloudflare.http import (
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    TRIES,
)
from dome_mcp.backends.cloudflare.r2_refusals import is_missing, refusal
from dome_mcp.backends.cloudflare.r2_xml import BACKEND
from dome_mcp.backends.cloudflare.sigv4 import (
    EMPTY_SHA256,
    AccessKey,
    Location,
    signed_headers,
)
from dome_mcp.core.errors import BackendError, BackendProtocolError, BackendUnavailable


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, where it is, and who comes to it; `endpoint` is a URL that may have a path."""

    endpoint: str
    name: str
    access_key: AccessKey
    region: str = "auto"

    def at(self, key: str = "", query: Mapping[str, str] | None = None) -> Location:
        """Where a key is; without one, the bucket itself."""
        path = f"/{self.name}/{key}" if key else f"/{self.name}"
        return Location(self.endpoint, path, query or {})


class BucketRequests:
    """Sends requests to a bucket. `jitter` gives numbers from 0 to 1."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        bucket: Bucket,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self.bucket = bucket
        self.now = clock
        self._client = client
        self._sleep = sleep
        self._jitter = jitter

    async def send(
        self,
        method: str,
        key: str = "",
        *,
        operation: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        sha256: str = EMPTY_SHA256,
    ) -> httpx.Response | None:
        """The answer, read whole; None where there is no such key, or no such upload.

        `sha256` is the content's, in hexadecimal.

        Raises:
            BackendError: there is none after the last try, or R2 refuses.
        """
        location = self.bucket.at(key, query)
        for tried in range(1, TRIES + 1):
            # Signed anew for each try, because a signature ages.
            signed = signed_headers(
                method,
                location,
                self.bucket.access_key,
                now=self.now(),
                headers=headers or {},
                payload_sha256=sha256,
                region=self.bucket.region,
            )
            request = self._client.build_request(
                method, location.url, headers=signed, content=content
            )
            outcome = await self._attempt(request, operation)
            if not isinstance(outcome, BackendError):
                return outcome
            seconds = self._seconds_until_next(outcome, tried)
            if seconds is None:
                raise outcome
            await self._sleep(seconds)
        raise AssertionError("the last try returns or raises")

    async def _attempt(
        self, request: httpx.Request, operation: str
    ) -> httpx.Response | BackendError | None:
        try:
            response = await self._client.send(request)
        except httpx.HTTPError as error:
            return _unanswered(error, operation)
        if response.is_success:
            return response
        return None if is_missing(response) else refusal(response, operation)

    def _seconds_until_next(self, error: BackendError, tried: int) -> float | None:
        if tried == TRIES or not isinstance(error, BackendUnavailable):
            return None
        wanted = error.retry_after or 0.0
        if wanted > LONGEST_WAIT_SECONDS:
            return None
        # On top of what was asked for: writers of one key that were refused together must part.
        return wanted + self._jitter() * FIRST_WAIT_SECONDS * 2 ** (tried - 1)


def _unanswered(cause: httpx.HTTPError, operation: str) -> BackendError:
    if isinstance(cause, httpx.DecodingError):
        error: BackendError = BackendProtocolError(
            BACKEND, operation, "R2's answer cannot be unpacked."
        )
    elif isinstance(cause, httpx.TimeoutException):
        error = BackendUnavailable(
            BACKEND, operation, "R2 did not answer in time.", "Check the network connection."
        )
    else:
        error = BackendUnavailable(
            BACKEND, operation, "R2 cannot be reached.", "Check the network connection."
        )
    error.__cause__ = cause
    return error

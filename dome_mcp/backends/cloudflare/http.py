"""The only way to Cloudflare's REST interface: token, envelope, errors, retries, pace.

What is sent again, and when:

- three tries at most, with waits of random length ("full jitter") that double, or as long as
  `Retry-After` says; a wait of more than a minute is left to the caller, as `retry_after`;
- a request that may be carried out twice without harm (`is_repeatable`) after whatever may pass:
  no connection, no answer in time, 408, 429, 5xx;
- any other only where it was surely not carried out: no connection was made, or 429.

Neither token nor texts nor addresses appear in an error.

Source: https://developers.cloudflare.com/fundamentals/api/reference/limits/ and
https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/ (2026-11).
"""

import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict, Unpack

import anyio
import httpx

from dome_mcp import __version__
from dome_mcp.backends.cloudflare.pacing import Governor
from dome_mcp.backends.cloudflare.refusals import Reader, Refusal, Verdict, read, refused
from dome_mcp.core.errors import BackendProtocolError, BackendRejected, BackendUnavailable

BASE_URL = "https://api.cloudflare.com/client/v4"
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
TRIES = 3
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0

_MAX_CONNECTIONS = 20
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What httpx raises before a byte of the request went out."""


@dataclass(frozen=True, slots=True)
class Account:
    """A Cloudflare account, and an API token for it."""

    account_id: str
    token: str = field(repr=False)
    base_url: str = BASE_URL


class Sending(TypedDict):
    """What a request is made of, and what an error about it says.

    `backend` and `operation` are what an error names; `is_repeatable` says that it does no harm
    when it is carried out twice; `files` is a form's, as httpx takes it; `reader` reads the
    service's own refusals (refusals.py). Of `json`, `content` and `files` at most one.
    """

    backend: str
    operation: str
    is_repeatable: bool
    json: NotRequired[Any]
    content: NotRequired[bytes | str | None]
    files: NotRequired[Any]
    headers: NotRequired[Mapping[str, str] | None]
    params: NotRequired[Mapping[str, str | int] | None]
    timeout_seconds: NotRequired[float]
    reader: NotRequired[Reader | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    request: httpx.Request
    service: str
    backend: str
    operation: str
    is_repeatable: bool
    timeout_seconds: float
    reader: Reader | None


class CloudflareApi:
    """Cloudflare's REST interface for one account; every driver of it shares this object.

    A `path` is relative to `/accounts/{id}` and starts with the service: `/d1/database/…`. All
    methods raise:

        BackendUnavailable: no answer, or a busy or failing service, after the tries above.
        BackendRejected: Cloudflare will not do it; the hint says what is missing.
        QuotaExhausted: the day's allowance is used up.
        BackendProtocolError: the answer cannot be read.
    """

    def __init__(
        self,
        account: Account,
        client: httpx.AsyncClient,
        *,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        """For `open` alone, which closes the client."""
        self.calls = 0
        """How many HTTP requests were sent so far, repetitions included."""
        self._root = f"{account.base_url.rstrip('/')}/accounts/{account.account_id}"
        self._client = client
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._governor = Governor(monotonic)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        account: Account,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> AsyncIterator["CloudflareApi"]:
        """The account's interface over one pool of connections, closed with the block.

        `clock` gives aware datetimes (for dates in errors), `monotonic` seconds (for the pace),
        `jitter` numbers from 0 to 1.
        """
        headers = {
            "Authorization": f"Bearer {account.token}",
            "User-Agent": f"dome-mcp/{__version__}",
        }
        limits = httpx.Limits(max_connections=_MAX_CONNECTIONS)
        async with httpx.AsyncClient(headers=headers, limits=limits, transport=transport) as client:
            yield cls(account, client, sleep=sleep, clock=clock, monotonic=monotonic, jitter=jitter)

    async def call(self, method: str, path: str, **sending: Unpack[Sending]) -> Any:
        """The `result` of the answer's envelope; None where it has none."""
        call = self._call(method, path, sending)
        return self._result(await self._answer(call), call)

    async def exchange(self, method: str, path: str, **sending: Unpack[Sending]) -> httpx.Response:
        """The answer itself, read whole, its status 2xx: for what comes without an envelope."""
        return await self._answer(self._call(method, path, sending))

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, **sending: Unpack[Sending]
    ) -> AsyncIterator[httpx.Response]:
        """The answer, its status 2xx, its body yet to be read (`aiter_lines` for events).

        `timeout_seconds` is how long each piece may take. What breaks while the body is read is
        raised from the block as BackendUnavailable.
        """
        call = self._call(method, path, sending)
        response = await self._answer(call, is_streamed=True)
        try:
            yield response
        except httpx.HTTPError as error:
            raise _unanswered(call, error).error from error
        finally:
            await response.aclose()

    def _call(self, method: str, path: str, sending: Sending) -> _Call:
        timeout_seconds = sending.get("timeout_seconds", TIMEOUT_SECONDS)
        connect_seconds = min(CONNECT_SECONDS, timeout_seconds)
        try:
            request = self._client.build_request(
                method,
                self._root + path,
                json=sending.get("json"),
                content=sending.get("content"),
                headers=sending.get("headers"),
                params=sending.get("params"),
                files=sending.get("files"),
                timeout=httpx.Timeout(timeout_seconds, connect=connect_seconds),
            )
        except httpx.InvalidURL as error:
            raise BackendRejected(
                sending["backend"],
                sending["operation"],
                "The address of Cloudflare's interface is no URL.",
                "Check DOME_CLOUDFLARE_BASE_URL.",
            ) from error
        return _Call(
            request=request,
            service=path.lstrip("/").partition("/")[0],
            backend=sending["backend"],
            operation=sending["operation"],
            is_repeatable=sending["is_repeatable"],
            timeout_seconds=timeout_seconds,
            reader=sending.get("reader"),
        )

    async def _answer(self, call: _Call, *, is_streamed: bool = False) -> httpx.Response:
        for tried in range(1, TRIES + 1):
            await self._wait_for_turn(call)
            outcome = await self._attempt(call, is_streamed=is_streamed)
            if isinstance(outcome, httpx.Response):
                return outcome
            seconds = self._seconds_until_next(outcome, call, tried)
            if seconds is None:
                raise outcome.error
            await self._sleep(seconds)
        raise AssertionError("the last try returns or raises")

    async def _attempt(self, call: _Call, *, is_streamed: bool) -> httpx.Response | Verdict:
        """One request: its answer, or what there is instead and may pass or not."""
        self.calls += 1
        self._governor.sent()
        try:
            # httpx's timeout starts anew with every piece; the whole must end too.
            with anyio.fail_after(None if is_streamed else call.timeout_seconds):
                response = await self._client.send(call.request, stream=is_streamed)
            self._governor.heard(response.headers)
            if response.is_success:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            return _unanswered(call, error)
        finally:
            self._governor.done()
        refusal = self._refusal(response, call)
        verdict = read(refusal, call.reader)
        if refusal.status == httpx.codes.TOO_MANY_REQUESTS and verdict.is_untouched:
            self._governor.turned_away(call.service, refusal.retry_after)
        return verdict

    def _seconds_until_next(self, verdict: Verdict, call: _Call, tried: int) -> float | None:
        """How long to wait before the request is sent again; None where it must not be."""
        error = verdict.error
        if tried == TRIES or not isinstance(error, BackendUnavailable):
            return None
        if not (call.is_repeatable or verdict.is_untouched):
            return None
        wanted = error.retry_after or 0.0
        if wanted > LONGEST_WAIT_SECONDS:
            return None
        return max(wanted, self._jitter() * FIRST_WAIT_SECONDS * 2 ** (tried - 1))

    async def _wait_for_turn(self, call: _Call) -> None:
        seconds = self._governor.seconds_to_wait(call.service)
        if seconds > LONGEST_WAIT_SECONDS:
            raise BackendUnavailable(
                call.backend,
                call.operation,
                "Cloudflare asked to slow down; nothing was sent.",
                f"Try again in {math.ceil(seconds)} s: a token has 1,200 requests in 5 minutes.",
                retry_after=seconds,
            )
        if seconds:
            await self._sleep(seconds)

    def _result(self, response: httpx.Response, call: _Call) -> Any:
        try:
            envelope = response.json()
            is_done = envelope["success"] is True
        except (ValueError, LookupError, TypeError) as error:
            raise BackendProtocolError(
                call.backend, call.operation, "Cloudflare's answer cannot be read."
            ) from error
        if not is_done:
            raise read(self._refusal(response, call), call.reader).error
        return envelope.get("result")

    def _refusal(self, response: httpx.Response, call: _Call) -> Refusal:
        return refused(
            response,
            backend=call.backend,
            operation=call.operation,
            service=call.service,
            now=self._clock(),
        )


def _unanswered(call: _Call, error: Exception) -> Verdict:
    """What no answer, or half of one, stands for."""
    if isinstance(error, httpx.DecodingError):
        return Verdict(
            BackendProtocolError(
                call.backend, call.operation, "Cloudflare's answer cannot be unpacked."
            )
        )
    is_late = isinstance(error, httpx.TimeoutException | TimeoutError)
    message = "did not answer in time" if is_late else "cannot be reached"
    return Verdict(
        BackendUnavailable(
            call.backend, call.operation, f"Cloudflare {message}.", "Check the network connection."
        ),
        is_untouched=isinstance(error, _NEVER_SENT),
    )

"""R2's S3 interface in process: signatures are verified, refusals and limits are the documented.

It is the handler of an `httpx.MockTransport`, keeps its own time (`now`, which `sleep` moves) and
takes faults, before or after the work is done.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote

import anyio.lowlevel
import httpx

from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from tests.simulators.cloudflare.r2_bucket import StoredBucket, refusal
from tests.simulators.cloudflare.r2_signatures import Refused, authenticate

ENDPOINT = "https://0123456789abcdef0123456789abcdef.r2.cloudflare.test"
BUCKET = "dome-blobs"
WRITER = "f00dfeed00000000000000000000beef"
READER = "0ddba11000000000000000000000beef"
"""An access key that may read only."""
SECRETS = {
    WRITER: hashlib.sha256(b"the writer's token").hexdigest(),
    READER: hashlib.sha256(b"the reader's token").hexdigest(),
}


@dataclass(slots=True)
class _Fault:
    match: str
    answer: Callable[[], httpx.Response]
    times: int
    is_after_the_work: bool


@dataclass(slots=True)
class R2Simulator:
    """An account with one bucket, whose content is `stored`.

    `asked` are the requests that came, as `PUT /key?query`; `slept` the waits.
    """

    endpoint: str = ENDPOINT
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    stored: StoredBucket = field(default_factory=StoredBucket)
    asked: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    _faults: list[_Fault] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    @property
    def bucket(self) -> Bucket:
        """What a client needs to be let in."""
        return Bucket(self.endpoint, BUCKET, AccessKey(WRITER, SECRETS[WRITER]))

    async def sleep(self, seconds: float) -> None:
        """Lets time pass, at once."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()

    def fail_next(
        self,
        match: str,
        status: int,
        code: str = "",
        times: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        is_after_the_work: bool = False,
    ) -> None:
        """Answers the next `times` requests that have `match` in `PUT /key?query` with a failure.

        Without a code the answer is HTML, as the edge gives it. The bucket does not see the
        request, unless `is_after_the_work`: then it does its work, and the answer is lost.
        """

        def answer() -> httpx.Response:
            if code:
                return refusal(status, code, headers)
            return httpx.Response(status, html="<h1>Bad gateway</h1><br>", headers=headers)

        self._faults.append(_Fault(match, answer, times, is_after_the_work))

    def answer_next(self, match: str, response: httpx.Response) -> None:
        """Answers the next request that matches with this, whatever it is."""
        self._faults.append(_Fault(match, lambda: response, 1, is_after_the_work=False))

    def break_next(
        self, match: str, error: Exception, times: int = 1, *, is_after_the_work: bool = False
    ) -> None:
        """Raises `error` (of httpx) instead of an answer; the rest is as for `fail_next`."""

        def answer() -> httpx.Response:
            raise error

        self._faults.append(_Fault(match, answer, times, is_after_the_work))

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        name, key, query = self._target(request)
        self.requests.append(request)
        self.asked.append(f"{request.method} /{key}{'?' if query else ''}{query}")
        fault = self._next_fault(self.asked[-1])
        if fault is None:
            response = self._answer(request, name, key, query)
        else:
            if fault.is_after_the_work:
                self._answer(request, name, key, query)
            response = fault.answer()
        if request.method == "HEAD":  # It has no body, and an error to it neither.
            return httpx.Response(response.status_code, headers=response.headers)
        return response

    def _answer(self, request: httpx.Request, name: str, key: str, query: str) -> httpx.Response:
        try:
            key_id = authenticate(request, SECRETS, self.now)
            if name != BUCKET:
                raise Refused(404, "NoSuchBucket")
            if key_id == READER and request.method not in ("GET", "HEAD"):
                raise Refused(403, "AccessDenied")
            asked = dict(parse_qsl(query, keep_blank_values=True))
            return self.stored.answer(request, unquote(key), asked, self.now)
        except Refused as refused:
            return refusal(refused.status, refused.code)

    def _target(self, request: httpx.Request) -> tuple[str, str, str]:
        """Bucket, key and query, as they were sent."""
        root = f"{httpx.URL(self.endpoint).path.rstrip('/')}/"
        path, _, query = request.url.raw_path.decode().partition("?")
        if httpx.URL(self.endpoint).host != request.url.host or not path.startswith(root):
            raise httpx.ConnectError("nobody is there", request=request)
        name, _, key = path.removeprefix(root).partition("/")
        return name, key, query

    def _next_fault(self, asked: str) -> _Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.match in asked:
                fault.times -= 1
                return fault
        return None


@asynccontextmanager
async def open_r2(
    simulator: R2Simulator,
    bucket: Bucket | None = None,
    *,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> AsyncIterator[R2Blobs]:
    """The driver on the simulated bucket, by the simulator's time; its jitter shortens no wait."""
    async with R2Blobs.open(
        bucket or simulator.bucket,
        transport=simulator.transport,
        clock=lambda: simulator.now,
        sleep=sleep or simulator.sleep,
        jitter=lambda: 1.0,
    ) as opened:
        yield opened

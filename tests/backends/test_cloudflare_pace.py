"""The pace of requests to Cloudflare, and answers that come piece by piece."""

import json
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from dome_mcp.backends.cloudflare.http import LONGEST_WAIT_SECONDS, TRIES
from dome_mcp.backends.cloudflare.pacing import KEPT_BACK, Governor
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from tests.backends.test_cloudflare_http import Bench, opened
from tests.simulators.cloudflare.account import SimulatedAccount, failure

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with opened(SimulatedAccount()) as bench:
        yield bench


def told(governor: Governor, ratelimit: str) -> None:
    governor.sent()
    governor.heard(httpx.Headers({"Ratelimit": ratelimit}))
    governor.done()


async def test_nobody_waits_while_requests_are_left(bench: Bench) -> None:
    bench.account.rate_limit = f'"default";r={KEPT_BACK + 2};t=30'
    await bench.ask()
    await bench.ask()
    assert bench.hours.slept == []


async def test_whoever_comes_when_few_are_left_waits_for_the_next_window(bench: Bench) -> None:
    bench.account.rate_limit = f'"default";r={KEPT_BACK};t=30'
    await bench.ask()
    bench.account.rate_limit = None
    await bench.ask()
    assert bench.hours.slept == [30.0]
    await bench.ask()
    assert bench.hours.slept == [30.0]


async def test_a_long_wait_for_the_next_window_is_left_to_the_caller(bench: Bench) -> None:
    bench.account.rate_limit = f'"default";r=0;t={LONGEST_WAIT_SECONDS + 1:.0f}'
    await bench.ask()
    with pytest.raises(BackendUnavailable, match="nothing was sent") as caught:
        await bench.ask()
    assert caught.value.retry_after == LONGEST_WAIT_SECONDS + 1
    assert bench.api.calls == 1


async def test_an_answer_429_holds_up_the_other_requests_to_its_service(bench: Bench) -> None:
    bench.account.fail_next("POST", 429, times=TRIES, headers={"Retry-After": "20"})
    with pytest.raises(BackendUnavailable, match="HTTP 429"):
        await bench.ask()
    bench.account.register("queues", bench.service)
    await bench.api.call("GET", "/queues", backend="queues", operation="list", is_repeatable=True)
    assert bench.hours.slept == [20.0] * (TRIES - 1)
    await bench.ask()
    assert bench.hours.slept == [20.0] * TRIES


async def test_a_day_that_is_used_up_holds_up_no_other_request(bench: Bench) -> None:
    bench.account.fail_next("POST", 429, failure(3036, "used up"), headers={"Retry-After": "20"})
    with pytest.raises(QuotaExhausted):
        await bench.ask()
    await bench.ask()
    assert bench.hours.slept == []


def test_a_window_that_is_over_holds_nobody_up() -> None:
    moments = iter([0.0, 31.0])
    governor = Governor(lambda: next(moments))
    told(governor, '"default";r=0;t=30')
    assert governor.seconds_to_wait("d1") == 0.0


def test_requests_under_way_are_counted_as_sent() -> None:
    governor = Governor(lambda: 0.0)
    for _ in range(3):
        governor.sent()
    governor.heard(httpx.Headers({"Ratelimit": f'"default";r={KEPT_BACK + 2};t=30'}))
    governor.done()
    assert governor.seconds_to_wait("d1") == 30.0


def test_each_request_takes_one_from_what_is_left() -> None:
    governor = Governor(lambda: 0.0)
    told(governor, f'"default";r={KEPT_BACK + 1};t=30')
    assert governor.seconds_to_wait("d1") == 0.0
    governor.sent()
    assert governor.seconds_to_wait("d1") == 30.0


def test_of_several_limits_the_one_that_is_reached_counts() -> None:
    governor = Governor(lambda: 0.0)
    told(governor, '"burst";r=0;t=5, "default";r=900;t=200')
    assert governor.seconds_to_wait("d1") == 5.0


@pytest.mark.parametrize("ratelimit", ["", "nonsense", '"default";r=;t=', '"default";r=0'])
def test_a_header_that_says_nothing_holds_nobody_up(ratelimit: str) -> None:
    governor = Governor(lambda: 0.0)
    told(governor, ratelimit)
    assert governor.seconds_to_wait("d1") == 0.0


class Talking:
    """Answers in pieces, and breaks off where a piece is an error."""

    def __init__(self, *pieces: bytes | Exception, status: int = 200, packed: str = "") -> None:
        self.pieces = pieces
        self.status = status
        self.headers = {"Content-Encoding": packed} if packed else {}

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        async def body() -> AsyncIterator[bytes]:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece

        return httpx.Response(self.status, content=body(), headers=self.headers)


async def lines(bench: Bench) -> list[str]:
    async with bench.api.stream(
        "POST", "/d1/x", backend="d1", operation="talk", json={}, is_repeatable=False
    ) as response:
        return [line async for line in response.aiter_lines()]


async def test_a_stream_comes_in_lines(bench: Bench) -> None:
    bench.account.register("d1", Talking(b"data: a\nda", b"ta: b\n"))
    with anyio.fail_after(5):
        assert await lines(bench) == ["data: a", "data: b"]


async def test_a_stream_that_breaks_off_is_an_outage(bench: Bench) -> None:
    bench.account.register("d1", Talking(b"data: a\n", httpx.ReadError("gone")))
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        await lines(bench)


async def test_a_stream_that_is_refused_says_why(bench: Bench) -> None:
    refusal = json.dumps(failure(10000, "Authentication error")).encode()
    bench.account.register("d1", Talking(refusal, status=403))
    with pytest.raises(BackendRejected, match="D1 Edit"):
        await lines(bench)


async def test_an_answer_that_cannot_be_unpacked_is_an_error(bench: Bench) -> None:
    bench.account.register("d1", Talking(b"no gzip", packed="gzip"))
    with pytest.raises(BackendProtocolError, match="unpacked"):
        await bench.ask()


async def test_a_stream_that_could_not_begin_is_tried_again(bench: Bench) -> None:
    bench.account.register("d1", Talking(b"data: a\n"))
    bench.account.fail_next("POST", 429)
    assert await lines(bench) == ["data: a"]
    assert bench.api.calls == 2

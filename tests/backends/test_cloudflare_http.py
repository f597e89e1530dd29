"""The way to Cloudflare's REST interface: what is sent, what is sent again, what an error says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest

from dome_mcp.backends.cloudflare.http import (
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    TRIES,
    Account,
    CloudflareApi,
)
from dome_mcp.backends.cloudflare.refusals import Reader, Refusal, Verdict
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from tests.simulators.cloudflare.account import (
    TOKEN,
    SimulatedAccount,
    failure,
    succeeded,
)

pytestmark = pytest.mark.anyio

EVENING = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
PATH = "/d1/database/x/raw"


@dataclass(slots=True)
class Hours:
    """A clock that only moves when somebody sleeps."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)

    def now(self) -> datetime:
        return EVENING + timedelta(seconds=sum(self.slept))


@dataclass(slots=True)
class Echo:
    """A service that counts its calls and gives back what it was sent."""

    answered: int = 0
    response: httpx.Response | None = None

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        self.answered += 1
        if self.response is not None:
            return self.response
        body = json.loads(request.content or "null")
        return succeeded({"path": path, "query": request.url.query.decode(), "body": body})


@dataclass(frozen=True, slots=True)
class Bench:
    account: SimulatedAccount
    service: Echo
    hours: Hours
    api: CloudflareApi

    async def ask(self, *, is_repeatable: bool = True, reader: Reader | None = None) -> Any:
        return await self.api.call(
            "POST",
            PATH,
            backend="d1",
            operation="query",
            json={"sql": "SELECT 1"},
            is_repeatable=is_repeatable,
            reader=reader,
        )


@asynccontextmanager
async def opened(
    account: SimulatedAccount, *, jitter: Callable[[], float] = lambda: 1.0
) -> AsyncIterator[Bench]:
    service, hours = Echo(), Hours()
    account.register("d1", service)
    async with CloudflareApi.open(
        account.account,
        transport=account.transport,
        sleep=hours.sleep,
        clock=hours.now,
        monotonic=hours.monotonic,
        jitter=jitter,
    ) as api:
        yield Bench(account, service, hours, api)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with opened(SimulatedAccount()) as bench:
        yield bench


async def test_the_result_of_the_envelope_is_what_a_call_gives(bench: Bench) -> None:
    result = await bench.api.call(
        "POST", PATH, backend="d1", operation="q", json=[1], params={"a": 2}, is_repeatable=True
    )
    assert result == {"path": "/database/x/raw", "query": "a=2", "body": [1]}
    assert bench.api.calls == 1


async def test_an_envelope_without_a_result_gives_none(bench: Bench) -> None:
    bench.service.response = httpx.Response(200, json={"success": True})
    assert await bench.ask() is None


async def test_an_exchange_gives_the_answer_as_it_is(bench: Bench) -> None:
    bench.service.response = httpx.Response(200, content=b"\x00file", headers={"ETag": "7"})
    response = await bench.api.exchange(
        "GET", "/d1/file", backend="d1", operation="get", is_repeatable=True
    )
    assert (response.content, response.headers["ETag"]) == (b"\x00file", "7")


def test_a_token_does_not_show_in_the_account() -> None:
    assert TOKEN not in repr(Account("a", TOKEN))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 521])
async def test_a_repeatable_request_is_tried_three_times(bench: Bench, status: int) -> None:
    bench.account.fail_next("POST", status, "<html>busy</html>", times=TRIES - 1)
    assert (await bench.ask())["path"] == "/database/x/raw"
    bench.account.fail_next("POST", status, "<html>busy</html>", times=TRIES)
    with pytest.raises(BackendUnavailable, match=f"HTTP {status}"):
        await bench.ask()
    assert bench.api.calls == len(bench.account.calls) == 2 * TRIES


async def test_the_waits_between_tries_double(bench: Bench) -> None:
    bench.account.fail_next("POST", 503, times=2)
    await bench.ask()
    assert bench.hours.slept == [FIRST_WAIT_SECONDS, 2 * FIRST_WAIT_SECONDS]


async def test_a_wait_is_anything_from_nothing_to_its_longest() -> None:
    async with opened(SimulatedAccount(), jitter=iter([0.0, 0.25]).__next__) as bench:
        bench.account.fail_next("POST", 503, times=2)
        await bench.ask()
        assert bench.hours.slept == [0.0, 0.25 * 2 * FIRST_WAIT_SECONDS]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_what_must_not_be_done_twice_is_not_sent_again(bench: Bench, status: int) -> None:
    bench.account.fail_next("POST", status, is_after_the_work=True)
    with pytest.raises(BackendUnavailable):
        await bench.ask(is_repeatable=False)
    assert bench.service.answered == 1


async def test_what_must_not_be_done_twice_is_not_sent_again_when_no_answer_came(
    bench: Bench,
) -> None:
    bench.account.break_next("POST", httpx.ReadTimeout("late"), is_after_the_work=True)
    with pytest.raises(BackendUnavailable, match="in time"):
        await bench.ask(is_repeatable=False)
    assert bench.service.answered == 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")]
)
async def test_what_was_never_sent_is_tried_again_whatever_it_is(
    bench: Bench, error: Exception
) -> None:
    bench.account.break_next("POST", error, times=2)
    await bench.ask(is_repeatable=False)
    assert bench.service.answered == 1


async def test_what_was_turned_away_by_the_limit_is_tried_again_whatever_it_is(
    bench: Bench,
) -> None:
    bench.account.fail_next("POST", 429, times=2)
    await bench.ask(is_repeatable=False)
    assert bench.service.answered == 1


@pytest.mark.parametrize(
    "said",
    [
        "7",
        "Tue, 24 Nov 2026 22:30:07 GMT",
        "Tue, 24 Nov 2026 22:30:07 -0000",
        "Tue, 24 Nov 2026 23:30:07 +0100",
    ],
)
async def test_a_wait_is_as_long_as_the_service_says(bench: Bench, said: str) -> None:
    bench.account.fail_next("POST", 503, headers={"Retry-After": said})
    await bench.ask()
    assert bench.hours.slept == [7.0]


async def test_a_wait_of_more_than_a_minute_is_left_to_the_caller(bench: Bench) -> None:
    seconds = LONGEST_WAIT_SECONDS + 1
    bench.account.fail_next("POST", 503, headers={"Retry-After": f"{seconds:.0f}"})
    with pytest.raises(BackendUnavailable) as caught:
        await bench.ask()
    assert caught.value.retry_after == seconds
    assert bench.api.calls == 1


async def test_an_answer_that_never_comes_is_given_up(bench: Bench) -> None:
    class Silent:
        async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError

    bench.account.register("d1", Silent())
    with anyio.fail_after(5), pytest.raises(BackendUnavailable, match="in time"):
        await bench.api.call(
            "GET",
            "/d1/x",
            backend="d1",
            operation="q",
            is_repeatable=False,
            timeout_seconds=0.01,
        )


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (400, 1, BackendRejected, "HTTP 400, code 1"),
        (401, 10000, BackendRejected, "CLOUDFLARE_API_TOKEN: it must be active and have the "),
        (403, 10000, BackendRejected, "permission D1 Edit"),
        (403, 5035, BackendRejected, "a plan that has it"),
        (404, 7003, BackendRejected, "CLOUDFLARE_ACCOUNT_ID"),
        (404, 1, BackendRejected, "correct its name"),
        (413, 3006, BackendRejected, "Send less"),
        (422, 1, BackendRejected, "HTTP 422"),
        (302, 1, BackendRejected, "HTTP 302"),
        (429, 3036, QuotaExhausted, "00:00 UTC"),
        (429, 4006, QuotaExhausted, "00:00 UTC"),
    ],
)
async def test_what_will_be_refused_again_is_not_tried_again(
    bench: Bench, status: int, code: int, kind: type[BackendError], words: str
) -> None:
    bench.account.fail_next("POST", status, failure(code, "a horse, a horse"))
    with pytest.raises(kind) as caught:
        await bench.ask()
    assert words in str(caught.value)
    assert "horse" not in str(caught.value)
    assert (caught.value.backend, caught.value.operation) == ("d1", "query")
    assert bench.api.calls == 1


async def test_an_allowance_of_a_day_starts_anew_at_midnight_utc(bench: Bench) -> None:
    bench.account.fail_next("POST", 429, failure(3036, "used up"))
    with pytest.raises(QuotaExhausted) as caught:
        await bench.ask()
    assert caught.value.until == datetime(2026, 11, 25, tzinfo=UTC)


async def test_a_wrong_token_is_refused_and_does_not_show() -> None:
    account = SimulatedAccount()
    async with CloudflareApi.open(
        Account(account.account_id, "another-secret", account.base_url), transport=account.transport
    ) as api:
        with pytest.raises(BackendRejected) as caught:
            await api.call("GET", "/d1/x", backend="d1", operation="q", is_repeatable=True)
    assert "another-secret" not in f"{caught.value!r} {caught.value}"


async def test_a_failure_with_status_200_is_an_error(bench: Bench) -> None:
    bench.account.fail_next("POST", 200, failure(7, "no"))
    with pytest.raises(BackendRejected, match="code 7"):
        await bench.ask()


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={"result": 1}),
        httpx.Response(200, json=None),
        httpx.Response(302, html="", headers={"Location": "https://example.com"}),
    ],
    ids=["html", "list", "no success", "null", "redirect"],
)
async def test_an_answer_that_cannot_be_read_is_an_error(
    bench: Bench, response: httpx.Response
) -> None:
    bench.service.response = response
    with pytest.raises(BackendProtocolError):
        await bench.ask()


async def test_an_address_that_is_none_is_rejected() -> None:
    async with CloudflareApi.open(Account("a", TOKEN, "https://cloudflare.test:port")) as api:
        with pytest.raises(BackendRejected, match="DOME_CLOUDFLARE_BASE_URL"):
            await api.call("GET", "/d1/x", backend="d1", operation="q", is_repeatable=True)


async def test_a_driver_reads_the_refusals_of_its_service(bench: Bench) -> None:
    def reader(refusal: Refusal) -> Verdict | None:
        if refusal.code != 1:
            return None
        error = BackendUnavailable(refusal.backend, refusal.operation, "Busy.")
        return Verdict(error, is_untouched="surely not" in refusal.message)

    bench.account.fail_next("POST", 400, failure(1, "surely not done"))
    await bench.ask(is_repeatable=False, reader=reader)
    assert bench.service.answered == 1
    bench.account.fail_next("POST", 400, failure(1, "perhaps done"))
    with pytest.raises(BackendUnavailable, match="Busy"):
        await bench.ask(is_repeatable=False, reader=reader)
    bench.account.fail_next("POST", 400, failure(2, ""))
    with pytest.raises(BackendRejected, match="code 2"):
        await bench.ask(reader=reader)

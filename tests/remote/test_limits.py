"""How much a credential may ask for, and how often an address may guess."""

from pathlib import Path

import anyio
import pytest

from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.limits import MAX_STREAMS, Failures, Limits, Rate, TooMany
from tests.remote.gated import HOST, Clock, Gated, Line, gated

pytestmark = pytest.mark.anyio


def unknown_token(number: int) -> str:
    return token_text(number.to_bytes(ID_BYTES, "big"), b"s" * SECRET_BYTES)


def taken(rate: Rate, key: str, *, at_most: int = 10_000) -> int:
    """How many requests the bucket gives at once."""
    for count in range(at_most):
        try:
            rate.take(key)
        except TooMany:
            return count
    return at_most


@pytest.mark.parametrize(("per_minute", "burst"), [(600, 100), (60, 20), (1, 20), (6_000, 1_000)])
def test_a_burst_is_a_sixth_of_a_minute_and_at_least_twenty(per_minute: int, burst: int) -> None:
    assert taken(Rate(per_minute, clock=Clock()), "a") == burst


def test_the_bucket_fills_at_the_rate_and_no_further_than_the_burst() -> None:
    clock = Clock()
    rate = Rate(600, clock=clock)
    taken(rate, "a")
    clock.now += 2
    assert taken(rate, "a") == 20
    clock.now += 3_600
    assert taken(rate, "a") == 100


def test_whoever_waits_as_long_as_told_is_let_in() -> None:
    clock = Clock()
    rate = Rate(60, clock=clock)
    taken(rate, "a")
    with pytest.raises(TooMany) as refusal:
        rate.take("a")
    clock.now += refusal.value.retry_seconds
    rate.take("a")


def test_one_credential_does_not_use_up_the_rate_of_another() -> None:
    rate = Rate(60, clock=Clock())
    taken(rate, "a")
    rate.take("b")


def test_the_buckets_are_bounded_and_an_empty_one_is_not_forgotten_first() -> None:
    clock = Clock()
    rate = Rate(60, clock=clock)
    for number in range(15_000):
        rate.take(str(number))
        clock.now += 0.001
    assert len(rate._buckets) <= 10_000  # pyright: ignore[reportPrivateUsage]  the memory it takes
    taken(rate, "last")
    for number in range(4_000):
        rate.take(f"more {number}")
    assert taken(rate, "last") == 0


def test_places_are_given_back_even_after_an_error() -> None:
    limits = Limits(per_minute=600, max_concurrent=1, clock=Clock())
    for _ in range(3):
        with pytest.raises(LookupError), limits.admit("a"):
            raise LookupError
    with limits.admit("a"), pytest.raises(TooMany):
        limits.admit("a")


def test_streams_are_counted_apart_from_requests() -> None:
    limits = Limits(per_minute=60_000, max_concurrent=1, clock=Clock())
    slots = [limits.admit("a")]
    for _ in range(MAX_STREAMS):
        assert slots[-1].become_stream()
        slots.append(limits.admit("a"))
    assert not slots[-1].become_stream()
    with pytest.raises(TooMany):
        limits.admit("a")
    for slot in slots:
        slot.__exit__()
    with limits.admit("a") as slot:
        assert slot.become_stream()
    assert not limits._loads  # pyright: ignore[reportPrivateUsage]  the memory it takes


def test_failures_are_counted_for_a_minute_and_the_table_is_bounded() -> None:
    clock = Clock()
    failures = Failures(allowed=3, max_addresses=5, clock=clock)
    assert [failures.note("a") for _ in range(4)] == [0, 0, 0, 60]
    clock.now += 45
    assert failures.note("a") == 15
    clock.now += 15
    assert failures.note("a") == 0
    for number in range(100):
        failures.note(str(number))
    assert len(failures._counts) == 5  # pyright: ignore[reportPrivateUsage]  the memory it takes


async def test_a_credential_that_asks_too_often_is_told_when_to_come_back(
    tmp_path: Path,
) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), rate_per_minute=60)
    async with gated(tmp_path, http=http) as gate:
        text, _ = await gate.token()
        other, _ = await gate.token()
        async with gate.client(text) as client:
            for _ in range(20):
                assert (await client.get("/api/me")).status_code == 200
            response = await client.get("/api/me")
        async with gate.client(other) as client:
            assert (await client.get("/api/me")).status_code == 200
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["type"].endswith("#too-many-requests")


async def test_a_credential_has_so_many_requests_at_a_time(tmp_path: Path) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), max_concurrent=2)
    async with gated(tmp_path, http=http) as gate:
        text, _ = await gate.token()
        other, _ = await gate.token(user="ben")
        lines = [Line(gate.gate, "/mcp", text, method="POST", body_ends=False) for _ in range(2)]
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for line in lines:
                    tasks.start_soon(line.run)
                await anyio.wait_all_tasks_blocked()
                async with gate.client(text) as client:
                    assert (await client.get("/api/me")).status_code == 429
                async with gate.client(other) as client:
                    assert (await client.get("/api/me")).status_code == 200
                for line in lines:
                    line.say(b"", more=False)
            async with gate.client(text) as client:
                assert (await client.get("/api/me")).status_code == 200


async def failing(gate: Gated, count: int, *, peer: str) -> list[int]:
    async with gate.client(peer=peer) as client:
        return [
            (
                await client.get(
                    "/api/me", headers={"Authorization": f"Bearer {unknown_token(number)}"}
                )
            ).status_code
            for number in range(count)
        ]


async def test_after_ten_failures_an_address_is_slowed_down_but_not_its_valid_tokens(
    tmp_path: Path,
) -> None:
    async with gated(tmp_path) as gate:
        text, _ = await gate.token()
        assert await failing(gate, 12, peer="192.0.2.9") == [401] * 10 + [429] * 2
        async with gate.client(text, peer="192.0.2.9") as client:
            assert (await client.get("/api/me")).status_code == 200
        assert await failing(gate, 1, peer="192.0.2.10") == [401]


async def test_the_addresses_of_one_household_are_counted_together(tmp_path: Path) -> None:
    async with gated(tmp_path) as gate:
        statuses = [
            (await failing(gate, 1, peer=f"2001:db8::{number:x}"))[0] for number in range(11)
        ]
    assert statuses == [401] * 10 + [429]


async def test_a_request_without_a_token_is_no_failure(tmp_path: Path) -> None:
    async with gated(tmp_path) as gate, gate.client() as client:
        for _ in range(15):
            assert (await client.get("/api/me")).status_code == 401

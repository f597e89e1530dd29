"""A Cloudflare queue: what goes into a request, leases, what comes in base64, and failures."""

import json
from collections.abc import AsyncIterator

import anyio.lowlevel
import httpx
import pytest
from cloudflare.types.queues import MessageAckResponse, MessagePullResponse

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queue_batches import (
    MAX_BATCH_BYTES,
    MAX_MESSAGE_BYTES,
    METADATA_BYTES,
)
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.core.errors import BackendProtocolError, BackendRejected, BackendUnavailable
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.queues import QueuesSimulator, SimulatedQueue

pytestmark = pytest.mark.anyio

LEASE_SECONDS = 60.0
BODY = '{"key": "r1:0:hook", "attempt": 1}'


@pytest.fixture
def simulated() -> SimulatedQueue:
    return SimulatedQueue()


@pytest.fixture
def account(simulated: SimulatedQueue) -> SimulatedAccount:
    account = SimulatedAccount()
    account.register("queues", QueuesSimulator(q1=simulated, served=SimulatedQueue("worker")))
    return account


@pytest.fixture
async def api(account: SimulatedAccount) -> AsyncIterator[CloudflareApi]:
    async def at_once(seconds: float) -> None:
        del seconds
        await anyio.lowlevel.checkpoint()

    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once
    ) as opened:
        yield opened


@pytest.fixture
def queue(api: CloudflareApi) -> CloudflareQueue:
    return CloudflareQueue(api, "q1")


async def pull(queue: CloudflareQueue, limit: int = 10) -> list[str]:
    return [each.body for each in await queue.pull(limit=limit, lease_seconds=LEASE_SECONDS)]


# Sending


async def test_a_hundred_messages_are_one_request_and_one_more_is_two(
    queue: CloudflareQueue, account: SimulatedAccount, simulated: SimulatedQueue
) -> None:
    await queue.send([f"[{number}]" for number in range(100)])
    assert account.asked == ["POST /queues/q1/messages/batch"]
    await queue.send([f"[{number}]" for number in range(101)])
    assert len(account.calls) == 3
    assert len(simulated.messages) == 201


async def test_a_request_holds_no_more_bytes_than_the_service_takes(
    queue: CloudflareQueue, account: SimulatedAccount, simulated: SimulatedQueue
) -> None:
    half = "é" * ((MAX_BATCH_BYTES // 2 - METADATA_BYTES) // 2)
    await queue.send([half, half])
    assert len(account.calls) == 1
    await queue.send([half, half, "x"])
    assert len(account.calls) == 3
    assert simulated.bodies == [half, half, half, half, "x"]


async def test_a_message_that_is_too_long_is_refused_before_any_is_sent(
    queue: CloudflareQueue, account: SimulatedAccount
) -> None:
    longest = "x" * (MAX_MESSAGE_BYTES - METADATA_BYTES)
    await queue.send([longest])
    account.calls.clear()
    with pytest.raises(BackendRejected, match="128 kB"):
        await queue.send([*["[]"] * 200, f"{longest}x"])
    assert account.calls == []


@pytest.mark.parametrize("status", [500, 504])
async def test_messages_whose_answer_was_lost_are_sent_again_and_come_twice(
    status: int, queue: CloudflareQueue, account: SimulatedAccount, simulated: SimulatedQueue
) -> None:
    account.fail_next("/messages/batch", status, is_after_the_work=True)
    await queue.send([BODY])
    assert simulated.bodies == [BODY, BODY]


async def test_a_queue_that_stays_down_is_unavailable(
    queue: CloudflareQueue, account: SimulatedAccount
) -> None:
    account.fail_next("/messages/batch", 503, times=99)
    with pytest.raises(BackendUnavailable):
        await queue.send([BODY])
    account.break_next("/messages/batch", httpx.ReadTimeout("late"), times=99)
    with pytest.raises(BackendUnavailable):
        await queue.send([BODY])


async def test_a_queue_that_is_not_there_is_named_by_its_setting(api: CloudflareApi) -> None:
    with pytest.raises(BackendRejected, match="DOME_QUEUE_ID"):
        await CloudflareQueue(api, "dome-jobs").send([BODY])


# Leases


async def test_a_message_under_a_lease_is_given_to_nobody_else_until_the_lease_is_over(
    queue: CloudflareQueue, simulated: SimulatedQueue
) -> None:
    await queue.send([BODY])
    (first,) = await queue.pull(limit=10, lease_seconds=LEASE_SECONDS)
    simulated.now_ms = int(LEASE_SECONDS * 1000) - 1
    assert await pull(queue) == []
    simulated.now_ms += 1
    (second,) = await queue.pull(limit=10, lease_seconds=LEASE_SECONDS)
    assert (first.attempts, second.attempts) == (1, 2)
    assert first.lease_id != second.lease_id


async def test_a_settled_message_is_gone_even_when_its_lease_is_over(
    queue: CloudflareQueue, simulated: SimulatedQueue
) -> None:
    await queue.send([BODY, BODY])
    leased = await queue.pull(limit=10, lease_seconds=LEASE_SECONDS)
    await queue.settle([leased[0].lease_id])
    simulated.now_ms = int(LEASE_SECONDS * 2000)
    await queue.settle([leased[1].lease_id, "never-seen"])
    assert simulated.messages == []


async def test_a_message_to_come_again_comes_after_its_delay(
    queue: CloudflareQueue, simulated: SimulatedQueue
) -> None:
    await queue.send([BODY])
    (leased,) = await queue.pull(limit=10, lease_seconds=LEASE_SECONDS)
    await queue.settle([], again=[leased.lease_id], delay_seconds=5)
    assert await pull(queue) == []
    simulated.now_ms = 5000
    assert await pull(queue) == [BODY]


async def test_a_message_that_nobody_settles_is_put_aside_after_its_retries(
    queue: CloudflareQueue, simulated: SimulatedQueue
) -> None:
    simulated.dead_letters = SimulatedQueue()
    await queue.send([BODY])
    for attempt in range(simulated.max_retries + 2):
        simulated.now_ms = int(LEASE_SECONDS * 1000) * attempt
        await pull(queue)
    assert simulated.messages == []
    assert simulated.dead_letters.bodies == [BODY]


async def test_a_pull_takes_no_more_than_was_asked_for_and_at_most_a_hundred(
    queue: CloudflareQueue,
) -> None:
    await queue.send([f"[{number}]" for number in range(150)])
    assert len(await pull(queue, limit=2)) == 2
    assert len(await pull(queue, limit=1000)) == 100


async def test_more_leases_than_fit_into_a_request_are_all_settled(
    queue: CloudflareQueue, account: SimulatedAccount, simulated: SimulatedQueue
) -> None:
    await queue.send([f"[{number}]" for number in range(150)])
    leases = [
        each.lease_id
        for _ in range(2)
        for each in await queue.pull(limit=100, lease_seconds=LEASE_SECONDS)
    ]
    account.calls.clear()
    await queue.settle(leases[:120], again=leases[120:])
    assert len(account.calls) == 2
    assert len(simulated.messages) == 30
    assert len(await pull(queue, limit=100)) == 30


async def test_a_pull_without_an_answer_is_left_to_the_next_and_a_settlement_is_not(
    queue: CloudflareQueue, account: SimulatedAccount, simulated: SimulatedQueue
) -> None:
    await queue.send([BODY])
    (leased,) = await queue.pull(limit=10, lease_seconds=LEASE_SECONDS)
    account.fail_next("/messages/ack", 502)
    await queue.settle([leased.lease_id])
    assert simulated.messages == []
    account.calls.clear()
    account.fail_next("/messages/pull", 502)
    with pytest.raises(BackendUnavailable):
        await pull(queue)
    assert len(account.calls) == 1


async def test_a_queue_that_a_worker_serves_is_not_pulled_from(api: CloudflareApi) -> None:
    with pytest.raises(BackendRejected, match="queues consumer http add"):
        await pull(CloudflareQueue(api, "served"))


# What others published


@pytest.mark.parametrize(
    ("content_type", "published", "expected"),
    [
        ("text", BODY, BODY),
        ("text", "aGVsbG8=", "aGVsbG8="),
        ("json", {"key": "ü"}, json.dumps({"key": "ü"})),
        ("json", "a string", '"a string"'),
    ],
)
async def test_a_body_is_read_by_its_content_type(
    content_type: str,
    published: object,
    expected: str,
    queue: CloudflareQueue,
    simulated: SimulatedQueue,
) -> None:
    simulated.publish([{"body": published, "content_type": content_type}])
    assert await pull(queue) == [expected]


async def test_bytes_that_are_no_text_do_not_stop_the_others(
    queue: CloudflareQueue, account: SimulatedAccount
) -> None:
    messages = [
        {"body": "/////w==", "lease_id": "1", "metadata": {"CF-Content-Type": "bytes"}},
        {"body": BODY, "lease_id": "2", "metadata": {"CF-Content-Type": "json"}},
        {"body": BODY, "lease_id": "3"},
    ]
    account.fail_next("/messages/pull", 200, {"success": True, "result": {"messages": messages}})
    first, *others = await pull(queue)
    assert set(first) == {"�"}
    # One is not in base64 though its type says so, as in the documentation's own sample.
    assert others == [BODY, BODY]


@pytest.mark.parametrize(
    "result", [None, {}, [], {"messages": [{"body": BODY}]}, {"messages": [{"lease_id": "1"}]}]
)
async def test_an_answer_without_messages_to_read_is_an_error_and_not_an_empty_queue(
    result: object, queue: CloudflareQueue, account: SimulatedAccount
) -> None:
    account.fail_next("/messages/pull", 200, {"success": True, "result": result})
    with pytest.raises(BackendProtocolError):
        await pull(queue)


async def test_the_simulators_answers_are_those_of_the_official_schema(
    queue: CloudflareQueue, account: SimulatedAccount
) -> None:
    await queue.send([BODY])
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(transport=account.transport) as client:
        root = f"{account.base_url}/accounts/{account.account_id}/queues/q1/messages"
        headers = {"Authorization": f"Bearer {account.token}"}
        for path, body in (("/pull", {}), ("/ack", {"acks": [{"lease_id": "unknown"}]})):
            answers.append(await client.post(root + path, json=body, headers=headers))
    pulled = MessagePullResponse.model_validate(answers[0].json()["result"])
    acked = MessageAckResponse.model_validate(answers[1].json()["result"])
    assert pulled.messages is not None
    assert pulled.messages[0].body == BODY
    for answer in (pulled, acked, pulled.messages[0]):
        assert not answer.model_extra
    assert acked.warnings == {"unknown": "The lease is not known."}

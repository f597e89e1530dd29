"""The event queue over a real queue: what is sent arrives, and comes again where it has to."""

from collections.abc import Sequence

import anyio
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queues import CloudflareQueue, Leased
from dome_mcp.core.errors import BackendRejected
from tests.workers.local_cloudflare.running import QUEUES

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20


@pytest.fixture
def queue(api: CloudflareApi) -> CloudflareQueue:
    return CloudflareQueue(api, QUEUES[1])


async def arrived(queue: CloudflareQueue, count: int) -> Sequence[Leased]:
    """So many messages, leased, after waiting for them."""
    leased: list[Leased] = []
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(leased) < count:
            leased += await queue.pull(limit=count - len(leased), lease_seconds=60)
    return leased


async def test_every_body_that_was_sent_arrives_once(queue: CloudflareQueue) -> None:
    bodies = [f'{{"delivery": "naïve {number}"}}' for number in range(150)]
    await queue.send(bodies)
    messages = await arrived(queue, 150)
    await queue.settle([message.lease_id for message in messages])
    assert sorted(message.body for message in messages) == sorted(bodies)
    assert list(await queue.pull(limit=10, lease_seconds=60)) == []


async def test_a_message_that_is_not_done_comes_again(queue: CloudflareQueue) -> None:
    await queue.send(['{"n": 1}'])
    (first,) = await arrived(queue, 1)
    await queue.settle([], again=[first.lease_id])
    (second,) = await arrived(queue, 1)
    assert (second.body, first.attempts, second.attempts) == ('{"n": 1}', 1, 2)
    await queue.settle([second.lease_id])


async def test_a_queue_that_is_not_there_is_rejected(api: CloudflareApi) -> None:
    with pytest.raises(BackendRejected):
        await CloudflareQueue(api, "nowhere").send(["{}"])

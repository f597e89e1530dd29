"""The queue suite over every driver."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.backends.embedded.queue import MemoryQueue
from tests.conformance.queue_suite import *  # noqa: F403 - pytest collects the suite here
from tests.conformance.queue_suite import Bench
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.queues import QueuesSimulator, SimulatedQueue

PLACES = 1000


@dataclass
class MemoryBench:
    queue: MemoryQueue

    async def taken(self) -> Sequence[str]:
        messages = self.queue.messages()
        return [await anext(messages) for _ in range(PLACES - self.queue.free)]


@dataclass
class CloudflareBench:
    """The driver at both ends: what it sent, it pulls and acknowledges."""

    queue: CloudflareQueue

    async def taken(self) -> Sequence[str]:
        bodies: list[str] = []
        while leased := await self.queue.pull(limit=100, lease_seconds=30):
            bodies += [each.body for each in leased]
            await self.queue.settle([each.lease_id for each in leased])
        return bodies


@pytest.fixture(params=["memory", "cloudflare"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        with MemoryQueue.open(PLACES) as queue:
            yield MemoryBench(queue)
        return
    account = SimulatedAccount()
    account.register("queues", QueuesSimulator(q1=SimulatedQueue()))
    async with CloudflareApi.open(account.account, transport=account.transport) as api:
        yield CloudflareBench(CloudflareQueue(api, "q1"))

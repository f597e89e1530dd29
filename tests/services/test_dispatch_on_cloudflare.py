"""Reminders fired over D1 and sent over a Cloudflare queue, both seen through their failures."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.core.errors import BackendError
from dome_mcp.core.timestamps import to_ms
from dome_mcp.services.dispatch import Ticked, attempt_delivery, tick
from dome_mcp.store.schema import migrate
from tests.services.clouds import CUTS, Wire, at_once
from tests.services.crashing import Crash
from tests.services.dispatching import NOW, POLICY, Companion, Sink, later, reminder, store
from tests.services.test_dispatch_crashes import DELIVERIES, WOKEN, check_delivered, store_three
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.queues import Message, QueuesSimulator, SimulatedQueue
from worker_companions.pulling import deliver_pulled

pytestmark = pytest.mark.anyio

LEASE_SECONDS = 30.0


@dataclass
class Cloud:
    """A companion whose rows are in D1, and whose messages go over a queue."""

    database: D1Database
    queue: CloudflareQueue
    simulated: SimulatedQueue
    account: SimulatedAccount
    wire: Wire
    sink: Sink = field(default_factory=Sink)

    async def tick(self, now: datetime) -> Ticked:
        return await tick(self.database, self.queue, POLICY, now=now)

    async def work(self, now: datetime) -> int:
        """Delivers what the queue gives, and returns how many messages that were."""
        self.simulated.now_ms = to_ms(now)

        async def deliver(body: str) -> bool:
            try:
                await attempt_delivery(body, self.database, {"webhook": self.sink}, POLICY, now=now)
            except BackendError:
                return False
            return True

        return await deliver_pulled(self.queue, deliver, limit=100, lease_seconds=LEASE_SECONDS)

    async def run_until_quiet(self, now: datetime) -> None:
        """Goes on, from one thing that waits to the next, as a companion that a failure delays."""
        end = now + timedelta(days=1)
        while now < end:
            try:
                taken, next_due = await self.work(now), (await self.tick(now)).next_due
            except BackendError:
                if self.wire.cut.lasts:
                    self.wire.at = None  # the outage is over
                now += timedelta(seconds=5)
                continue
            if taken or self.simulated.messages:
                now += timedelta(seconds=1)
            elif next_due is None:
                return
            else:
                now = max(now, next_due)
        raise AssertionError("something still waits after a day")

    async def check(self, where: str) -> None:
        await check_delivered(Companion(self.database, sink=self.sink), where=where)


@asynccontextmanager
async def cloud() -> AsyncIterator[Cloud]:
    """An empty agenda on an account of its own."""
    account, simulator, simulated = SimulatedAccount(), D1Simulator(), SimulatedQueue()
    account.register("d1", simulator)
    account.register("queues", QueuesSimulator(q1=simulated))
    wire = Wire(account.transport)
    async with CloudflareApi.open(account.account, transport=wire, sleep=at_once) as api:
        database = D1Database(api, simulator.database_id)
        await migrate(database)
        yield Cloud(database, CloudflareQueue(api, "q1"), simulated, account, wire)
    simulator.close()


@asynccontextmanager
async def woken() -> AsyncIterator[Cloud]:
    """A companion that wakes to three reminders; the requests from here on are counted."""
    async with cloud() as made:
        await store_three(made.database)
        made.wire.sent = 0
        yield made


def losing(messages: list[Message], chance: Random) -> Sequence[Message]:
    return [each for each in messages if chance.random() < 0.5]


def doubling(messages: list[Message], chance: Random) -> Sequence[Message]:
    again = [replace(each, message_id=f"again-{each.message_id}") for each in messages]
    return [*messages, *(each for each in again if chance.random() < 0.5)]


def shuffling(messages: list[Message], chance: Random) -> Sequence[Message]:
    return chance.sample(messages, len(messages))


def everything_at_once(messages: list[Message], chance: Random) -> Sequence[Message]:
    return shuffling([*doubling(list(losing(messages, chance)), chance)], chance)


@pytest.mark.parametrize("mishap", [losing, doubling, shuffling, everything_at_once])
@pytest.mark.parametrize("seed", range(4))
async def test_a_queue_that_loses_doubles_and_turns_round_delivers_every_reminder_once(
    mishap: Callable[[list[Message], Random], Sequence[Message]], seed: int
):
    chance = Random(seed)  # noqa: S311  a test's, the same each time
    async with woken() as companion:
        companion.simulated.on_the_way = lambda messages: mishap(messages, chance)
        await companion.run_until_quiet(WOKEN)
        await companion.check(f"{mishap.__name__}, {seed}")
        assert len(companion.sink.received) == DELIVERIES


@pytest.mark.parametrize("name", CUTS)
async def test_a_companion_cut_off_at_any_request_delivers_every_reminder_once(name: str):
    async with woken() as whole:
        await whole.run_until_quiet(WOKEN)
        await whole.check("without a loss")
        assert len(whole.sink.received) == DELIVERIES
        requests = whole.wire.sent
    for at in range(requests):
        where = f"{name} at request {at}"
        async with woken() as companion:
            companion.wire.cut_off(at, CUTS[name])
            try:
                await companion.run_until_quiet(WOKEN)
            except* Crash:
                companion.wire.at = None  # another companion goes on
                await companion.run_until_quiet(WOKEN)
            companion.wire.at = None
            await companion.check(where)
            assert len(companion.sink.received) <= DELIVERIES + 1, where


async def test_a_queue_that_is_down_for_a_while_delays_and_loses_nothing():
    async with woken() as companion:
        companion.account.fail_next("/queues/", 503, times=12)
        await companion.run_until_quiet(WOKEN)
        await companion.check("at the end")


async def test_a_look_with_nothing_due_costs_one_request_and_a_delivery_six_with_its_tick():
    async with cloud() as companion:
        await store(companion.database, reminder(at=later(60)))
        companion.wire.sent = 0
        await companion.tick(NOW)
        assert companion.wire.sent == 1
        await companion.tick(later(60))
        # Next, due, record, claim, send, next.
        assert companion.wire.sent == 1 + 6
        await companion.work(later(60))
        # Pull, begin, settle, acknowledge.
        assert companion.wire.sent == 7 + 4
        assert len(companion.sink.received) == 1


async def test_a_message_whose_rows_could_not_be_reached_comes_again():
    async with cloud() as companion:
        await store(companion.database, reminder())
        await companion.tick(NOW)
        companion.account.fail_next("/d1/", 503)
        assert await companion.work(NOW) == 1
        assert (companion.sink.received, len(companion.simulated.messages)) == ([], 1)
        assert await companion.work(later(31)) == 1
        assert len(companion.sink.received) == 1
        assert companion.simulated.messages == []

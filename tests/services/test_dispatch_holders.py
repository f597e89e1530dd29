"""Whoever holds a delivery: stale holders, repeated and lost messages, leases."""

from dataclasses import replace
from functools import partial

import pytest

from dome_mcp.core.agenda import DeliveryState
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.reminders import TRANSITIONS, Settlement
from dome_mcp.store import deliveries
from tests.services.crashing import Crash, Fuse
from tests.services.dispatching import (
    NOW,
    POLICY,
    Companion,
    busy,
    later,
    only_delivery,
    refused_for_good,
    reminder,
    snapshot,
    store,
)

pytestmark = pytest.mark.anyio

AFTER_LEASE = later(POLICY.lease_seconds)
AFTER_CLAIM = later(POLICY.claim_seconds)


@pytest.fixture
def companion(ports: Ports) -> Companion:
    return Companion(ports.database)


@pytest.mark.parametrize("answers", [[], [busy()], [refused_for_good()]])
async def test_a_stale_holder_changes_nothing(answers: list[DeliveryFailed], companion: Companion):
    other = Companion(companion.database)

    async def take_over() -> None:
        assert await other.run(AFTER_LEASE) == ["DELIVERED"]

    await store(companion.database, reminder())
    companion.sink.during, companion.sink.answers = take_over, list(answers)
    assert await companion.run() == [None]
    delivery = await only_delivery(companion.database)
    assert (delivery.state, delivery.attempt, delivery.receipt) == ("DELIVERED", 2, "webhook 1")
    assert delivery.refusals == 0
    # A receiver can tell that what both sent is one notice.
    assert {*companion.sink.keys, *other.sink.keys} == {delivery.delivery_key}


async def test_a_stale_holder_changes_nothing_while_the_new_one_is_sending(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    stale = await only_delivery(companion.database)
    held = deliveries.Claim(stale.delivery_key, stale.attempt)
    await companion.database.batch(deliveries.begin(held, lease_until=AFTER_LEASE))

    async def finish_late() -> None:
        settlement = Settlement("FAILED", NOW, refusals=9)
        settling = deliveries.settle(stale, settlement, now=AFTER_LEASE)
        assert await companion.database.query(settling) == []

    companion.sink.during = finish_late
    companion.queue.take()
    assert await companion.run(AFTER_LEASE) == ["DELIVERED"]
    assert companion.sink.during is None
    assert (await only_delivery(companion.database)).refusals == 0


async def test_a_message_of_an_older_claim_begins_nothing(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    (old,) = companion.queue.take()
    assert await companion.claims(AFTER_CLAIM) == 1
    before = await snapshot(companion.database)
    assert await companion.attempt(old, AFTER_CLAIM) is None
    assert await snapshot(companion.database) == before
    assert await companion.work(AFTER_CLAIM) == ["DELIVERED"]
    assert len(companion.sink.received) == 1


@pytest.mark.parametrize("answers", [[], [busy()], [refused_for_good()]])
async def test_a_message_that_comes_again_changes_nothing(
    answers: list[DeliveryFailed], companion: Companion
):
    companion.sink.answers = list(answers)
    await store(companion.database, reminder())
    await companion.tick()
    (body,) = companion.queue.bodies
    await companion.work()
    settled, sent = await snapshot(companion.database), len(companion.sink.received)
    companion.queue.bodies = [body, body]
    assert await companion.work(later(1)) == [None, None]
    assert await snapshot(companion.database) == settled
    assert len(companion.sink.received) == sent


async def test_a_message_that_comes_again_while_it_is_being_sent_changes_nothing(
    companion: Companion,
):
    await store(companion.database, reminder())
    await companion.tick()
    companion.sink.during = partial(companion.attempt, companion.queue.bodies[0])
    assert await companion.work() == ["DELIVERED"]
    assert len(companion.sink.received) == 1


async def test_messages_in_any_order_deliver_each_reminder_once(companion: Companion):
    names = ["r0", "r1", "r2", "r3", "r4"]
    await store(companion.database, *map(reminder, names))
    await companion.tick()
    companion.queue.bodies += reversed(companion.queue.bodies)
    await companion.work()
    assert sorted(notice.text for _, notice in companion.sink.received) == names


async def test_lost_messages_cost_the_time_of_a_claim_each_and_no_chance(companion: Companion):
    await store(companion.database, reminder())
    now = NOW
    for _ in range(POLICY.max_attempts + 1):
        assert await companion.claims(now) == 1
        companion.queue.take()
        now = (await only_delivery(companion.database)).not_before
        assert now > NOW
    companion.sink.answers = [busy()]
    assert await companion.run(now) == ["PENDING"]
    await companion.run_until_quiet(now)
    assert len(companion.sink.received) == 1


async def test_a_sender_that_fell_silent_is_replaced_after_its_lease_and_not_before(
    companion: Companion,
):
    await store(companion.database, reminder())
    await companion.tick()
    companion.fuse = Fuse(at=1, moment="before")
    with pytest.raises(Crash):
        await companion.work()
    companion.fuse = Fuse()
    assert await companion.claims(later(POLICY.lease_seconds - 1)) == 0
    assert await companion.claims(AFTER_LEASE) == 1
    claimed = await only_delivery(companion.database)
    assert (claimed.state, claimed.attempt, claimed.refusals) == ("PENDING", 2, 0)
    assert "fell silent" in str(claimed.last_error)
    assert await companion.work(AFTER_LEASE) == ["DELIVERED"]


async def test_what_lost_senders_left_and_what_waits_are_one_batch(companion: Companion):
    await store(companion.database, *(reminder(f"r{n}") for n in range(4)))
    companion.policy = replace(POLICY, batch=2)
    await companion.tick()
    companion.fuse = Fuse(at=1, moment="before")
    with pytest.raises(Crash):
        await companion.work()
    companion.fuse = Fuse()
    claimed = [await companion.claims(AFTER_LEASE) for _ in range(3)]
    assert claimed == [2, 2, 0]


@pytest.mark.parametrize("state", TRANSITIONS)
async def test_a_state_is_left_in_no_way_but_those_of_the_table(
    state: DeliveryState, companion: Companion
):
    await store(companion.database, reminder())
    await companion.tick()
    key = (await only_delivery(companion.database)).delivery_key
    setting = "UPDATE deliveries SET state = ?1, attempt = 1, lease_until_ms = 1, not_before_ms = 1"
    held = deliveries.Claim(key, 1)
    reached: set[str] = set()
    for step in ("claim", "begin", "settle"):
        await companion.database.query(Statement(setting, (state,)))
        delivery = await only_delivery(companion.database)
        steps = {
            "claim": [deliveries.claim(AFTER_LEASE, until=AFTER_LEASE, limit=1)],
            "begin": deliveries.begin(held, lease_until=AFTER_LEASE),
            "settle": [deliveries.settle(delivery, Settlement("FAILED", NOW, 1), now=NOW)],
        }
        await companion.database.batch(steps[step])
        reached.add((await only_delivery(companion.database)).state)
    assert reached - {state} <= set(TRANSITIONS[state].values())
    assert bool(reached - {state}) == bool(TRANSITIONS[state])

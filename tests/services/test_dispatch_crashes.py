"""A companion that dies at any port call loses no reminder, and repeats none unrecognisably."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Database
from dome_mcp.store.schema import migrate
from tests.services.crashing import Crash, Fuse, Moment
from tests.services.dispatching import (
    NOW,
    USER,
    Companion,
    all_deliveries,
    busy,
    firings,
    later,
    reminder,
    store,
    stored,
)
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.opening import open_d1

pytestmark = pytest.mark.anyio

SPARE = Channel("spare", USER, kind="webhook", address="https://example.com/spare")
WOKEN = NOW + timedelta(days=3)
NAMES = ("daily", "once", "two channels")
MISSED = "2 earlier ones were missed."
DELIVERIES = 4

Messages = Callable[[list[str]], list[str]]
QUEUES: dict[str, Messages] = {
    "kept": lambda bodies: bodies,
    "lost": lambda _: [],
    "doubled and turned round": lambda bodies: [*reversed(bodies), *bodies],
}
"""What is left of the queue when the companion is gone."""


NewDatabase = Callable[[], AbstractAsyncContextManager[Database]]
DATABASES: dict[str, NewDatabase] = {
    "sqlite": lambda: SqliteDatabase.open(None),
    "d1": lambda: open_d1(SimulatedAccount(), D1Simulator()),
}


@pytest.fixture(params=DATABASES)
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    return DATABASES[request.param]


@asynccontextmanager
async def three_reminders(new_database: NewDatabase) -> AsyncIterator[Companion]:
    """A companion that wakes to three reminders: one late, one that missed two, one twofold."""
    async with new_database() as database:
        await migrate(database)
        await store_three(database)
        yield Companion(database)


async def store_three(database: Database) -> None:
    """The reminders of NAMES, to be fired at WOKEN."""
    await store(database, channel=SPARE)
    await store(
        database,
        reminder("daily", later(1), rule="FREQ=DAILY;COUNT=3"),
        reminder("once", WOKEN),
        reminder("two channels", WOKEN, channels=("hook", "spare")),
    )


async def check_delivered(companion: Companion, *, where: str) -> None:
    """Each reminder arrived, once to a receiver that knows a repeated key, and the rows say so."""
    notices = companion.sink.notices
    assert sorted(notice.text for notice in notices) == [*NAMES, "two channels"], where
    assert [each.text for each in notices if MISSED in each.late] == ["daily"], where
    deliveries = await all_deliveries(companion.database, *NAMES)
    assert {each.delivery_key for each in deliveries} == set(companion.sink.keys), where
    assert {each.state for each in deliveries} == {"DELIVERED"}, where
    assert len(await firings(companion.database, *NAMES)) == len(NAMES), where
    for name in NAMES:
        assert (await stored(companion.database, name)).state == "finished", where


@pytest.mark.parametrize("left", QUEUES)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_at_any_port_call_delivers_every_reminder_once(
    new_database: NewDatabase, moment: Moment, left: str
):
    async with three_reminders(new_database) as whole:
        await whole.run(WOKEN)
        await check_delivered(whole, where="without a crash")
        assert len(whole.sink.received) == DELIVERIES
    # Next, due, record, claim, send, next; for each delivery begin, notify, settle.
    assert whole.fuse.calls == 6 + DELIVERIES * 3
    for call in range(whole.fuse.calls):
        where = f"after a crash {moment} call {call}"
        async with three_reminders(new_database) as companion:
            with pytest.raises(Crash):
                await replace(companion, fuse=Fuse(call, moment)).run(WOKEN)
            companion.queue.bodies = QUEUES[left](companion.queue.bodies)
            await companion.run_until_quiet(WOKEN)
            await check_delivered(companion, where=where)
            assert len(companion.sink.received) <= DELIVERIES + 1, where


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_at_any_port_call_of_a_refused_delivery_loses_nothing(
    new_database: NewDatabase, moment: Moment
):
    async with three_reminders(new_database) as whole:
        whole.sink.answers = [busy() for _ in range(DELIVERIES)]
        assert await whole.run(WOKEN) == ["PENDING"] * DELIVERIES
    for call in range(whole.fuse.calls):
        async with three_reminders(new_database) as companion:
            companion.sink.answers = [busy() for _ in range(DELIVERIES)]
            with pytest.raises(Crash):
                await replace(companion, fuse=Fuse(call, moment)).run(WOKEN)
            await companion.run_until_quiet(WOKEN)
            await check_delivered(companion, where=f"after a crash {moment} call {call}")


async def test_a_crash_between_notify_and_settle_sends_under_the_same_key_again(
    new_database: NewDatabase,
):
    async with three_reminders(new_database) as companion:
        await companion.tick(WOKEN)
        begin_and_notify = Fuse(1, "after")
        with pytest.raises(Crash):
            await replace(companion, fuse=begin_and_notify).work(WOKEN)
        (sent,) = companion.sink.keys
        await companion.run_until_quiet(WOKEN)
        assert companion.sink.keys.count(sent) == 2
        assert len(companion.sink.received) == DELIVERIES + 1
        await check_delivered(companion, where="at the end")


async def test_companions_that_die_one_after_another_still_deliver_everything(
    new_database: NewDatabase,
):
    async with three_reminders(new_database) as companion:
        for call in range(20):
            now = WOKEN + timedelta(minutes=call)
            try:
                await replace(companion, fuse=Fuse(call % 7, "after")).run(now)
            except Crash:
                companion.queue.bodies = []
        await companion.run_until_quiet(WOKEN + timedelta(minutes=20))
        await check_delivered(companion, where="at the end")

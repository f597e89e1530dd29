"""Firings as their user sees them: the inbox, what failed, and what an acknowledgement stops."""

from datetime import timedelta
from functools import partial

import pytest

from dome_mcp.core.ports import Ports, Statement
from dome_mcp.store.firings import (
    acknowledge,
    open_firings,
    to_delivery,
    to_firing,
)
from dome_mcp.store.reminder_listings import failed_of_open, last_deliveries, last_firings
from dome_mcp.store.reminders import to_reminder
from tests.services.dispatching import (
    NOW,
    USER,
    Companion,
    all_deliveries,
    busy,
    firings,
    later,
    only_delivery,
    refused_for_good,
    reminder,
    store,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def companion(ports: Ports) -> Companion:
    return Companion(ports.database)


async def test_the_inbox_has_what_fired_newest_first_with_its_reminder(companion: Companion):
    await store(companion.database, reminder("early"), reminder("late", later(60)))
    await companion.tick()
    await companion.tick(later(60))
    rows = await companion.database.query(open_firings(USER, limit=5))
    assert [to_reminder(row).text for row in rows] == ["late", "early"]
    assert [to_firing(row).due_at for row in rows] == [later(60), NOW]
    assert len(await companion.database.query(open_firings(USER, limit=1))) == 1


async def test_failed_deliveries_are_listed_newest_first_and_no_others(companion: Companion):
    names = ("first", "second", "fine")
    made = [reminder(name, later(n)) for n, name in enumerate(names)]
    await store(companion.database, *made)
    companion.sink.answers = [refused_for_good(), refused_for_good()]
    for n in range(3):
        await companion.run(later(n))
    rows = await companion.database.query(failed_of_open(USER))
    assert [to_delivery(row).reminder_id for row in rows] == ["second", "first"]


async def test_nothing_of_another_user_is_seen_or_changed(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    await companion.database.query(Statement("UPDATE deliveries SET state = 'FAILED'"))
    for statement in (
        open_firings("another", limit=5),
        failed_of_open("another"),
        last_firings(["r1"], "another", each=5),
        last_deliveries(["r1"], "another", each=5),
    ):
        assert await companion.database.query(statement) == []
    await companion.database.query(Statement("UPDATE deliveries SET state = 'PENDING'"))
    assert await companion.database.batch(acknowledge("r1", "another", now=NOW)) == [[], []]
    assert len(await all_deliveries(companion.database)) == 1
    assert len(await companion.database.query(open_firings(USER, limit=5))) == 1


async def test_an_acknowledged_firing_is_not_sent_any_more(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    closed, _ = await companion.database.batch(acknowledge("r1", USER, now=later(1)))
    assert len(closed) == 1
    assert await companion.work() == [None]
    assert companion.sink.received == []
    assert await companion.database.query(open_firings(USER, limit=5)) == []
    assert (await firings(companion.database))[0].acknowledged_at == later(1)


async def test_an_acknowledgement_that_is_repeated_changes_nothing(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    await companion.database.batch(acknowledge("r1", USER, now=later(1)))
    assert await companion.database.batch(acknowledge("r1", USER, now=later(2))) == [[], []]
    assert (await firings(companion.database))[0].acknowledged_at == later(1)


async def test_what_is_sent_while_its_firing_is_acknowledged_is_settled(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    (body,) = companion.queue.bodies

    async def acknowledge_and_repeat() -> None:
        await companion.database.batch(acknowledge("r1", USER, now=later(1)))
        assert await companion.attempt(body) is None

    companion.sink.during = acknowledge_and_repeat
    assert await companion.work() == ["DELIVERED"]
    assert (await only_delivery(companion.database)).receipt == "webhook 1"


async def test_what_is_refused_while_its_firing_is_acknowledged_is_not_tried_again(
    companion: Companion,
):
    await store(companion.database, reminder())
    acknowledging = acknowledge("r1", USER, now=later(1))
    companion.sink.during = partial(companion.database.batch, acknowledging)
    companion.sink.answers = [busy()]
    await companion.run()
    await companion.run_until_quiet(later(5))
    assert companion.sink.received == []
    assert await all_deliveries(companion.database) == []


async def test_a_cancelled_reminder_is_not_sent_any_more(companion: Companion):
    await store(companion.database, reminder())
    await companion.tick()
    await companion.database.query(Statement("UPDATE reminders SET state = 'cancelled'"))
    assert await companion.work() == [None]
    assert companion.sink.received == []


async def test_acknowledging_one_firing_leaves_the_others(companion: Companion):
    await store(companion.database, reminder(rule="FREQ=DAILY", catch_up="all"))
    tomorrow = NOW + timedelta(days=1)
    await companion.tick(tomorrow)
    await companion.database.batch(acknowledge("r1", USER, now=NOW, due_at=NOW))
    closed = [firing.acknowledged_at for firing in await firings(companion.database)]
    assert closed == [NOW, None]
    assert (await only_delivery(companion.database)).due_at == tomorrow

"""What goes wrong on the way of a notice: it arrives all the same, under one idempotency key."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import from_ms
from dome_mcp.services.companions import companion_state
from dome_mcp.services.reminders import ReminderQuery, list_reminders
from dome_mcp.store.deliveries import Claim, begin
from dome_mcp.store.notes import to_int
from dome_mcp.tools.agenda import reminder_line, reminder_result
from tests.companion_workers.cloud import USER, Cloud, now
from tests.simulators.webhook_sink import Answer, Posted, WebhookSink

pytestmark = pytest.mark.anyio

LATER = 5
"""Minutes after which every lease and pause of a first failure is over."""

_FAILS = "SELECT RAISE(ABORT, 'D1 DB is overloaded. Requests queued for too long.')"


def notices(sink: WebhookSink) -> dict[str, int]:
    """How often each notice came, by its key."""
    keys = [posted.headers["Idempotency-Key"] for posted in sink.posted]
    return {key: keys.count(key) for key in keys}


def texts(sink: WebhookSink) -> list[str]:
    return [posted.json["text"] for posted in sink.posted]


async def until(condition: Callable[[], bool], cloud: Cloud) -> None:
    """Returns when the condition holds; a look at the rows is what passes the time."""
    while not condition():
        await cloud.deliveries()


async def execute(cloud: Cloud, sql: str) -> None:
    await cloud.ports.database.query(Statement(sql))


@contextmanager
def held(sink: WebhookSink) -> Iterator[Callable[[], None]]:
    """A sink that has what is posted and does not answer, until it is let go."""
    released = threading.Event()

    def respond(_: Posted) -> Answer:
        released.wait(60)
        return Answer()

    sink.respond = respond
    try:
        yield released.set
    finally:
        released.set()


async def pass_the_queue(cloud: Cloud, sink: WebhookSink) -> None:
    """Returns when the consumer has done all that was put on the queue before."""
    await cloud.add_channel("last", "webhook", sink.url("/last"))
    await cloud.remind("The last of the queue", "last")
    await cloud.run_cron()
    while [row["state"] for row in await cloud.deliveries() if row["channel"] == "last"] != [
        "DELIVERED"
    ]:
        pass


async def test_a_consumer_that_is_ended_in_the_middle_is_followed_by_another(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Not lost", "hook")
    with held(sink):
        await cloud.run_cron()
        await until(lambda: len(sink.posted) == 1, cloud)
        await cloud.workers.abort()
    assert await cloud.states() == ["SENDING"]
    await cloud.run_cron(in_minutes=LATER)
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [2]


async def test_what_an_ended_worker_left_half_done_is_delivered_under_the_same_key(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Not lost", "hook")
    fields = json.loads(await cloud.claimed())
    begun = begin(Claim(fields["key"], fields["attempt"]), lease_until=now())
    await cloud.ports.database.batch(begun)
    assert await cloud.states() == ["SENDING"]
    await cloud.run_cron()
    await cloud.all_delivered()
    assert notices(sink) == {fields["key"]: 1}


async def test_a_holder_whose_lease_is_over_changes_nothing(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Slow", "hook")
    with held(sink) as let_go:
        await cloud.run_cron()
        await until(lambda: len(sink.posted) == 1, cloud)
        await cloud.run_cron(in_minutes=LATER)
        let_go()
        await cloud.all_delivered()
    (row,) = await cloud.deliveries()
    assert row["attempt"] == 2
    assert list(notices(sink).values()) == [2]


async def test_an_exception_in_one_delivery_is_not_the_others(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("broken", "webhook", sink.url())
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Both", "broken", "hook")
    await execute(cloud, "UPDATE channels SET options = '[' WHERE name = 'broken'")
    await cloud.run_cron()
    # Its channel was read by whoever made it SENDING.
    while await cloud.states() != ["SENDING", "DELIVERED"]:
        pass
    await execute(cloud, 'UPDATE channels SET options = \'{"allow_private": "true"}\'')
    await cloud.run_cron(in_minutes=LATER)
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [1, 1]


async def test_messages_that_are_no_deliveries_or_come_again_do_no_harm(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Once", "hook")
    body = await cloud.claimed()
    stale = json.dumps({**json.loads(body), "attempt": 0})
    await cloud.queue.send(["no JSON", "[]", stale, body, body, body])
    await cloud.all_delivered()
    await pass_the_queue(cloud, sink)
    assert texts(sink) == ["Once", "The last of the queue"]


async def test_messages_that_overtake_each_other_lead_to_one_notice(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Once", "hook")
    first = await cloud.claimed()
    second = await cloud.claimed(at=now() + timedelta(minutes=LATER))
    await cloud.queue.send([second])
    await cloud.all_delivered()
    await cloud.queue.send([first, second])
    await pass_the_queue(cloud, sink)
    assert texts(sink) == ["Once", "The last of the queue"]


async def test_a_sink_that_is_down_is_tried_again_when_the_row_says_so(
    cloud: Cloud, sink: WebhookSink
) -> None:
    sink.answer_all(Answer(status=503, headers={"Retry-After": "120"}))
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Pay rent", "hook")
    await cloud.run_cron()
    (row,) = await cloud.settled()
    assert (row["state"], row["refusals"]) == ("PENDING", 1)
    wait = from_ms(to_int(row["not_before_ms"])) - now()
    assert timedelta(seconds=90) < wait <= timedelta(seconds=120)
    sink.answer_all(Answer(resets=True))
    await cloud.run_cron()
    assert len(sink.posted) == 1
    await cloud.run_cron(in_minutes=LATER)
    while (await cloud.settled())[0]["refusals"] != 2:
        pass
    sink.answer_all(Answer())
    await cloud.run_cron(in_minutes=2 * LATER)
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [3]


async def test_two_crons_at_once_deliver_each_reminder_once(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    for number in range(20):
        await cloud.remind(f"Reminder {number}", "hook")
    assert await cloud.run_cron(count=2) == ["ok", "ok"]
    assert [row["state"] for row in await cloud.settled()] == ["DELIVERED"] * 20
    assert await cloud.run_cron() == ["ok"]
    assert sorted(texts(sink)) == sorted(f"Reminder {number}" for number in range(20))


async def test_a_database_that_fails_after_the_notice_went_out_has_it_sent_again(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Sent, and not written down", "hook")
    await execute(
        cloud,
        "CREATE TRIGGER fails BEFORE UPDATE ON deliveries "
        f"WHEN new.state = 'DELIVERED' AND new.channel = 'hook' BEGIN {_FAILS}; END",
    )
    await cloud.run_cron()
    # Else both may come in one batch, and the second be done before the first has failed.
    await until(lambda: bool(sink.posted), cloud)
    await pass_the_queue(cloud, sink)
    assert await cloud.states() == ["SENDING", "DELIVERED"]
    await execute(cloud, "DROP TRIGGER fails")
    await cloud.run_cron(in_minutes=LATER)
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [2, 1]


async def test_a_database_that_fails_in_a_cron_leaves_nothing_half_done(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("All or nothing", "hook")
    await execute(cloud, f"CREATE TRIGGER fails BEFORE UPDATE ON reminders BEGIN {_FAILS}; END")
    assert await cloud.run_cron() == ["exception"]
    assert await cloud.deliveries() == []
    state = await companion_state(cloud.ports.database, now=now())
    assert len(state.last_errors) == 1
    await execute(cloud, "DROP TRIGGER fails")
    assert await cloud.run_cron() == ["ok"]
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [1]


async def test_a_message_that_nobody_could_handle_is_told_of_and_tried_again(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Late", "hook")
    await execute(cloud, "ALTER TABLE meta RENAME TO away")
    await cloud.run_cron()
    (row,) = await cloud.settled()
    await execute(cloud, "ALTER TABLE away RENAME TO meta")
    assert (row["state"], row["refusals"]) == ("PENDING", 0)
    page = await list_reminders(ReminderQuery("all"), cloud.ports, user_id=USER, now=now())
    line = reminder_line(reminder_result(page.reminders[0]))
    assert "hook not yet: Whoever was to send it failed each time" in line
    assert sink.posted == []
    await cloud.run_cron(in_minutes=LATER)
    await cloud.all_delivered()
    assert list(notices(sink).values()) == [1]

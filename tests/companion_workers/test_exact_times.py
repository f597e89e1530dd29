"""Reminders to the second: the users' clocks, set by the cron and by whoever writes."""

from datetime import timedelta

import httpx
import pytest

from dome_mcp.core.ports import Row, Statement
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.store.notes import to_int
from tests.companion_workers.cloud import USER, ZONE, Cloud, now
from tests.companion_workers.remote import Binding
from tests.simulators.webhook_sink import WebhookSink

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=3)
_FIRINGS = "SELECT due_at_ms, fired_at_ms FROM firings ORDER BY due_at_ms"


@pytest.fixture
def clocks(client: httpx.AsyncClient) -> Binding:
    """The clocks, as the Worker of the API tells them to look."""
    return Binding(client, "CLOCKS")


@pytest.fixture
async def hooked(cloud: Cloud, sink: WebhookSink) -> Cloud:
    """The user has a webhook."""
    await cloud.add_channel("hook", "webhook", sink.url())
    return cloud


async def remind(cloud: Cloud, text: str, *, within: timedelta = SOON) -> None:
    """A reminder that is due so soon."""
    hour = timedelta(hours=1)
    new = NewReminder(text=text, at="+1h", channels=("hook",))
    await create_reminder(new, cloud.ports, user_id=USER, now=now() + within - hour, zone=ZONE)


async def delivered(cloud: Cloud, count: int) -> list[Row]:
    """The firings, when so many deliveries are done."""
    while await cloud.states() != ["DELIVERED"] * count:
        pass
    return list(await cloud.ports.database.query(Statement(_FIRINGS)))


async def test_a_cron_sets_the_clock_of_whoever_has_something_due_before_the_next_one(
    hooked: Cloud, sink: WebhookSink
) -> None:
    await remind(hooked, "Take it out of the oven")
    assert await hooked.run_cron() == ["ok"]
    assert sink.posted == []
    await delivered(hooked, 1)
    assert [posted.json["text"] for posted in sink.posted] == ["Take it out of the oven"]


async def test_a_clock_that_was_told_fires_without_a_cron_and_is_set_for_what_comes_next(
    hooked: Cloud, sink: WebhookSink, clocks: Binding
) -> None:
    await remind(hooked, "The second", within=2 * SOON)
    await clocks.call("look", USER)
    await remind(hooked, "The first")
    await clocks.call("look", USER)
    rows = await delivered(hooked, 2)
    assert [posted.json["text"] for posted in sink.posted] == ["The first", "The second"]
    assert all(to_int(row["fired_at_ms"]) >= to_int(row["due_at_ms"]) for row in rows)


async def test_an_alarm_for_what_a_cron_has_fired_already_does_no_harm(
    hooked: Cloud, sink: WebhookSink, clocks: Binding
) -> None:
    await remind(hooked, "Once")
    await clocks.call("look", USER)
    assert await hooked.run_cron(in_minutes=0.1) == ["ok"]
    await delivered(hooked, 1)
    await remind(hooked, "The next one", within=2 * SOON)
    await clocks.call("look", USER)  # its alarm for the first one is still to come
    await delivered(hooked, 2)
    assert [posted.json["text"] for posted in sink.posted] == ["Once", "The next one"]

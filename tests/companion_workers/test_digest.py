"""The day in short, and what is past its time, without a machine of the user's."""

from datetime import timedelta

import pytest

from dome_mcp.core.ports import Statement
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.services.digest import set_digest
from dome_mcp.services.housekeeping import last_kept
from dome_mcp.services.tasks import create_task
from tests.companion_workers.cloud import USER, ZONE, Cloud, now
from tests.simulators.webhook_sink import WebhookSink

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
_AUDIT = """
INSERT INTO audit (at_ms, user_id, credential, source, action, target, outcome, times)
VALUES (1000, 'me', '', '', '', '', 'ok', 1)"""


async def test_the_cron_fires_a_digest_and_it_is_made_and_sent_once(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    asked_at = now() - 3 * MINUTE
    at = f"{asked_at + 2 * MINUTE:%H:%M}"
    await set_digest("hook", at, cloud.ports, user_id=USER, now=asked_at, zone="UTC")
    overdue = NewTask("Pay the rent", due=f"{asked_at - timedelta(days=3):%Y-%m-%d}")
    await create_task(overdue, cloud.ports, user_id=USER, now=asked_at, zone=ZONE)
    assert await cloud.run_cron(count=2) == ["ok", "ok"]
    assert [row["state"] for row in await cloud.settled()] == ["DELIVERED"]
    (posted,) = sink.posted
    assert (posted.json["type"], posted.json["text"]) == ("digest", "Today: 1 overdue")
    assert "- Pay the rent (since " in posted.json["snippet"]
    assert posted.json["actions"] == []


async def test_the_cron_of_a_full_hour_forgets_what_is_past_its_time(cloud: Cloud) -> None:
    database = cloud.ports.database
    await database.query(Statement(_AUDIT))
    to_the_hour = 60 - now().minute
    assert await cloud.run_cron(in_minutes=to_the_hour) == ["ok"]
    assert await database.query(Statement("SELECT 1 FROM audit")) == []
    kept = await last_kept(database)
    assert kept is not None
    assert kept.failures == ()

"""Reminders without a machine of the user's: cron, queue and delivery in Python Workers."""

from datetime import timedelta

import pytest

from dome_mcp.core.links import verify
from dome_mcp.link_pages import PREFIX, link_secret
from dome_mcp.services.companions import companion_state
from tests.companion_workers.cloud import Cloud, now
from tests.companion_workers.conftest import PUBLIC_URL
from tests.simulators.webhook_sink import Answer, WebhookSink

pytestmark = pytest.mark.anyio


async def test_a_reminder_is_fired_and_its_webhook_called_once(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url("/hook"))
    await cloud.remind("Water the plants", "hook")
    assert await cloud.run_cron() == ["ok"]
    assert [row["state"] for row in await cloud.settled()] == ["DELIVERED"]
    assert await cloud.run_cron() == ["ok"]
    (posted,) = sink.posted
    assert (posted.path, posted.json["text"]) == ("/hook", "Water the plants")


async def test_each_run_of_the_cron_shows_that_somebody_fires_reminders(cloud: Cloud) -> None:
    await cloud.remind("Nobody is told")
    database = cloud.ports.database
    assert not (await companion_state(database, now=now())).is_running
    assert await cloud.run_cron() == ["ok"]
    state = await companion_state(database, now=now() + timedelta(minutes=2))
    assert (state.is_running, state.is_worker_alone, state.last_errors) == (True, True, ())


async def test_the_links_of_a_notice_are_signed_with_the_secret_of_the_database(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Call Ada", "hook")
    await cloud.run_cron()
    await cloud.settled()
    secret = await link_secret(cloud.ports.database)
    links = [str(action["url"]) for action in sink.posted[0].json["actions"]]
    tokens = [link.removeprefix(f"{PUBLIC_URL}{PREFIX}") for link in links]
    assert [verify(secret, token, now=now()).action for token in tokens] == ["done", "snooze"]


async def test_slack_and_ntfy_are_told_each_in_its_form(cloud: Cloud, sink: WebhookSink) -> None:
    await cloud.add_channel("team", "slack", sink.url("/slack"))
    await cloud.add_channel("phone", "ntfy", sink.url("/topic"))
    await cloud.remind("Grüße 🦉", "team", "phone")
    await cloud.run_cron()
    assert [row["state"] for row in await cloud.settled()] == ["DELIVERED", "DELIVERED"]
    by_path = {posted.path: posted.json for posted in sink.posted}
    assert by_path["/slack"]["text"] == "Grüße 🦉"
    assert (by_path["/"]["topic"], by_path["/"]["title"]) == ("topic", "Grüße 🦉")


async def test_what_a_sink_refuses_for_now_is_tried_again_by_a_later_cron(
    cloud: Cloud, sink: WebhookSink
) -> None:
    sink.answer_all(Answer(status=503, headers={"Retry-After": "7"}))
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Pay rent", "hook")
    await cloud.run_cron()
    (row,) = await cloud.settled()
    assert (row["state"], row["refusals"]) == ("PENDING", 1)
    sink.answer_all(Answer())
    await cloud.run_cron(in_minutes=5)
    await cloud.all_delivered()
    keys = [posted.headers["Idempotency-Key"] for posted in sink.posted]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_redirect_is_not_followed(cloud: Cloud, sink: WebhookSink) -> None:
    sink.answer_all(Answer(status=302, headers={"Location": sink.url("/elsewhere")}))
    await cloud.add_channel("hook", "webhook", sink.url("/hook"))
    await cloud.remind("Stay", "hook")
    await cloud.run_cron()
    (row,) = await cloud.settled()
    assert row["state"] == "FAILED"
    assert "has moved (HTTP 302)" in str(row["last_error"])
    assert [posted.path for posted in sink.posted] == ["/hook"]


async def test_an_address_in_a_private_network_is_refused_unless_the_user_allowed_it(
    cloud: Cloud, sink: WebhookSink
) -> None:
    hosts = ("127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "10.1.2.3")
    for number, host in enumerate(hosts):
        address = f"https://{host}:{sink.server_port}/"
        await cloud.add_channel(f"hook{number}", "webhook", address, allow_private=False)
    await cloud.remind("Never there", *(f"hook{number}" for number in range(len(hosts))))
    await cloud.run_cron()
    rows = await cloud.settled()
    assert [row["state"] for row in rows] == ["FAILED"] * len(hosts)
    assert all("is in a private network" in str(row["last_error"]) for row in rows)


async def test_an_answer_without_end_is_not_read(cloud: Cloud, sink: WebhookSink) -> None:
    sink.answer_all(Answer(body=b"x" * 20_000_000))
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.remind("Short", "hook")
    await cloud.run_cron()
    assert [row["state"] for row in await cloud.settled()] == ["DELIVERED"]
    assert sink.written_bytes < 20_000_000

"""Every channel of the notify Worker, and those that it leaves to another companion."""

from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from dome_mcp.backends.cloudflare.mails import KEY_HEADER
from dome_mcp.backends.embedded.notify import vapid
from dome_mcp.backends.embedded.notify.replies import MAX_REPLY_BYTES
from dome_mcp.backends.embedded.notify.wording import key_digest
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import PUBLIC_ONLY
from dome_mcp.core.errors import DeliveryFailed, NotServed
from dome_mcp.services.companions import unserved
from dome_mcp.services.reminders import ReminderQuery, list_reminders
from dome_mcp.tools.agenda import reminder_line, reminder_result
from tests.companion_workers.cloud import USER, Cloud, now
from tests.companion_workers.conftest import SENDER
from tests.companion_workers.remote import Binding, RemoteNotifier
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.push_service import running_push_service
from tests.simulators.webhook_sink import Answer, WebhookSink

pytestmark = pytest.mark.anyio

SENT_MAIL = "/cdn-cgi/local/explorer/api/local/email/sending"
SMTP = "smtp://127.0.0.1:2525?from=dome@example.org&to=me@example.org"


async def send(
    client: httpx.AsyncClient, channel: Channel, *, timeout_seconds: float = 20.0
) -> str:
    """Sends a notice by the Worker's notifier, and returns the receipt."""
    notifier = RemoteNotifier(Binding(client, "NOTIFIERS"), channel.kind, timeout_seconds)
    return await notifier.notify(NOTICE, channel, idempotency_key=KEY)


async def test_mail_goes_out_once_by_the_binding_from_the_sender_of_the_settings(
    cloud: Cloud, client: httpx.AsyncClient
) -> None:
    await cloud.add_channel("mail", "email", "cloudflare:once@example.org")
    await cloud.remind("Grüße 🦉", "mail")
    await cloud.run_cron()
    await cloud.all_delivered()
    await cloud.run_cron(in_minutes=5)
    (row,) = await cloud.deliveries()
    listed = (await client.get(SENT_MAIL)).json()["result"]
    (mail,) = [each for each in listed if each["to"] == ["once@example.org"]]
    assert (mail["from"], mail["subject"]) == (SENDER, "Grüße 🦉")
    assert mail["headers"][KEY_HEADER] == key_digest(str(row["delivery_key"]))


async def test_mail_that_cloudflare_does_not_take_may_be_taken_later(
    client: httpx.AsyncClient,
) -> None:
    address = "cloudflare:refused@example.net?from=dome@example.com"
    with pytest.raises(DeliveryFailed, match="cannot take the mail now") as caught:
        await send(client, Channel("mail", USER, "email", address))
    assert caught.value.retryable


async def test_mail_by_cloudflare_is_for_the_owner(client: httpx.AsyncClient) -> None:
    options = ((PUBLIC_ONLY, "true"),)
    with pytest.raises(DeliveryFailed, match="owner") as caught:
        await send(client, Channel("mail", "eve", "email", "cloudflare:me@example.org", options))
    assert not caught.value.retryable


async def test_a_mail_server_is_out_of_a_workers_reach(client: httpx.AsyncClient) -> None:
    with pytest.raises(NotServed, match="reaches the mail server"):
        await send(client, Channel("mail", USER, "email", SMTP))


async def test_a_push_is_signed_with_the_key_that_the_browser_subscribed_with(
    cloud: Cloud, push_keys: Path
) -> None:
    with running_push_service(now()) as service:
        service.application_key = vapid.public_key(vapid.load_keys(push_keys))
        await cloud.add_channel("browser", "webpush", service.subscription)
        await cloud.remind("Grüße 🦉", "browser")
        await cloud.run_cron()
        await cloud.all_delivered()
    (push,) = service.pushes
    assert push["title"] == "Grüße 🦉"
    assert [action["title"] for action in push["actions"]] == ["Done", "Snooze 1 h"]


async def test_a_subscription_with_keys_that_are_none_is_refused_for_good(
    client: httpx.AsyncClient, sink: WebhookSink
) -> None:
    key = "A" * 87
    address = f'{{"endpoint": "{sink.url()}", "keys": {{"p256dh": "{key}", "auth": "{key}"}}}}'
    with pytest.raises(DeliveryFailed, match="subscription is damaged") as caught:
        await send(client, Channel("browser", USER, "webpush", address))
    assert not caught.value.retryable
    assert sink.posted == []


@pytest.mark.parametrize("secret", ["%", "bm9uZQ=="])
async def test_a_push_waits_for_another_companion_where_the_workers_key_is_none(
    client: httpx.AsyncClient, secret: str
) -> None:
    with running_push_service(now()) as service:
        channel = Channel("browser", USER, "webpush", service.subscription)
        sent = (asdict(NOTICE), asdict(channel), KEY, 20.0, {"DOME_VAPID_KEY": secret})
        with pytest.raises(NotServed, match="DOME_VAPID_KEY of the Worker is no key"):
            await Binding(client, "NOTIFIERS").call("notify", *sent)
    assert service.sink.posted == []


@pytest.mark.parametrize(("too_many", "receipt"), [(0, "hwQ2"), (1, "HTTP 200")])
async def test_of_an_answer_64_kb_are_read_and_no_more(
    client: httpx.AsyncClient, sink: WebhookSink, too_many: int, receipt: str
) -> None:
    body = b'{"id": "hwQ2"' + b" " * (MAX_REPLY_BYTES + too_many - 14) + b"}"
    sink.answer_all(Answer(200, body))
    assert await send(client, Channel("phone", USER, "ntfy", sink.url("/topic"))) == receipt


async def test_what_a_worker_cannot_serve_waits_visibly_and_loses_no_chance(
    cloud: Cloud, sink: WebhookSink
) -> None:
    await cloud.add_channel("any", "apprise", "json://127.0.0.1/")
    await cloud.add_channel("hook", "webhook", sink.url())
    await cloud.add_channel("mail", "email", SMTP)
    await cloud.remind("All ways", "any", "desktop", "hook", "mail")
    await cloud.run_cron()
    rows = {str(row["channel"]): row for row in await cloud.settled()}
    assert rows.pop("hook")["state"] == "DELIVERED"
    assert {(row["state"], row["refusals"], row["attempt"]) for row in rows.values()} == {
        ("PENDING", 0, 1)
    }
    await cloud.run_cron()
    assert len(sink.posted) == 1
    assert {row["attempt"] for row in await cloud.deliveries()} == {1}
    waiting = await unserved(cloud.ports.database, user_id=USER)
    assert [each.channel for each in waiting] == ["any", "desktop", "mail"]
    page = await list_reminders(ReminderQuery("all"), cloud.ports, user_id=USER, now=now())
    line = reminder_line(reminder_result(page.reminders[0]))
    assert "any not yet: Waits for a companion that can send by apprise" in line
    assert "desktop not yet: Waits for a companion on a machine with a desktop" in line
    assert "mail not yet: Waits for a companion that reaches the mail server" in line

"""Channels over REST: what is added, shown, tried and removed, and what that must not reach."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator

import pytest

from dome_mcp.core.channels import hears_of
from dome_mcp.services.channels import channel_named
from tests.remote.rest.conftest import Api, problem_in
from tests.serving import Serving
from tests.simulators.smtp_sink import running_smtp_sink
from tests.simulators.webhook_sink import Answer, WebhookSink, running_webhook_sink

pytestmark = pytest.mark.anyio

SUBSCRIPTION = {
    "endpoint": "https://1.1.1.1/push/c2VjcmV0",
    "expirationTime": None,
    "keys": {"p256dh": "B" * 87, "auth": "A" * 22},
}


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as server:
        yield server


def hook(sink: WebhookSink, **more: object) -> dict[str, object]:
    url = sink.url("/in?token=s3cret")
    return {"name": "hook", "kind": "webhook", "address": url, "allow_private": True, **more}


async def test_a_webhooks_signing_secret_is_told_once_and_signs_the_test_notice(
    api: Api, sink: WebhookSink
):
    added = await api.post("/api/channels", json=hook(sink))
    assert added.status_code == 201
    tried = await api.post("/api/channels/hook/test")
    assert tried.json() == {"name": "hook", "receipt": "HTTP 200", "error": None}
    (posted,) = sink.posted
    found = re.fullmatch(r"t=(\d+),v1=(\w+)", posted.headers["X-Dome-Signature"])
    assert found is not None
    secret = added.json()["secret"].encode()
    signed = f"{found[1]}.".encode() + posted.body
    assert hmac.new(secret, signed, hashlib.sha256).hexdigest() == found[2]
    listed = (await api.get("/api/channels")).text
    assert added.json()["secret"] not in listed
    assert "s3cret" not in listed + added.text


async def test_a_webhook_may_hear_of_more_than_reminders(
    api: Api, sink: WebhookSink, served: Serving
):
    wanted = hook(sink, events="ingestion_complete")
    assert (await api.post("/api/channels", json=wanted)).status_code == 201
    stored = await channel_named("hook", served.dome.ports, user_id=served.dome.user_id)
    assert hears_of(stored, "ingestion_complete")
    wrong = await api.post("/api/channels", json=hook(sink, name="b", events="no_such"))
    problem_in(wrong, 422, "invalid-input")


async def test_the_listing_is_the_callers_own_and_masked(api: Api, sink: WebhookSink):
    await api.post("/api/channels", json=hook(sink))
    listed = (await api.get("/api/channels")).json()["channels"]
    assert listed == [
        {
            "name": "hook",
            "kind": "webhook",
            "reaches": f"http://127.0.0.1:{sink.server_port}/…",
            "is_default": True,
            "allow_private": True,
            "last_error": None,
            "digest": None,
        }
    ]
    assert (await api.as_("ann", "tasks:read").get("/api/channels")).json() == {"channels": []}


async def test_a_refused_test_notice_is_told_with_its_reason(api: Api, sink: WebhookSink):
    await api.post("/api/channels", json=hook(sink))
    sink.answer_all(Answer(403))
    tried = (await api.post("/api/channels/hook/test")).json()
    assert tried["receipt"] is None
    assert "refused the notice (HTTP 403)" in tried["error"]["message"]


async def test_a_name_is_replaced_only_when_asked_for(api: Api, sink: WebhookSink):
    first = (await api.post("/api/channels", json=hook(sink))).json()
    problem_in(await api.post("/api/channels", json=hook(sink)), 409, "conflict")
    second = (await api.post("/api/channels", json=hook(sink, replace=True))).json()
    assert second["secret"] != first["secret"]


async def test_a_removed_channel_is_gone_and_says_which_reminders_miss_it(
    api: Api, sink: WebhookSink
):
    await api.post("/api/channels", json=hook(sink))
    asked = {"text": "Call", "at": "+1h", "channels": ["hook"]}
    await api.post("/api/reminders", json=asked)
    assert (await api.delete("/api/channels/hook")).json() == {"name": "hook", "reminders": 1}
    problem_in(await api.delete("/api/channels/hook"), 404, "not-found")
    problem_in(await api.post("/api/channels/hook/test"), 404, "not-found")


async def test_a_browser_subscribes_with_the_key_and_its_subscription(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    assert re.fullmatch(r"[\w-]{87}", (await ann.get("/api/channels/push-key")).json()["key"])
    for name, address in (("phone", SUBSCRIPTION), ("laptop", json.dumps(SUBSCRIPTION))):
        draft = {"name": name, "kind": "webpush", "address": address}
        added = await ann.post("/api/channels", json=draft)
        assert added.status_code == 201, added.text
        assert added.json()["reaches"] == "https://1.1.1.1/…"
        assert "c2VjcmV0" not in added.text


PRIVATE = [
    "https://127.0.0.1/in",
    "https://localhost/in",
    "https://[::1]/in",
    "https://[::ffff:169.254.169.254]/in",
    "https://[64:ff9b::a9fe:a9fe]/in",
    "https://169.254.169.254/latest/meta-data",
    "https://2130706433/in",
    "https://0x7f.1/in",
    "https://10.0.0.8/in",
    "http://1.1.1.1/in",
]


@pytest.mark.parametrize("url", PRIVATE)
@pytest.mark.parametrize("kind", ["webhook", "slack", "ntfy", "webpush"])
async def test_a_channel_to_a_private_address_is_refused_without_admin(
    kind: str, url: str, api: Api
):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    address: object = {**SUBSCRIPTION, "endpoint": url} if kind == "webpush" else url
    draft = {"name": "hook", "kind": kind, "address": address}
    refused = await ann.post("/api/channels", json=draft)
    assert refused.status_code in (403, 422), refused.text
    insisting = await ann.post("/api/channels", json={**draft, "allow_private": True})
    problem_in(insisting, 403, "insufficient-scope")
    assert (await ann.get("/api/channels")).json() == {"channels": []}


async def test_mail_by_a_private_server_is_refused_without_admin(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    with running_smtp_sink() as sink:
        where = f"smtp://127.0.0.1:{sink.port}?from=a@example.com&to=a@example.com&tls=none"
        draft = {"name": "mail", "kind": "email", "address": where}
        problem_in(await ann.post("/api/channels", json=draft), 403, "forbidden")
        assert (await api.post("/api/channels", json=draft)).status_code == 201
        assert (await api.post("/api/channels/mail/test")).json()["error"] is None
    assert len(sink.taken) == 1


async def test_mail_on_the_owners_cloudflare_account_is_refused_without_admin(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    draft = {"name": "mail", "kind": "email", "address": "cloudflare:a@b.example?from=c@d.example"}
    problem_in(await ann.post("/api/channels", json=draft), 403, "forbidden")
    assert (await ann.get("/api/channels")).json() == {"channels": []}
    assert (await api.post("/api/channels", json=draft)).status_code == 201
    tried = (await api.post("/api/channels/mail/test")).json()
    assert "CLOUDFLARE_ACCOUNT_ID" in tried["error"]["hint"]


@pytest.mark.parametrize(
    "draft",
    [
        {"name": "desktop", "kind": "desktop"},
        {"name": "tele", "kind": "apprise", "address": "tgram://123456789:abcdefg_hijklmnop/12"},
        {"name": "local", "kind": "apprise", "address": "json://127.0.0.1/"},
    ],
)
async def test_what_belongs_to_the_machine_takes_admin(api: Api, draft: dict):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    problem_in(await ann.post("/api/channels", json=draft), 403, "insufficient-scope")
    problem_in(await ann.post("/api/channels/desktop/test"), 403, "insufficient-scope")


async def test_the_desktop_is_nobodys_but_the_owners(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write", "admin")
    draft = {"name": "desktop", "kind": "desktop"}
    problem_in(await ann.post("/api/channels", json=draft), 403, "forbidden")
    assert (await api.post("/api/channels", json=draft)).status_code == 201


@pytest.mark.parametrize(
    "draft",
    [
        {"name": "a b", "kind": "slack", "address": "https://1.1.1.1/x"},
        {"name": "x", "kind": "pigeon", "address": "https://1.1.1.1/x"},
        {"name": "x", "kind": "email", "address": "me@example.com"},
        {"name": "x", "kind": "slack", "address": "https://1.1.1.1/x", "token": "t"},
        {"name": "x", "kind": "slack", "address": SUBSCRIPTION},
        {"name": "x", "kind": "webpush", "address": {"endpoint": "https://1.1.1.1/x"}},
        {"name": "x", "kind": "webhook", "address": "https://u:pass-w0rd@1.1.1.1/x"},
    ],
)
async def test_a_channel_that_cannot_work_is_refused_without_repeating_its_address(
    api: Api, draft: dict
):
    refused = await api.post("/api/channels", json=draft)
    problem_in(refused, 422, "invalid-input")
    assert "pass-w0rd" not in refused.text
    assert "1.1.1.1" not in refused.text


async def test_a_channel_sends_a_digest_at_the_time_that_was_asked_for_until_it_is_turned_off(
    api: Api, sink: WebhookSink
):
    async def listed() -> object:
        return (await api.get("/api/channels")).json()["channels"][0]["digest"]

    added = await api.post("/api/channels", json=hook(sink, digest="7:30"))
    assert (added.json()["digest"], await listed()) == ("07:30", "07:30")
    moved = await api.put("/api/channels/hook/digest", json={"at": "19:00"})
    assert (moved.json(), await listed()) == ({"name": "hook", "digest": "19:00"}, "19:00")
    ended = await api.put("/api/channels/hook/digest", json={"at": None})
    assert (ended.json(), await listed()) == ({"name": "hook", "digest": None}, None)


async def test_a_digest_is_asked_of_ones_own_channel_at_a_time_of_day(api: Api, sink: WebhookSink):
    problem_in(await api.post("/api/channels", json=hook(sink, digest="x")), 422, "invalid-input")
    assert (await api.get("/api/channels")).json() == {"channels": []}
    await api.post("/api/channels", json=hook(sink))
    late = await api.put("/api/channels/hook/digest", json={"at": "25:00"})
    problem_in(late, 422, "invalid-input")
    ann = api.as_("ann", "tasks:write")
    theirs = await ann.put("/api/channels/hook/digest", json={"at": "07:30"})
    problem_in(theirs, 404, "not-found")
    on_my_desktop = await ann.put("/api/channels/desktop/digest", json={"at": "07:30"})
    problem_in(on_my_desktop, 403, "insufficient-scope")

"""Slack, ntfy, the signed webhook and Apprise: what each has that others have not."""

import hashlib
import hmac
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.notify.apprise import require_apprise_url
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.core.agenda import Action, Channel
from dome_mcp.core.errors import DeliveryFailed
from tests.conformance.notifier_benches import NOW, options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.webhook_sink import Answer, Posted, WebhookSink, running_webhook_sink

pytestmark = pytest.mark.anyio


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as server:
        yield server


async def sent(channel: Channel, sink: WebhookSink, home: Path, notice=NOTICE) -> Posted:
    notifier = notifiers(options_for(home))[channel.kind]
    await notifier.notify(notice, channel, idempotency_key=KEY)
    return sink.posted[-1]


async def test_slack_cannot_be_made_to_mention_or_to_link(
    sink: WebhookSink, tmp_path: Path
) -> None:
    channel = Channel("work", "me", "slack", sink.url("/services/x"))
    text = "<!channel> & <https://evil.example|click>"
    notice = replace(NOTICE, text=text, snippet=text, actions=(Action("Do|ne", "https://a/?x|y"),))
    posted = await sent(channel, sink, tmp_path, notice)
    message: str = posted.json["blocks"][0]["text"]["text"]
    assert "<!channel>" not in message
    assert "<https://evil" not in message
    assert "<https://a/?x%7Cy|Do/ne>" in message
    assert "<!channel>" not in posted.json["text"]


async def test_slack_says_why_in_a_word_of_its_own(sink: WebhookSink, tmp_path: Path) -> None:
    sink.answer_all(Answer(404, b"channel_not_found"))
    with pytest.raises(DeliveryFailed, match=r"HTTP 404, channel_not_found"):
        await sent(Channel("work", "me", "slack", sink.url("/x")), sink, tmp_path)


async def test_what_a_server_says_in_its_own_words_is_not_repeated(
    sink: WebhookSink, tmp_path: Path
) -> None:
    sink.answer_all(Answer(404, b"No such hook: /services/secret"))
    with pytest.raises(DeliveryFailed) as caught:
        await sent(Channel("work", "me", "slack", sink.url("/x")), sink, tmp_path)
    assert "secret" not in str(caught.value)


async def test_ntfy_gets_its_token_and_gives_its_id(sink: WebhookSink, tmp_path: Path) -> None:
    sink.answer_all(Answer(200, b'{"id": "hwQ2YpKdmg"}'))
    channel = Channel("phone", "me", "ntfy", sink.url("/topic"), (("token", "tk_1"),))
    notifier = notifiers(options_for(tmp_path))["ntfy"]
    assert await notifier.notify(NOTICE, channel, idempotency_key=KEY) == "hwQ2YpKdmg"
    assert sink.posted[0].headers["Authorization"] == "Bearer tk_1"


async def test_ntfy_presses_links_without_opening_them(sink: WebhookSink, tmp_path: Path) -> None:
    posted = await sent(Channel("phone", "me", "ntfy", sink.url("/topic")), sink, tmp_path)
    assert "Authorization" not in posted.headers
    assert [
        (action["action"], action["method"], action["label"]) for action in posted.json["actions"]
    ] == [("http", "POST", "Done"), ("http", "POST", "Snooze 1 h")]


async def test_a_webhooks_signature_is_of_its_body_and_second(
    sink: WebhookSink, tmp_path: Path
) -> None:
    channel = Channel("hook", "me", "webhook", sink.url("/in"), (("secret", "whsec"),))
    posted = await sent(channel, sink, tmp_path)
    second = int(NOW.timestamp())
    expected = hmac.new(b"whsec", f"{second}.".encode() + posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["X-Dome-Signature"] == f"t={second},v1={expected}"


async def test_a_webhook_tells_what_it_is_about(sink: WebhookSink, tmp_path: Path) -> None:
    posted = await sent(Channel("hook", "me", "webhook", sink.url("/in")), sink, tmp_path)
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.headers["Idempotency-Key"] == KEY
    assert "X-Dome-Signature" not in posted.headers
    assert posted.json == {
        "type": "reminder",
        "id": KEY,
        "reminder_id": NOTICE.reminder_id,
        "text": NOTICE.text,
        "when": NOTICE.when,
        "late": NOTICE.late,
        "snippet": NOTICE.snippet,
        "actions": [{"label": action.label, "url": action.url} for action in NOTICE.actions],
    }


async def test_without_apprise_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    channel = Channel("any", "me", "apprise", "json://127.0.0.1/x")
    with pytest.raises(DeliveryFailed) as caught:
        await notifiers(options_for(tmp_path))["apprise"].notify(
            NOTICE, channel, idempotency_key=KEY
        )
    assert 'pip install "dome-mcp[channels]"' in caught.value.hint
    assert not caught.value.retryable


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_url_that_apprise_does_not_know_is_refused() -> None:
    with pytest.raises(DeliveryFailed, match="does not know") as caught:
        require_apprise_url("nosuchservice://s3cret")
    assert not caught.value.retryable
    assert "s3cret" not in str(caught.value)

"""`dome-mcp channel`: what is added, shown, tried and removed."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.cli.conftest import Cli
from tests.simulators.push_service import running_push_service
from tests.simulators.smtp_sink import running_smtp_sink
from tests.simulators.webhook_sink import Answer, WebhookSink, running_webhook_sink


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with running_webhook_sink() as server:
        yield server


def add_hook(cli: Cli, sink: WebhookSink, *more: str) -> dict:
    url = sink.url("/in?token=s3cret")
    return cli("channel", "add", "hook", "--webhook", url, "--allow-private", "--json", *more).json


def test_a_webhook_is_signed_with_the_secret_that_is_shown_once(
    cli: Cli, sink: WebhookSink
) -> None:
    added = add_hook(cli, sink)
    tried = cli("channel", "test", "hook", "--json")
    assert tried.code == 0
    assert tried.json["results"][0]["receipt"] == "HTTP 200"
    (posted,) = sink.posted
    second, mac = re.fullmatch(r"t=(\d+),v1=(\w+)", posted.headers["X-Dome-Signature"]).groups()
    signed = f"{second}.".encode() + posted.body
    assert hmac.new(added["secret"].encode(), signed, hashlib.sha256).hexdigest() == mac
    assert added["secret"] not in cli("channel", "list", "--json").out


def test_what_else_a_webhook_hears_of_is_checked_when_it_is_added(
    cli: Cli, sink: WebhookSink
) -> None:
    add_hook(cli, sink, "--events", "ingestion_complete")
    url = "https://1.1.1.1/in"
    wrong = cli("channel", "add", "other", "--webhook", url, "--events", "no_such")
    assert (wrong.code, "ingestion_complete" in wrong.err) == (2, True)
    ran = cli("channel", "add", "phone", "--ntfy", "https://ntfy.sh/t", "--events", "x")
    assert (ran.code, "webhook" in ran.err) == (2, True)


def test_the_listing_masks_addresses(cli: Cli, sink: WebhookSink) -> None:
    add_hook(cli, sink)
    for words in (("channel", "list"), ("channel", "list", "--json")):
        out = cli(*words).out
        assert "127.0.0.1" in out
        assert "s3cret" not in out


def test_a_private_address_is_refused_when_it_is_added(cli: Cli, sink: WebhookSink) -> None:
    url = f"https://127.0.0.1:{sink.server_port}/s3cret"
    ran = cli("channel", "add", "hook", "--webhook", url)
    assert ran.code == 2
    assert "--allow-private" in ran.err
    assert "s3cret" not in ran.err
    assert cli("channel", "list", "--json").json["channels"] == []


def test_a_test_that_fails_says_why_and_fails(cli: Cli, sink: WebhookSink) -> None:
    add_hook(cli, sink)
    sink.answer_all(Answer(403))
    ran = cli("channel", "test")
    assert ran.code == 1
    assert "refused the notice (HTTP 403)" in ran.out
    assert "s3cret" not in ran.out + ran.err


def test_without_channels_the_test_is_of_the_desktop(cli: Cli) -> None:
    ran = cli("channel", "test", "--json", PATH="")
    assert [result["name"] for result in ran.json["results"]] == ["desktop"]


def test_mail_reaches_its_server(cli: Cli) -> None:
    with running_smtp_sink() as sink:
        address = f"smtp://127.0.0.1:{sink.port}?from=dome@example.com&to=me@example.com&tls=none"
        assert cli("channel", "add", "mail", "--email", "-", stdin=f"{address}\n").code == 0
        assert cli("channel", "test", "mail").code == 0
    assert [message["To"] for message in sink.taken] == ["me@example.com"]


def test_a_channel_only_for_reminders_that_name_it_is_no_default(
    cli: Cli, sink: WebhookSink
) -> None:
    assert add_hook(cli, sink, "--only-when-named")["is_default"] is False
    assert "name no channel" in cli("channel", "list").err


def test_a_name_is_replaced_only_when_asked_for(cli: Cli, sink: WebhookSink) -> None:
    first = add_hook(cli, sink)
    assert add_hook(cli, sink)["error"]["type"] == "conflict"
    assert add_hook(cli, sink, "--replace")["secret"] != first["secret"]


def test_a_removed_channel_is_gone(cli: Cli, sink: WebhookSink) -> None:
    add_hook(cli, sink)
    assert cli("channel", "remove", "hook", "--json").json["removed"] is True
    assert cli("channel", "remove", "hook").code == 2


def test_a_digest_is_set_with_its_channel_moved_and_turned_off(cli: Cli, sink: WebhookSink) -> None:
    def listed() -> object:
        return cli("channel", "list", "--json").json["channels"][0]["digest"]

    add_hook(cli, sink, "--digest", "7:30")
    assert listed() == "07:30"
    moved = cli("channel", "digest", "hook", "19:00", DOME_TIMEZONE="Europe/Berlin")
    assert (moved.code, "every day at 19:00 (Europe/Berlin)" in moved.out) == (0, True)
    assert listed() == "19:00"
    assert cli("channel", "digest", "hook", "off", "--json").json == {
        "name": "hook",
        "digest": None,
    }
    assert listed() is None


def test_a_digest_at_no_time_of_day_is_refused_before_the_channel_is_added(
    cli: Cli, sink: WebhookSink
) -> None:
    assert add_hook(cli, sink, "--digest", "noon")["error"]["type"] == "invalid_input"
    assert cli("channel", "list", "--json").json["channels"] == []
    assert cli("channel", "digest", "hook", "07:30").code == 2


@pytest.mark.parametrize("option", [["--token", "tk"], ["--contact", "mailto:me@example.com"]])
def test_an_option_of_another_kind_is_refused(
    cli: Cli, sink: WebhookSink, option: list[str]
) -> None:
    assert add_hook(cli, sink, *option)["error"]["type"] == "invalid_input"


def test_a_channel_of_no_kind_is_refused(cli: Cli) -> None:
    assert cli("channel", "add", "phone").code == 2


def test_a_browser_subscribes_on_the_page_and_gets_the_test(cli: Cli) -> None:
    with running_push_service(datetime.now(UTC)) as service:
        words = ("channel", "add", "phone", "--webpush", "--port", "0", "--allow-private")
        with cli.start(*words) as process:
            assert process.stderr is not None
            url = next(line.strip() for line in process.stderr if line.startswith("http"))
            token = parse_qs(urlsplit(url).query)["token"][0]
            answer = httpx.post(
                f"http://{urlsplit(url).netloc}/subscription",
                content=service.subscription,
                headers={"X-Dome-Token": token},
                trust_env=False,
            )
            assert answer.status_code == 200
            out, err = process.communicate(timeout=30)
            assert process.returncode == 0, err
        assert "Added phone: webpush" in out
        assert cli("channel", "test", "phone").code == 0
    assert [push["title"] for push in service.pushes] == ["This is a test notice from DOME."]

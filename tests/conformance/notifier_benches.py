"""The drivers of `Notifier` before their receivers, one bench for each kind of channel."""

import html
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import httpx

from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import desktop_channel
from dome_mcp.core.errors import Forbidden
from dome_mcp.core.ports import Notifier
from tests.conformance.notifier_suite import Bench, Failure, Received
from tests.simulators.push_service import running_push_service
from tests.simulators.smtp_sink import HOST as MAIL_HOST
from tests.simulators.smtp_sink import SmtpSink, running_smtp_sink
from tests.simulators.webhook_sink import Answer, Posted, WebhookSink, running_webhook_sink
from tests.sources.certificates import make_certificates

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "s3cret"  # noqa: S105  what no error may hold
BRIEF_SECONDS = 0.2
"""For what never answers; everything else has all the time it needs."""

ANSWERS: dict[Failure, Answer] = {
    "busy": Answer(503, b"later"),
    "refusing": Answer(403, b"no"),
    "silent": Answer(hangs=True),
    "gone": Answer(resets=True),
}


async def nowhere(host: str) -> Sequence[str]:
    """The name server of a machine that knows no public address."""
    raise Forbidden(f"{host!r} is not on the public Internet.")


def options_for(home: Path, **changes: object) -> NotifyOptions:
    """Options for receivers on the loopback."""
    options = NotifyOptions(
        home=home,
        clock=lambda: NOW,
        connect=lambda _: httpx.AsyncHTTPTransport(verify=False, trust_env=False),
        look_up=nowhere,
        platform="linux",
        variables={},
    )
    return replace(options, **changes)  # type: ignore[arg-type]  the caller names real fields


@dataclass
class SinkBench:
    """A driver that posts to the sink; `read` makes of a request what its receiver sees."""

    options: NotifyOptions
    channel: Channel
    sink: WebhookSink
    read: Callable[[Posted], Received]
    secret: str = SECRET
    answers: dict[Failure, Answer] = field(default_factory=lambda: ANSWERS)

    @property
    def notifier(self) -> Notifier:
        return notifiers(self.options)[self.channel.kind]

    def received(self) -> Sequence[Received]:
        return [self.read(posted) for posted in self.sink.posted]

    def will_be(self, failure: Failure) -> None:
        self.sink.answer_all(self.answers[failure])
        if failure == "silent":
            self.options = replace(self.options, timeout_seconds=BRIEF_SECONDS)


@dataclass
class MailBench:
    """The e-mail driver before a mail server."""

    options: NotifyOptions
    sink: SmtpSink
    secret: str = SECRET
    port: int = 0

    @property
    def channel(self) -> Channel:
        query = "from=dome@example.com&to=me@example.com&tls=starttls"
        address = f"smtp://user:{self.secret}@{MAIL_HOST}:{self.port or self.sink.port}?{query}"
        return Channel("mail", "me", "email", address)

    @property
    def notifier(self) -> Notifier:
        return notifiers(self.options)["email"]

    def received(self) -> Sequence[Received]:
        return [_read_mail(message) for message in self.sink.taken]

    def will_be(self, failure: Failure) -> None:
        if failure == "silent":
            self.sink.hangs = True
            self.options = replace(self.options, timeout_seconds=BRIEF_SECONDS)
        elif failure == "gone":
            self.port = 1
        else:
            self.sink.answers["DATA"] = {"busy": "451 later", "refusing": "554 no"}[failure]


@dataclass
class DesktopBench:
    """The desktop driver with a program in place of notify-send that writes down its arguments."""

    options: NotifyOptions
    folder: Path
    secret: str = ""

    @property
    def channel(self) -> Channel:
        return desktop_channel("me")

    @property
    def notifier(self) -> Notifier:
        return notifiers(self.options)["desktop"]

    def received(self) -> Sequence[Received]:
        shown = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [_read_arguments(json.loads(path.read_bytes())) for path in shown]

    def will_be(self, failure: Failure) -> None:
        body = {"busy": "exit 1", "silent": "exec /bin/sleep 10"}[failure]
        _write_program(self.folder / "notify-send", f"#!/bin/sh\n{body}\n")
        if failure == "silent":
            self.options = replace(self.options, timeout_seconds=BRIEF_SECONDS)


@contextmanager
def slack_bench(home: Path) -> Iterator[Bench]:
    with running_webhook_sink() as sink:
        channel = Channel("work", "me", "slack", sink.url("/services/T0/B0/s3cret"))
        yield SinkBench(options_for(home), channel, sink, _read_slack)


@contextmanager
def ntfy_bench(home: Path) -> Iterator[Bench]:
    with running_webhook_sink() as sink:
        sink.answer_all(Answer(200, b'{"id": "hwQ2YpKdmg"}'))
        channel = Channel("phone", "me", "ntfy", sink.url("/s3cret"))
        yield SinkBench(options_for(home), channel, sink, _read_ntfy)


@contextmanager
def webhook_bench(home: Path) -> Iterator[Bench]:
    with running_webhook_sink() as sink:
        channel = Channel("hook", "me", "webhook", sink.url("/in?token=s3cret"))
        yield SinkBench(options_for(home), channel, sink, _read_webhook)


@contextmanager
def webpush_bench(home: Path) -> Iterator[Bench]:
    with running_push_service(NOW) as service:
        channel = Channel("browser", "me", "webpush", service.subscription)

        def read(posted: Posted) -> Received:
            position = service.sink.posted.index(posted)
            return _read_push(service.pushes[position], service.topics[position])

        bench = SinkBench(options_for(home), channel, service.sink, read)
        bench.answers = {**ANSWERS, "refusing": Answer(410, b"unsubscribed")}
        yield bench


@contextmanager
def apprise_bench(home: Path) -> Iterator[Bench]:
    """Apprise's own generic JSON service."""
    with running_webhook_sink() as sink:
        channel = Channel("any", "me", "apprise", f"json://127.0.0.1:{sink.server_port}/s3cret")
        yield SinkBench(
            options_for(home),
            channel,
            sink,
            _read_apprise,
        )


@contextmanager
def email_bench(home: Path) -> Iterator[Bench]:
    home.mkdir(exist_ok=True)
    certificates = make_certificates(home, MAIL_HOST)
    with running_smtp_sink(starttls=certificates.serving, password=SECRET) as sink:
        yield MailBench(options_for(home, tls=certificates.trusting), sink)


@contextmanager
def desktop_bench(home: Path) -> Iterator[Bench]:
    folder = home / "programs"
    folder.mkdir(parents=True)
    script = (
        f"#!{sys.executable}\nimport json, os, sys, time\n"
        f"name = f'{folder}/{{time.time_ns()}}-{{os.getpid()}}'\n"
        "open(name, 'w').write(json.dumps(sys.argv[1:]))\nos.rename(name, f'{name}.json')\n"
    )
    _write_program(folder / "notify-send", script)
    environ = {"PATH": str(folder), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"}
    yield DesktopBench(options_for(home, variables={**os.environ, **environ}), folder)


CANNOT = {
    "desktop": {"actions", "gone", "refusing", "secret"},
    # Its own timeout is seconds long, and it tells no reasons.
    "apprise": {"key", "refusing", "silent"},
}
"""What a kind of channel has no place for."""

BENCHES = {
    "desktop": desktop_bench,
    "email": email_bench,
    "slack": slack_bench,
    "ntfy": ntfy_bench,
    "webhook": webhook_bench,
    "webpush": webpush_bench,
    "apprise": apprise_bench,
}


def _write_program(path: Path, text: str) -> None:
    # In place of the old file, because a program that runs cannot be written.
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o700)


def _read_slack(posted: Posted) -> Received:
    (section,) = posted.json["blocks"]
    text: str = section["text"]["text"]
    urls = tuple(html.unescape(url) for url in re.findall(r"<(https:[^|>]+)\|[^>]+>", text))
    shown = html.unescape(re.sub(r"<https:[^>]+>", "", text))
    assert len(text) <= 3000
    return Received(shown, section["block_id"], urls)


def _read_ntfy(posted: Posted) -> Received:
    content = posted.json
    assert len(content["message"].encode()) <= 4096
    assert (posted.path, content["topic"]) == ("/", "s3cret")
    return Received(
        f"{content['title']}\n{content['message']}",
        content["sequence_id"],
        tuple(action["url"] for action in content["actions"]),
    )


def _read_webhook(posted: Posted) -> Received:
    content = posted.json
    assert content["id"] == posted.headers["Idempotency-Key"]
    text = "\n".join(content[part] for part in ("text", "when", "late", "snippet"))
    return Received(text, content["id"], tuple(action["url"] for action in content["actions"]))


def _read_push(content: dict[str, object], topic: str) -> Received:
    assert content["tag"] == topic
    actions = content["actions"]
    assert isinstance(actions, list)
    urls = tuple(str(action["url"]) for action in actions)
    return Received(f"{content['title']}\n{content['body']}", topic, urls)


def _read_apprise(posted: Posted) -> Received:
    text = f"{posted.json['title']}\n{posted.json['message']}"
    return Received(text, None, tuple(re.findall(r"https://\S+", text)))


def _read_mail(message: EmailMessage) -> Received:
    body = message.get_body(("plain",))
    markup = message.get_body(("html",))
    assert body is not None
    assert message["Bcc"] is None
    assert message["Date"].datetime == NOW
    urls = re.findall(r'href="([^"]+)"', markup.get_content()) if markup else []
    return Received(
        # A mail says its subject again, so that the text can be read by itself.
        body.get_content().replace("\r\n", "\n"),
        message["Message-ID"],
        tuple(html.unescape(url) for url in urls),
    )


def _read_arguments(arguments: list[str]) -> Received:
    *options, marker, title, body = arguments
    assert marker == "--"
    (tag,) = (value for value in options if value.startswith("--hint=string:x-dunst-stack-tag:"))
    return Received(f"{title}\n{html.unescape(body)}", tag)

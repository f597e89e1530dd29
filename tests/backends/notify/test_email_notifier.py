"""E-mail: what is said to the server, in the clear or not, and what its refusals mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from dome_mcp.backends.embedded.notify.registry import NotifyOptions, notifiers
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import PUBLIC_ONLY
from dome_mcp.core.errors import DeliveryFailed
from tests.conformance.notifier_benches import BRIEF_SECONDS, options_for
from tests.conformance.notifier_suite import KEY, NOTICE
from tests.simulators.smtp_sink import HOST, SmtpSink, running_silent_server, running_smtp_sink
from tests.sources.certificates import Certificates, make_certificates

pytestmark = pytest.mark.anyio

PASSWORD = "pass word@1"  # noqa: S105  of a server that lives for one test


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("mail"), HOST)


@pytest.fixture
def options(tmp_path: Path, certificates: Certificates) -> NotifyOptions:
    return options_for(tmp_path, tls=certificates.trusting)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with running_smtp_sink() as server:
        yield server


@contextmanager
def secured(certificates: Certificates) -> Iterator[SmtpSink]:
    with running_smtp_sink(starttls=certificates.serving, password=PASSWORD) as server:
        yield server


async def send(
    port: int,
    options: NotifyOptions,
    *,
    tls: str = "none",
    user: str = "",
    host: str = HOST,
    notice: Notice = NOTICE,
    to: str = "me@example.com",
) -> str:
    address = f"smtp://{user}{host}:{port}?from=dome@example.com&to={to}&tls={tls}"
    channel = Channel("mail", "me", "email", address)
    return await notifiers(options)["email"].notify(notice, channel, idempotency_key=KEY)


async def test_the_receipt_is_the_message_id_and_comes_from_the_key(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    receipts = [await send(sink.port, options) for _ in range(2)]
    assert receipts[0] == receipts[1]
    assert [message["Message-ID"] for message in sink.taken] == receipts


async def test_the_headers_are_those_of_a_machines_mail(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    await send(sink.port, options)
    (message,) = sink.taken
    assert message["Subject"] == NOTICE.text
    assert (message["From"], message["To"]) == ("dome@example.com", "me@example.com")
    assert message["Auto-Submitted"] == "auto-generated"


async def test_a_notice_without_actions_is_plain_text(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    await send(sink.port, options, notice=replace(NOTICE, actions=()))
    (message,) = sink.taken
    assert message.get_content_type() == "text/plain"


async def test_the_html_escapes_what_a_note_says(sink: SmtpSink, options: NotifyOptions) -> None:
    await send(sink.port, options, notice=replace(NOTICE, snippet="<script>alert(1)</script>"))
    markup = sink.taken[0].get_body(("html",))
    assert markup is not None
    assert "<script" not in markup.get_content()


async def test_an_address_of_another_script_is_sent_to(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    await send(sink.port, options, to=quote("zoë@example.com"))
    assert sink.envelopes[0].rcpt_tos == ["zoë@example.com"]


async def test_the_login_goes_over_starttls(
    certificates: Certificates, options: NotifyOptions
) -> None:
    with secured(certificates) as sink:
        user = f"{quote('me@example.com')}:{quote(PASSWORD)}@"
        await send(sink.port, options, tls="starttls", user=user)
    assert sink.logins == ["me@example.com"]
    assert len(sink.taken) == 1


async def test_mail_goes_over_tls_from_the_first_byte(
    certificates: Certificates, options: NotifyOptions
) -> None:
    with running_smtp_sink(tls=certificates.serving) as sink:
        await send(sink.port, options, tls="tls")
    assert len(sink.taken) == 1


async def test_a_wrong_password_is_final(
    certificates: Certificates, options: NotifyOptions
) -> None:
    with secured(certificates) as sink, pytest.raises(DeliveryFailed) as caught:
        await send(sink.port, options, tls="starttls", user="me:wrong-one@")
    assert "password (535)" in caught.value.message
    assert not caught.value.retryable
    assert "wrong-one" not in str(caught.value)


async def test_a_server_without_starttls_is_told_nothing(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    with pytest.raises(DeliveryFailed, match="offers no TLS") as caught:
        await send(sink.port, options, tls="starttls", user="me:secret@")
    assert not caught.value.retryable
    assert (sink.logins, sink.taken) == ([], [])


async def test_a_certificate_of_another_host_is_told_nothing(
    certificates: Certificates, options: NotifyOptions
) -> None:
    with secured(certificates) as sink, pytest.raises(DeliveryFailed, match="certificate"):
        await send(sink.port, options, tls="starttls", user="me:secret@", host="127.0.0.1")
    assert (sink.logins, sink.taken) == ([], [])


@pytest.mark.parametrize(
    ("command", "answer", "is_retryable"),
    [
        ("RCPT", "550 5.1.1 no such user me@example.com", False),
        ("RCPT", "450 4.2.1 greylisted", True),
        ("RCPT", "421 too many connections", True),
        ("DATA", "552 too large", False),
        ("DATA", "451 try later", True),
        ("DATA", "421 closing", True),
    ],
)
async def test_the_first_digit_of_an_answer_decides(
    sink: SmtpSink, options: NotifyOptions, command: str, answer: str, is_retryable: bool
) -> None:
    sink.answers[command] = answer
    with pytest.raises(DeliveryFailed) as caught:
        await send(sink.port, options)
    assert caught.value.retryable is is_retryable
    assert answer[:3] in caught.value.message
    assert "me@example.com" not in caught.value.message


async def test_a_server_that_says_nothing_is_worth_another_try(options: NotifyOptions) -> None:
    with running_silent_server() as port, pytest.raises(DeliveryFailed, match="in time") as caught:
        await send(port, replace(options, timeout_seconds=BRIEF_SECONDS))
    assert caught.value.retryable


async def test_a_stored_address_that_cannot_be_read_is_final(options: NotifyOptions) -> None:
    channel = Channel("mail", "me", "email", "smtp://user:secret@host")
    with pytest.raises(DeliveryFailed) as caught:
        await notifiers(options)["email"].notify(NOTICE, channel, idempotency_key=KEY)
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)


def public_only(address: str) -> Channel:
    """A channel that was added by somebody who may not reach into this machine's network."""
    return Channel("mail", "me", "email", address, ((PUBLIC_ONLY, "true"),))


async def test_a_server_that_must_be_public_and_turned_private_is_refused_without_a_connection(
    sink: SmtpSink, options: NotifyOptions
) -> None:
    address = f"smtp://{HOST}:{sink.port}?from=dome@example.com&to=me@example.com&tls=none"
    with pytest.raises(DeliveryFailed, match="private network") as caught:
        await notifiers(options)["email"].notify(NOTICE, public_only(address), idempotency_key=KEY)
    assert not caught.value.retryable
    assert sink.taken == []


async def test_a_server_that_must_be_public_is_reached_at_the_address_that_was_checked(
    tmp_path: Path,
) -> None:
    certificates = make_certificates(tmp_path, "mail.example")

    async def look_up(host: str) -> list[str]:
        return {"mail.example": [HOST]}[host]

    options = options_for(tmp_path, tls=certificates.trusting, look_up=look_up)
    with running_smtp_sink(starttls=certificates.serving, password=PASSWORD) as server:
        user = f"me:{quote(PASSWORD)}"
        address = f"smtp://{user}@mail.example:{server.port}?from=d@example.com&to=me@example.com"
        channel = public_only(address)
        await notifiers(options)["email"].notify(NOTICE, channel, idempotency_key=KEY)
    assert len(server.taken) == 1

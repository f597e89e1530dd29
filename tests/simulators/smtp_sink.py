"""A mail server on the loopback: TLS and AUTH where a test wants them, refusals as it says."""

import email
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import cast

import anyio
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "localhost"


@dataclass
class SmtpSink:
    """The server's side: what it took, and its answer to each command that is not the usual one.

    `answers` are by command: `RCPT`, `DATA`. With `hangs` the answer to DATA never comes.
    """

    port: int = 0
    password: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    taken: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.hangs:
            await anyio.sleep_forever()
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            content = cast(bytes, envelope.original_content)
            message = email.message_from_bytes(content, policy=default)
            self.taken.append(cast(EmailMessage, message))
            self.envelopes.append(envelope)
        return answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@contextmanager
def running_smtp_sink(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    password: str | None = None,
) -> Iterator[SmtpSink]:
    """A sink; with a context it demands that kind of TLS, with `password` a login by STARTTLS."""
    sink = SmtpSink(port=_free_port(), password=password)
    controller = Controller(
        sink,
        hostname="127.0.0.1",
        port=sink.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=password is not None,
        authenticator=sink.authenticate if password is not None else None,
        enable_SMTPUTF8=True,
    )
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


@contextmanager
def running_silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def _free_port() -> int:
    # aiosmtpd asks its own port whether it listens, so it has to be told which.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

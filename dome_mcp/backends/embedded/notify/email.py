"""E-mail by SMTP, in a worker thread, with the standard library."""

import smtplib
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import anyio
import anyio.to_thread

from dome_mcp.backends.embedded.notify.letters import letter_of
from dome_mcp.backends.embedded.notify.wording import key_digest
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import PUBLIC_ONLY, option
from dome_mcp.core.errors import BackendUnavailable, DeliveryFailed, Forbidden, InvalidInput
from dome_mcp.core.mail_routes import MailRoute, mail_route

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host, all of them public; raises Forbidden, InvalidInput or
BackendUnavailable."""

_MAX_THREADS = 20
_READY = 220


class EmailNotifier:
    """Hands mail to the user's server; the key is in the Message-ID, which is the receipt.

    `tls` verifies the server's certificate; None stands for the machine's trusted authorities.
    """

    kind = "email"

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        timeout_seconds: float,
        look_up: LookUp,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._look_up = look_up
        # Its own threads: servers that hang must not take those that others wait for.
        self._threads = anyio.CapacityLimiter(_MAX_THREADS)
        self._tls = tls

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`."""
        try:
            route = mail_route(channel.address)
        except InvalidInput as error:
            raise DeliveryFailed(error.message, error.hint, retryable=False) from error
        message = mail_of(notice, route, idempotency_key, now=self._clock())
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(ssl.create_default_context)
        address = await self._address(route, channel)
        session = _Session(route, address, self._tls, timeout_seconds=self._timeout_seconds)
        try:
            with anyio.fail_after(self._timeout_seconds * 3):
                # The thread is left behind at the deadline, and ends when its socket closes.
                await anyio.to_thread.run_sync(
                    session.send, message, abandon_on_cancel=True, limiter=self._threads
                )
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise _translated(error) from error
        finally:
            session.break_off()
        return str(message["Message-ID"])

    async def _address(self, route: MailRoute, channel: Channel) -> str:
        """What to connect to: the host, or the address of one that has to be public."""
        if not option(channel, PUBLIC_ONLY):
            return route.host
        try:
            with anyio.fail_after(self._timeout_seconds):
                return (await self._look_up(route.host))[0]
        except Forbidden as error:
            raise DeliveryFailed(
                "The mail server is in a private network.",
                "If it is yours, add the channel on the machine itself.",
                retryable=False,
            ) from error
        except (InvalidInput, BackendUnavailable, TimeoutError) as error:
            # Before the network is up, no name is found.
            raise DeliveryFailed("The mail server was not found.", retryable=True) from error


def mail_of(
    notice: Notice, route: MailRoute, idempotency_key: str, *, now: datetime
) -> EmailMessage:
    """The notice as a message of the route's sender."""
    message = EmailMessage(policy=SMTP)
    letter = letter_of(notice)
    message["Subject"] = letter.subject
    message["From"] = route.sender
    message["To"] = route.recipient
    message["Date"] = format_datetime(now)
    domain = route.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{key_digest(idempotency_key)}@{domain}>"
    # Keeps vacation notices and ticket systems from answering a machine.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.html:
        message.add_alternative(letter.html, subtype="html")
    return message


def _translated(error: Exception) -> DeliveryFailed:
    """The failure, told by the server's code alone: what it says in words may quote addresses."""
    code = _code(error)
    if isinstance(error, smtplib.SMTPAuthenticationError) and code >= 500:
        return DeliveryFailed(
            f"The mail server refused the user name or password ({code}).",
            "Add the channel again with the right ones.",
            retryable=False,
        )
    # A UnicodeError is a character that the protocol has no way to send.
    if isinstance(error, smtplib.SMTPNotSupportedError | UnicodeError):
        return DeliveryFailed(
            "The mail server offers no TLS, or no login, or none for such names.",
            "Check the port, tls and user of the channel's address.",
            retryable=False,
        )
    if code >= 500:
        return DeliveryFailed(
            f"The mail server refused the message ({code}).",
            "Check the addresses in from and to.",
            retryable=False,
        )
    if code:
        return DeliveryFailed(f"The mail server cannot take it now ({code}).", retryable=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return DeliveryFailed(
            "The mail server's certificate does not prove its name.",
            "Check the host of the channel's address.",
            retryable=True,
        )
    # smtplib calls a read that timed out a disconnection.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return DeliveryFailed("The mail server did not answer in time.", retryable=True)
    return DeliveryFailed("The mail server cannot be reached.", retryable=True)


def _code(error: Exception) -> int:
    """The server's answer, 0 where there was none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((code for code, _ in error.recipients.values()), 0)
    # smtplib says -1 for an answer that was cut off.
    return max(error.smtp_code, 0) if isinstance(error, smtplib.SMTPResponseException) else 0


class _Session:
    """One connection, which the thread that waits for it may break off."""

    def __init__(
        self, route: MailRoute, address: str, tls: ssl.SSLContext, *, timeout_seconds: float
    ) -> None:
        self._route = route
        self._address = address
        self._tls = tls
        self._timeout_seconds = timeout_seconds
        self._server: smtplib.SMTP | None = None
        self._is_broken_off = False

    def send(self, message: EmailMessage) -> None:
        """Returns when the server has taken the message."""
        server = self._server = self._connected()
        try:
            self._log_in(server)
            if self._is_broken_off:
                raise TimeoutError  # Nobody waits any more, and the next attempt is to come.
            server.send_message(message)
            # Whatever happens now, the message is with the server.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()

    def break_off(self) -> None:
        """Ends the connection, in the middle of whatever it is at; nothing where it has ended."""
        self._is_broken_off = True
        sock = self._server.sock if self._server else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> smtplib.SMTP:
        # A name of our own, because smtplib would ask the name server for one.
        own_name = "[127.0.0.1]"
        route, timeout = self._route, self._timeout_seconds
        server = (
            smtplib.SMTP_SSL(local_hostname=own_name, timeout=timeout, context=self._tls)
            if route.tls == "tls"
            else smtplib.SMTP(local_hostname=own_name, timeout=timeout)
        )
        # Connected to the address, but proved to be the host: smtplib has no other place for that.
        server._host = route.host  # pyright: ignore[reportAttributeAccessIssue]  as said above
        code, said = server.connect(self._address, route.port)
        if code != _READY:
            server.close()
            raise smtplib.SMTPConnectError(code, said)
        return server

    def _log_in(self, server: smtplib.SMTP) -> None:
        if self._route.tls == "starttls":
            server.starttls(context=self._tls)
        if self._route.password is not None:
            server.login(self._route.user or "", self._route.password)

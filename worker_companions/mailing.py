"""E-mail by a Worker's binding `EMAIL`: Cloudflare's Email Service, without a token.

A Worker reaches no mail server: a channel with one is left to a companion that does.

Source: https://developers.cloudflare.com/email-service/api/send-emails/workers-api/ (2026-11).
"""

import asyncio

import js  # pyright: ignore[reportMissingImports] - only in a Worker
from pyodide.ffi import JsException, to_js  # pyright: ignore[reportMissingImports] - as above
from workers import import_from_javascript

from dome_mcp.backends.cloudflare.mails import failure_of, mail_of
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.awaiting import awaited
from dome_mcp.core.errors import DeliveryFailed, NotServed

_SEND = "worker_companions/mailing.js"


class BindingMail:
    """The `Notifier` of mail by the binding; `sender` writes where an address does not say who."""

    kind = "email"

    def __init__(self, *, sender: str | None, timeout_seconds: float) -> None:
        self._sender = sender
        self._timeout_seconds = timeout_seconds

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; the receipt is Cloudflare's Message-ID."""
        mail = mail_of(notice, channel, idempotency_key, sender=self._sender)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                mailer = import_from_javascript(_SEND)
                receipt = await mailer.send(to_js(mail, dict_converter=js.Object.fromEntries))
        except TimeoutError as error:
            raise DeliveryFailed("Cloudflare did not answer in time.", retryable=True) from error
        except JsException as error:
            raise failure_of(str(getattr(error, "code", None) or "")) from error
        return str(receipt)


class OutOfReach:
    """The `Notifier` of mail that another companion has to send."""

    kind = "email"

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """Raises `NotServed`."""
        del notice, idempotency_key
        raise NotServed(awaited(channel))

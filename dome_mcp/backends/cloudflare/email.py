"""E-mail by Cloudflare's Email Service, for channels whose address is `cloudflare:…`.

On every plan it takes mail to the account's verified destination addresses, free and uncounted;
to anybody else only from a domain that was onboarded for sending, on a paid plan.

Source: https://developers.cloudflare.com/email-service/api/send-emails/rest-api/ and
https://developers.cloudflare.com/email-service/platform/limits/ (2026-11).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.refusals import Refusal, Verdict
from dome_mcp.backends.embedded.notify.letters import letter_of
from dome_mcp.backends.embedded.notify.wording import key_digest
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.errors import BackendError, BackendRejected, DeliveryFailed, InvalidInput
from dome_mcp.core.mail_routes import CloudflareRoute, cloudflare_route

KEY_HEADER = "X-Dome-Notice"
"""Holds the key's digest: Cloudflare makes the Message-ID itself and refuses one of ours.

Source: https://developers.cloudflare.com/email-service/reference/headers/ (2026-11).
"""
TIMEOUT_SECONDS = 15.0

_PATIENCE = 3
"""So many timeouts are waited where Cloudflare asks to slow down; then the delivery's own pause is
better, because its lease would run out."""
_BACKEND = "email"
_NOT_TAKEN = {
    10200: ("The mail is too big for Cloudflare.", "Shorten the reminder's text."),
    10202: (
        "Cloudflare refuses the mail's content or addresses.",
        "Check the addresses: from is of a domain of the account, to is a verified destination.",
    ),
    10102: ("The token may not send mail.", "Give it the permission to send e-mail."),
    10105: (
        "The account may not send mail to this address.",
        "Verify it as a destination address (Email Routing), or use the Workers Paid plan.",
    ),
    10203: (
        "Sending is switched off for the sender's domain.",
        "Set the domain up in the dashboard under Email Service, or send from another.",
    ),
}
"""What refusals mean, by Cloudflare's code; the rest is read by the HTTP status."""


class CloudflareEmail:
    """The `Notifier` of e-mail channels whose mail Cloudflare takes.

    `sender` is who writes where a channel's address does not say. A repetition of a notice has the
    same `X-Dome-Notice`, and the same `References`, which puts it into one conversation with the
    first.
    """

    kind = "email"

    def __init__(
        self,
        api: CloudflareApi,
        *,
        sender: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._api = api
        self._sender = sender
        self._timeout_seconds = timeout_seconds

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`. The receipt is Cloudflare's Message-ID, or `delivered` or `queued`.

        A request without an answer is not sent again here, because the mail may be on its way.
        """
        try:
            route = cloudflare_route(channel.address)
        except InvalidInput as error:
            raise DeliveryFailed(error.message, error.hint, retryable=False) from error
        mail = self._mail(notice, route, key_digest(idempotency_key))
        try:
            with anyio.fail_after(self._timeout_seconds * _PATIENCE):
                result = await self._sent(mail)
        except TimeoutError as error:
            raise DeliveryFailed("Cloudflare did not answer in time.", retryable=True) from error
        except BackendError as error:
            raise DeliveryFailed(
                error.message,
                error.hint,
                retryable=not isinstance(error, BackendRejected),
                retry_after=getattr(error, "retry_after", None),
            ) from error
        return _receipt(result if isinstance(result, dict) else {}, route.recipient)

    async def _sent(self, mail: Mapping[str, Any]) -> Any:
        return await self._api.call(
            "POST",
            "/email/sending/send",
            backend=_BACKEND,
            operation="send",
            json=mail,
            is_repeatable=False,
            timeout_seconds=self._timeout_seconds,
            reader=_read,
        )

    def _mail(self, notice: Notice, route: CloudflareRoute, digest: str) -> Mapping[str, Any]:
        sender = route.sender or self._sender
        if sender is None:
            raise DeliveryFailed(
                "Nobody is named who writes the mail.",
                "Add ?from=dome@your-domain to the channel's address.",
                retryable=False,
            )
        letter = letter_of(notice)
        mail: dict[str, Any] = {
            "from": sender,
            "to": route.recipient,
            "subject": letter.subject or "Reminder",
            "text": letter.text,
            "headers": {
                KEY_HEADER: digest,
                "References": f"<{digest}@{sender.rpartition('@')[2]}>",
                # Keeps vacation notices and ticket systems from answering a machine.
                "Auto-Submitted": "auto-generated",
            },
        }
        if letter.html:
            mail["html"] = letter.html
        return mail


def _receipt(result: Mapping[str, Any], recipient: str) -> str:
    """What names the mail at Cloudflare; all fields are optional.

    Raises:
        DeliveryFailed: the recipient's server, or the list of those who want no mail, refused it.
    """
    if _holds(result.get("suppressed_recipients"), recipient):
        raise DeliveryFailed(
            "The address is on the account's suppression list.",
            "Take it off the list in the dashboard, under Email Service.",
            retryable=False,
        )
    if _holds(result.get("permanent_bounces"), recipient):
        raise DeliveryFailed(
            "The recipient's mail server refused the mail for good.",
            "Check the address that the channel sends to.",
            retryable=False,
        )
    taken = "queued" if _holds(result.get("queued"), recipient) else "delivered"
    return str(result.get("message_id") or taken)


def _holds(addresses: Sequence[str] | None, recipient: str) -> bool:
    return any(str(each).lower() == recipient.lower() for each in addresses or ())


def _read(refusal: Refusal) -> Verdict | None:
    if refusal.code not in _NOT_TAKEN:
        return None
    message, hint = _NOT_TAKEN[refusal.code]
    return Verdict(BackendRejected(refusal.backend, refusal.operation, message, hint))

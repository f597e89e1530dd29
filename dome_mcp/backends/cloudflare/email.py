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
from dome_mcp.backends.cloudflare.mails import (
    NOT_ENTITLED,
    REFUSED,
    SUPPRESSED,
    SWITCHED_OFF,
    TOO_BIG,
    mail_of,
)
from dome_mcp.backends.cloudflare.verdicts import Refusal, Verdict
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.errors import BackendError, BackendRejected, DeliveryFailed

TIMEOUT_SECONDS = 15.0

_PATIENCE = 3
"""So many timeouts are waited where Cloudflare asks to slow down; then the delivery's own pause is
better, because its lease would run out."""
_BACKEND = "email"
_PER_PAGE = 50
_MOST_PAGES = 20
_NOT_TAKEN = {
    10200: TOO_BIG,
    10202: REFUSED,
    10102: ("The token may not send mail.", "Give it the permission to send e-mail."),
    10105: NOT_ENTITLED,
    10203: SWITCHED_OFF,
}
"""What refusals mean, by Cloudflare's code; the rest is read by the HTTP status."""


async def destination_addresses(api: CloudflareApi) -> Mapping[str, bool]:
    """The account's destination addresses in small letters, and whether each was verified.

    Raises:
        BackendRejected: the token lacks the permission Email Routing Addresses Read.
        BackendError: they cannot be read.
    """
    found: dict[str, bool] = {}
    for page in range(1, _MOST_PAGES + 1):
        listed = await api.call(
            "GET",
            "/email/routing/addresses",
            params={"page": page, "per_page": _PER_PAGE},
            backend=_BACKEND,
            operation="addresses",
            is_repeatable=True,
        )
        found |= {str(each["email"]).lower(): bool(each.get("verified")) for each in listed or []}
        if len(listed or []) < _PER_PAGE:
            break
    return found


class CloudflareEmail:
    """The `Notifier` of e-mail channels whose mail Cloudflare takes.

    `sender` is who writes where a channel's address does not say.
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
        mail = mail_of(notice, channel, idempotency_key, sender=self._sender)
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
        return _receipt(result if isinstance(result, dict) else {}, str(mail["to"]))

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


def _receipt(result: Mapping[str, Any], recipient: str) -> str:
    """What names the mail at Cloudflare; all fields are optional.

    Raises:
        DeliveryFailed: the recipient's server, or the list of those who want no mail, refused it.
    """
    if _holds(result.get("suppressed_recipients"), recipient):
        raise DeliveryFailed(*SUPPRESSED, retryable=False)
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

"""A notice as a mail that Cloudflare takes, and what its refusals mean: by REST and by a binding.

This runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/email-service/api/send-emails/workers-api/ and
https://developers.cloudflare.com/email-service/api/send-emails/rest-api/ (2026-11).
"""

from typing import Any

from dome_mcp.backends.embedded.notify.letters import letter_of
from dome_mcp.backends.embedded.notify.wording import key_digest
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.errors import DeliveryFailed, InvalidInput
from dome_mcp.core.mail_routes import cloudflare_route

KEY_HEADER = "X-Dome-Notice"
"""Holds the key's digest: Cloudflare makes the Message-ID itself and refuses one of ours.

Source: https://developers.cloudflare.com/email-service/reference/headers/ (2026-11).
"""

TOO_BIG = ("The mail is too big for Cloudflare.", "Shorten the reminder's text.")
REFUSED = (
    "Cloudflare refuses the mail's content or addresses.",
    "Check the addresses: from is of a domain of the account, to is a verified destination.",
)
NOT_ENTITLED = (
    "The account may not send mail to this address.",
    "Verify it as a destination address (Email Routing), or use the Workers Paid plan.",
)
SWITCHED_OFF = (
    "Sending is switched off for the sender's domain.",
    "Set the domain up in the dashboard under Email Service, or send from another.",
)
SUPPRESSED = (
    "The address is on the account's suppression list.",
    "Take it off the list in the dashboard, under Email Service.",
)

_FINAL = {
    "E_VALIDATION_ERROR": REFUSED,
    "E_FIELD_MISSING": REFUSED,
    "E_SENDER_NOT_VERIFIED": SWITCHED_OFF,
    "E_SENDER_DOMAIN_NOT_AVAILABLE": SWITCHED_OFF,
    "E_RECIPIENT_NOT_ALLOWED": NOT_ENTITLED,
    "E_RECIPIENT_SUPPRESSED": SUPPRESSED,
    "E_CONTENT_TOO_LARGE": TOO_BIG,
}
"""What a binding throws where another try is of no use; the other codes may pass with time."""


def mail_of(
    notice: Notice, channel: Channel, idempotency_key: str, *, sender: str | None
) -> dict[str, Any]:
    """The mail as JSON; `sender` is who writes where the channel's address does not say.

    A repetition of a notice has the same `X-Dome-Notice`, and the same `References`, which puts it
    into one conversation with the first.

    Raises:
        DeliveryFailed: the address is none, or nobody is named who writes.
    """
    try:
        route = cloudflare_route(channel.address)
    except InvalidInput as error:
        raise DeliveryFailed(error.message, error.hint, retryable=False) from error
    writer = route.sender or sender
    if not writer:
        raise DeliveryFailed(
            "Nobody is named who writes the mail.",
            "Add ?from=dome@your-domain to the channel's address.",
            retryable=False,
        )
    letter, digest = letter_of(notice), key_digest(idempotency_key)
    mail: dict[str, Any] = {
        "from": writer,
        "to": route.recipient,
        "subject": letter.subject or "Reminder",
        "text": letter.text,
        "headers": {
            KEY_HEADER: digest,
            "References": f"<{digest}@{writer.rpartition('@')[2]}>",
            # Keeps vacation notices and ticket systems from answering a machine.
            "Auto-Submitted": "auto-generated",
        },
    }
    if letter.html:
        mail["html"] = letter.html
    return mail


def failure_of(code: str) -> DeliveryFailed:
    """What a binding's refusal means, by its `code`; an empty one where it has none."""
    if code in _FINAL:
        return DeliveryFailed(*_FINAL[code], retryable=False)
    said = f" ({code})" if code else ""
    return DeliveryFailed(f"Cloudflare cannot take the mail now{said}.", retryable=True)

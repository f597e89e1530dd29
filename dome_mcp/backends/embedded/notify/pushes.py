"""Web Push: what a browser is sent, and how it is posted, whoever encrypts it.

This runs inside Workers too, so it imports the standard library alone.
"""

import json
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from dome_mcp.backends.embedded.notify.replies import Posting, Reply, require_taken
from dome_mcp.backends.embedded.notify.wording import (
    details,
    fitted,
    headline,
    key_digest,
    plain,
    utf8_bytes,
)
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import CONTACT, PushSubscription, option, push_subscription
from dome_mcp.core.errors import DeliveryFailed, InvalidInput

_TITLE = 100
_MAX_ACTIONS = 2
# A push service takes 4096 bytes, of which encryption needs 103 (RFC 8291, section 4).
_MAX_PAYLOAD_BYTES = 3900
_KEPT_SECONDS = 86_400
_TOKEN_LIFE = timedelta(hours=12)
_DEFAULT_CONTACT = "mailto:dome@example.com"
_SERVICE = "The push service"


class Seal(Protocol):
    """Encrypts for one browser, and signs as this installation."""

    async def __call__(
        self, payload: bytes, subscription: PushSubscription, contact: str
    ) -> tuple[bytes, str]:
        """The body as aes128gcm, and the `Authorization` header (RFC 8292).

        Raises:
            DeliveryFailed: the subscription's keys are none, or ours cannot be used.
        """
        ...


class WebPushNotifier:
    """Encrypts for the browser and posts to its maker's push service.

    The key is the message's `Topic`, so that a repetition replaces one that still waits, and the
    notice's tag, so that it replaces one that is shown.
    """

    kind = "webpush"

    def __init__(self, poster: Posting, seal: Seal) -> None:
        self._poster = poster
        self._seal = seal

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; a receipt means that the push service has it, not yet the browser."""
        try:
            subscription = push_subscription(channel.address)
        except InvalidInput as error:
            raise DeliveryFailed(error.message, error.hint, retryable=False) from error
        contact = option(channel, CONTACT) or _DEFAULT_CONTACT
        body, authorization = await self._seal(
            payload_of(notice, idempotency_key), subscription, contact
        )
        reply = await self._poster.post(
            subscription.endpoint,
            channel,
            service=_SERVICE,
            content=body,
            content_type="application/octet-stream",
            headers={
                "Authorization": authorization,
                "Content-Encoding": "aes128gcm",
                "TTL": str(_KEPT_SECONDS),
                "Urgency": "high",
                "Topic": key_digest(idempotency_key),
            },
        )
        _require_subscribed(reply)
        require_taken(reply, _SERVICE)
        return f"HTTP {reply.status}"


def payload_of(notice: Notice, idempotency_key: str) -> bytes:
    """The notice as pages/worker.js reads it, in at most 3,900 bytes."""
    title = headline(notice, _TITLE)
    content: dict[str, object] = {
        "title": title,
        "tag": key_digest(idempotency_key),
        "actions": [
            {"title": plain(action.label), "url": action.url}
            for action in notice.actions[:_MAX_ACTIONS]
        ],
    }

    def whole(body: str) -> str:
        return json.dumps({**content, "body": body}, ensure_ascii=False)

    body = fitted(
        details(notice, after=title),
        _MAX_PAYLOAD_BYTES,
        size=lambda text: utf8_bytes(whole(text)),
    )
    return whole(body).encode()


def claims(endpoint: str, contact: str, *, now: datetime) -> dict[str, str | int]:
    """What the sender signs: for which push service, until when, and who may be asked."""
    parts = urlsplit(endpoint)
    return {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "sub": contact,
        "exp": int((now + _TOKEN_LIFE).timestamp()),
    }


def damaged_subscription() -> DeliveryFailed:
    """Says that a subscription's keys are no keys."""
    return DeliveryFailed(
        "The browser's subscription is damaged.",
        "Add the channel again with `dome-mcp channel add NAME --webpush --replace`.",
        retryable=False,
    )


def _require_subscribed(reply: Reply) -> None:
    if reply.status in (404, 410):
        raise DeliveryFailed(
            f"The browser is no longer subscribed (HTTP {reply.status}).",
            "Subscribe it again with `dome-mcp channel add NAME --webpush --replace`.",
            retryable=False,
        )

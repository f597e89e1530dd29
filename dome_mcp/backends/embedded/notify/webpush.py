"""Web Push: a notice in a browser, on this machine or a phone, also when no page is open."""

import importlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import anyio.to_thread

from dome_mcp.backends.embedded.notify.apprise import EXTRA_HINT
from dome_mcp.backends.embedded.notify.posting import Poster, Reply, require_taken
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


class WebPushNotifier:
    """Encrypts for the browser and posts to its maker's push service.

    The key is the message's `Topic`, so that a repetition replaces one that still waits, and the
    notice's tag, so that it replaces one that is shown. `home` is where the keys are.
    """

    kind = "webpush"

    def __init__(self, poster: Poster, *, home: Path, clock: Callable[[], datetime]) -> None:
        self._poster = poster
        self._home = home
        self._clock = clock

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; a receipt means that the push service has it, not yet the browser."""
        try:
            subscription = push_subscription(channel.address)
        except InvalidInput as error:
            raise DeliveryFailed(error.message, error.hint, retryable=False) from error
        payload = payload_of(notice, idempotency_key)
        contact = option(channel, CONTACT) or _DEFAULT_CONTACT
        body, authorization = await anyio.to_thread.run_sync(
            self._sealed, payload, subscription, contact
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

    def _sealed(
        self, payload: bytes, subscription: PushSubscription, contact: str
    ) -> tuple[bytes, str]:
        vapid = load_vapid()
        authorization: str = vapid.authorization(
            subscription.endpoint,
            vapid.load_keys(self._home),
            contact=contact,
            expires_at=self._clock() + _TOKEN_LIFE,
        )
        return vapid.encrypt(payload, subscription), authorization


def load_vapid() -> ModuleType:
    """The module with the cryptography of Web Push, whose libraries are an extra.

    Raises:
        DeliveryFailed: they are not installed.
    """
    try:
        return importlib.import_module("dome_mcp.backends.embedded.notify.vapid")
    except ImportError as error:
        raise DeliveryFailed(
            "This channel needs pywebpush, which is not installed.", EXTRA_HINT, retryable=False
        ) from error


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


def _require_subscribed(reply: Reply) -> None:
    if reply.status in (404, 410):
        raise DeliveryFailed(
            f"The browser is no longer subscribed (HTTP {reply.status}).",
            "Subscribe it again with `dome-mcp channel add NAME --webpush --replace`.",
            retryable=False,
        )

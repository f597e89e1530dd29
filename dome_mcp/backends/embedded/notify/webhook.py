"""A generic webhook: JSON, signed as Stripe and others sign, so that receivers know the check."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime

from dome_mcp.backends.embedded.notify.replies import Posting, require_taken
from dome_mcp.backends.embedded.notify.wording import plain
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import SECRET, option

SIGNATURE_HEADER = "X-Dome-Signature"


class WebhookNotifier:
    """Posts the notice whole; the key is in `Idempotency-Key` and in `id`."""

    kind = "webhook"

    def __init__(self, poster: Posting, *, clock: Callable[[], datetime]) -> None:
        self._poster = poster
        self._clock = clock

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`."""
        message = _message(notice, idempotency_key)
        return await self.tell(message, channel, idempotency_key=idempotency_key)

    async def tell(
        self, message: Mapping[str, object], channel: Channel, *, idempotency_key: str
    ) -> str:
        """Posts a message of any `type`, signed as notices are; the rest is as for `notify`."""
        content = json.dumps(message, ensure_ascii=False).encode()
        headers = {"Idempotency-Key": idempotency_key}
        if secret := option(channel, SECRET):
            headers[SIGNATURE_HEADER] = signature(content, secret, at=self._clock())
        reply = await self._poster.post(
            channel.address, channel, service="The webhook", content=content, headers=headers
        )
        require_taken(reply, "The webhook")
        return f"HTTP {reply.status}"


def signature(content: bytes, secret: str, *, at: datetime) -> str:
    """`t=…,v1=…`: the second of signing, and the HMAC-SHA256 of `t.content` in hexadecimal."""
    second = int(at.timestamp())
    signed = hmac.new(secret.encode(), f"{second}.".encode() + content, hashlib.sha256)
    return f"t={second},v1={signed.hexdigest()}"


def _message(notice: Notice, idempotency_key: str) -> dict[str, object]:
    return {
        "type": notice.kind,
        "id": idempotency_key,
        "reminder_id": notice.reminder_id,
        "text": plain(notice.text),
        "when": plain(notice.when),
        "late": plain(notice.late),
        "snippet": plain(notice.snippet),
        "actions": [{"label": action.label, "url": action.url} for action in notice.actions],
    }

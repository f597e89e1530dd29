"""ntfy: push to phones by topic, over ntfy.sh or a server of one's own."""

import json

from dome_mcp.backends.embedded.notify.replies import Posting, require_taken
from dome_mcp.backends.embedded.notify.wording import (
    cut,
    details,
    fitted,
    headline,
    key_digest,
    plain,
    utf8_bytes,
)
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.channels import TOKEN, ntfy_topic, option

# Source: https://docs.ntfy.sh/config/ (2026-11): message-size-limit 4K, longer becomes a file.
_MAX_MESSAGE_BYTES = 3900
_TITLE = 200
_MAX_ACTIONS = 3
_LABEL = 40


class NtfyNotifier:
    """Publishes as JSON, which carries any script where headers carry ASCII alone.

    The key is the message's sequence id: a server from 2.16 on shows a repetition in place of the
    first. Source: https://docs.ntfy.sh/publish/ (2026-11).
    """

    kind = "ntfy"

    def __init__(self, poster: Posting) -> None:
        self._poster = poster

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; the receipt is the server's id of the message."""
        server, topic = ntfy_topic(channel.address)
        headers = {"Idempotency-Key": idempotency_key}
        if token := option(channel, TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        reply = await self._poster.post(
            server,
            channel,
            service="The ntfy server",
            content=json.dumps(_message(notice, topic, idempotency_key)).encode(),
            headers=headers,
        )
        require_taken(reply, "The ntfy server")
        return str(reply.content.get("id") or f"HTTP {reply.status}")[:100]


def _message(notice: Notice, topic: str, idempotency_key: str) -> dict[str, object]:
    title = headline(notice, _TITLE)
    return {
        "topic": topic,
        "title": title,
        "message": fitted(
            details(notice, after=title) or title, _MAX_MESSAGE_BYTES, size=utf8_bytes
        ),
        "tags": ["alarm_clock"],
        "priority": 4,
        "sequence_id": key_digest(idempotency_key),
        "actions": [
            {
                "action": "http",
                "label": cut(plain(action.label), _LABEL),
                "url": action.url,
                "method": "POST",
                "clear": True,
            }
            for action in notice.actions[:_MAX_ACTIONS]
        ],
    }

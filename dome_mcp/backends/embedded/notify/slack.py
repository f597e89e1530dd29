"""Slack, by incoming webhook; also what imitates it, such as Mattermost."""

import json
import re

from dome_mcp.backends.embedded.notify.replies import Posting, require_taken
from dome_mcp.backends.embedded.notify.wording import details, fitted, headline, key_digest, plain
from dome_mcp.core.agenda import Channel, Notice

# Source: https://docs.slack.dev/reference/block-kit/blocks/section-block (2026-11): 3,000.
_MAX_TEXT = 3000
_HEADLINE = 150
_ERROR = re.compile(r"[a-z_]{3,40}")


class SlackNotifier:
    """Sends Block Kit; the key is in `block_id` and in a header."""

    kind = "slack"

    def __init__(self, poster: Posting) -> None:
        self._poster = poster

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; Slack itself does not tell a repetition."""
        reply = await self._poster.post(
            channel.address,
            channel,
            service="Slack",
            content=json.dumps(_message(notice, idempotency_key)).encode(),
            headers={"Idempotency-Key": idempotency_key},
        )
        said = reply.body.decode("utf-8", "replace").strip()
        require_taken(reply, "Slack", reason=said if _ERROR.fullmatch(said) else "")
        return f"HTTP {reply.status}"


def _message(notice: Notice, idempotency_key: str) -> dict[str, object]:
    title = headline(notice, _HEADLINE)
    links = " · ".join(_link(action.label, action.url) for action in notice.actions)
    top = f"*{_escaped(title).replace('*', '∗')}*"
    # The links are never cut, for half a link is none.
    body = fitted(
        details(notice, after=title),
        _MAX_TEXT - len(top) - len(links) - 2,
        size=lambda text: len(_escaped(text)),
    )
    text = "\n".join(part for part in (top, _escaped(body), links) if part)
    section = {
        "type": "section",
        "block_id": key_digest(idempotency_key),
        "text": {"type": "mrkdwn", "text": text},
    }
    # The text beside the blocks is what a phone's lock screen shows.
    return {"text": _escaped(title), "blocks": [section]}


def _link(label: str, url: str) -> str:
    return f"<{_escaped(url).replace('|', '%7C')}|{_escaped(plain(label)).replace('|', '/')}>"


def _escaped(text: str) -> str:
    """The three characters that could start a link, a mention or an entity.

    Source: https://docs.slack.dev/messaging/formatting-message-text (2026-11).
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""What is posted to whoever takes notices over HTTP, what they answer, and whether they took it.

This runs inside Workers too, so it imports the standard library alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from dome_mcp import __version__
from dome_mcp.core.agenda import Channel
from dome_mcp.core.errors import DeliveryFailed

MAX_REPLY_BYTES = 65_536
HEADERS = {"User-Agent": f"dome-mcp/{__version__}", "Accept-Encoding": "identity"}

_PASSING = frozenset({408, 421, 423, 425, 429})
"""Client errors that time may mend; so may every server error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered; of the body at most the first 64 kB."""

    status: int
    body: bytes
    retry_after_seconds: float | None

    @property
    def content(self) -> dict[str, object]:
        """The JSON object of the body; empty where it is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


class Posting(Protocol):
    """One POST to the address of a channel: `Poster`, or a Worker's fetch."""

    async def post(
        self,
        url: str,
        channel: Channel,
        *,
        service: str,
        content: bytes,
        headers: Mapping[str, str],
        content_type: str = "application/json",
    ) -> Reply:
        """The answer, whatever its status.

        `service` names the other side in errors, as in `Slack did not answer in time.`

        Raises:
            DeliveryFailed: there was none, or the address is not one to connect to.
        """
        ...


def require_taken(reply: Reply, service: str, *, reason: str = "") -> None:
    """Returns for a status that says the notice was taken.

    `reason` is what the service said, where that is known to hold no secret.

    Raises:
        DeliveryFailed: for every other status.
    """
    if 200 <= reply.status < 300:
        return
    said = f"HTTP {reply.status}" + (f", {reason}" if reason else "")
    if reply.status in _PASSING or reply.status >= 500:
        raise DeliveryFailed(
            f"{service} cannot take the notice now ({said}).",
            retryable=True,
            retry_after=reply.retry_after_seconds,
        )
    if reply.status in (301, 302, 303, 307, 308):
        raise DeliveryFailed(
            f"{service} has moved ({said}).",
            "Add the channel again with the address it has now.",
            retryable=False,
        )
    raise DeliveryFailed(
        f"{service} refused the notice ({said}).",
        "Check the channel's address with `dome-mcp channel test`.",
        retryable=False,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, by the server's own clock where it names an instant."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    until, now = _http_date(text), _http_date(headers.get("Date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

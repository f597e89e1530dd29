"""One POST to an address that a user gave: checked addresses, no redirects, bounded time and size.

Errors name the service and never the address, which is often a secret. What may be tried again is
said here for all channels that speak HTTP.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import anyio.to_thread
import httpx

from dome_mcp import __version__
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import may_be_private
from dome_mcp.core.errors import BackendUnavailable, DeliveryFailed, Forbidden, InvalidInput

Connect = Callable[[bool], httpx.AsyncBaseTransport]
"""A new transport; it goes to private addresses only where it is called with True."""

_MAX_REPLY_BYTES = 65_536
_BODY_SECONDS = 1.0
_PASSING = frozenset({408, 421, 423, 425, 429})
"""Client errors that time may mend; so may every server error."""
_HEADERS = {"User-Agent": f"dome-mcp/{__version__}", "Accept-Encoding": "identity"}


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


class Poster:
    """Posts to channels' addresses, each time over a connection of its own."""

    def __init__(self, connect: Connect, *, timeout_seconds: float, allow_private: bool) -> None:
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._allow_private = allow_private

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
        try:
            with anyio.fail_after(self._timeout_seconds):
                # In a thread, because the first transport reads a few hundred certificates.
                transport = await anyio.to_thread.run_sync(
                    self._connect, self._allow_private or may_be_private(channel)
                )
                async with httpx.AsyncClient(
                    transport=transport, timeout=self._timeout_seconds, trust_env=False
                ) as client:
                    sent = {**_HEADERS, "Content-Type": content_type, **headers}
                    async with client.stream("POST", url, content=content, headers=sent) as answer:
                        return await _reply(answer)
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            TimeoutError,
            Forbidden,
            InvalidInput,
            BackendUnavailable,
        ) as error:
            raise _translated(error, service) from error


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


async def _reply(answer: httpx.Response) -> Reply:
    body = b""
    # The status has decided; a body that does not come must not make a taken notice a failed one.
    with anyio.move_on_after(_BODY_SECONDS), suppress(httpx.HTTPError):
        # The raw bytes: nothing compressed was asked for, and unpacking would have no limit.
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) >= _MAX_REPLY_BYTES:
                break
    return Reply(answer.status_code, body[:_MAX_REPLY_BYTES], _retry_after(answer.headers))


def _retry_after(headers: httpx.Headers) -> float | None:
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


def _translated(error: Exception, service: str) -> DeliveryFailed:
    if isinstance(error, Forbidden):
        return DeliveryFailed(
            f"{service} is in a private network.",
            "If it is yours, add the channel again with --allow-private.",
            retryable=False,
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return DeliveryFailed(
            f"{service} has an address that is no URL.", "Add the channel again.", retryable=False
        )
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return DeliveryFailed(f"{service} did not answer in time.", retryable=True)
    if isinstance(error, InvalidInput):
        # Behind a captive portal, or before the network is up, no name is found.
        return DeliveryFailed(f"The host of {service} was not found.", retryable=True)
    return DeliveryFailed(f"{service} cannot be reached.", retryable=True)

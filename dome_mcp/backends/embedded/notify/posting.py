"""One POST to an address that a user gave: checked addresses, no redirects, bounded time and size.

Errors name the service and never the address, which is often a secret.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import anyio
import anyio.to_thread
import httpx

from dome_mcp.backends.embedded.notify.replies import HEADERS, MAX_REPLY_BYTES, Reply, retry_after
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import may_be_private
from dome_mcp.core.errors import BackendUnavailable, DeliveryFailed, Forbidden, InvalidInput

Connect = Callable[[bool], httpx.AsyncBaseTransport]
"""A new transport; it goes to private addresses only where it is called with True."""

_BODY_SECONDS = 1.0


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
        """See `Posting.post`."""
        try:
            with anyio.fail_after(self._timeout_seconds):
                # In a thread, because the first transport reads a few hundred certificates.
                transport = await anyio.to_thread.run_sync(
                    self._connect, self._allow_private or may_be_private(channel)
                )
                async with httpx.AsyncClient(
                    transport=transport, timeout=self._timeout_seconds, trust_env=False
                ) as client:
                    sent = {**HEADERS, "Content-Type": content_type, **headers}
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


async def _reply(answer: httpx.Response) -> Reply:
    body = b""
    # The status has decided; a body that does not come must not make a taken notice a failed one.
    with anyio.move_on_after(_BODY_SECONDS), suppress(httpx.HTTPError):
        # The raw bytes: nothing compressed was asked for, and unpacking would have no limit.
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) >= MAX_REPLY_BYTES:
                break
    return Reply(answer.status_code, body[:MAX_REPLY_BYTES], retry_after(answer.headers))


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

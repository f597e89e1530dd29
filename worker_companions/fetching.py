"""One POST by a Worker's own `fetch`, for the channels that are an address on the Web.

A Worker cannot look up a host's addresses. At Cloudflare `fetch` reaches the public Internet alone;
a private address that is spelt out is refused here too, as everywhere else in DOME.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPMethod
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pyodide.ffi import JsException  # pyright: ignore[reportMissingImports] - only in a Worker
from workers import fetch

from dome_mcp.backends.embedded.notify.replies import HEADERS, MAX_REPLY_BYTES, Reply, retry_after
from dome_mcp.core.agenda import Channel
from dome_mcp.core.channels import may_be_private
from dome_mcp.core.errors import DeliveryFailed

TIMEOUT_SECONDS = 15.0
_BODY_SECONDS = 1.0


class FetchPoster:
    """`Posting` by fetch. It follows no redirect, for that would repeat the notice elsewhere."""

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds

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
        if not may_be_private(channel) and is_private(url):
            raise DeliveryFailed(
                f"{service} is in a private network.",
                "If it is yours, add the channel again with --allow-private.",
                retryable=False,
            )
        sent = {**HEADERS, "Content-Type": content_type, **headers}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await fetch(
                    url, method=HTTPMethod.POST, headers=sent, body=content, redirect="manual"
                )
        except TimeoutError as error:
            raise DeliveryFailed(f"{service} did not answer in time.", retryable=True) from error
        except OSError as error:
            raise DeliveryFailed(f"{service} cannot be reached.", retryable=True) from error
        return Reply(answer.status, await _body(answer), retry_after(answer.headers))


async def _body(answer: Any) -> bytes:
    """At most the first 64 kB, and only what comes at once: the status has decided already."""
    if answer.body is None:
        return b""
    body = b""
    reader = answer.body.getReader()
    with suppress(TimeoutError, JsException):
        async with asyncio.timeout(_BODY_SECONDS):
            while len(body) < MAX_REPLY_BYTES:
                piece = await reader.read()
                if piece.done:
                    break
                body += piece.value.to_bytes()
            await reader.cancel()
    return body[:MAX_REPLY_BYTES]


def is_private(url: str) -> bool:
    """Whether the host is spelt as a private address, or as a number that `fetch` reads as one."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return not ip_address(host).is_global
    except ValueError:
        last = host.rpartition(".")[2]
        return last == "localhost" or last.isdigit() or last.startswith("0x")

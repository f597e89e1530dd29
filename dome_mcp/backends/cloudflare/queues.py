"""A Cloudflare queue over REST: messages to it, and messages leased from it.

Messages are published as `text`, which comes back as it was sent; what others published as `json`
or `bytes` comes in base64.

Source: https://developers.cloudflare.com/queues/platform/limits/ and
https://developers.cloudflare.com/queues/configuration/pull-consumers/ (2026-11).
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queue_batches import BACKEND, MAX_BATCH_MESSAGES, batches
from dome_mcp.backends.cloudflare.refusals import Refusal, Verdict
from dome_mcp.core.errors import BackendProtocolError, BackendRejected

_NOT_FOUND = 404
_CONFLICTS = (405, 409)


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that nobody else is given until its lease is over.

    `attempts` counts how often it was handed out, this time included.
    """

    lease_id: str
    body: str
    attempts: int


class CloudflareQueue:
    """The `EventQueue` port on the queue with this id, and its pull consumer.

    A queue has one kind of consumer: where a Worker serves it, `pull` is refused.
    """

    def __init__(self, api: CloudflareApi, queue_id: str) -> None:
        self._api = api
        self._path = f"/queues/{queue_id}/messages"

    async def send(self, bodies: Sequence[str]) -> None:
        """Hands messages over (see `EventQueue.send`), in as few requests as the limits allow.

        A request without an answer is sent again: rows decide what a message does, so one that
        came twice costs less than one that has to be claimed again a minute later.

        Raises:
            BackendRejected: a message is longer than 128 kB; then none was sent.
            BackendUnavailable: the queue cannot be reached; some may have been sent.
        """
        for batch in list(batches(bodies)):
            messages = [{"body": body, "content_type": "text"} for body in batch]
            await self._call("send", "/batch", {"messages": messages}, is_repeatable=True)

    async def pull(self, *, limit: int, lease_seconds: float) -> Sequence[Leased]:
        """At most `limit` (up to 100) messages, leased for so long; none where there are none now.

        It is not sent again by itself, because each try would lease others: the next pull is the
        repetition.

        Raises:
            BackendRejected: the queue is missing, or is served by a Worker.
            BackendUnavailable: the queue cannot be reached.
        """
        asked = {
            "batch_size": min(limit, MAX_BATCH_MESSAGES),
            "visibility_timeout_ms": int(lease_seconds * 1000),
        }
        result = await self._call("pull", "/pull", asked, is_repeatable=False)
        try:
            return [_to_leased(each) for each in result["messages"] or ()]
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BackendProtocolError(
                BACKEND, "pull", "The queue's answer holds no messages."
            ) from error

    async def settle(
        self, done: Sequence[str], *, again: Sequence[str] = (), delay_seconds: int = 0
    ) -> None:
        """Ends leases, by their ids: `done` is deleted, `again` comes after `delay_seconds`.

        A lease that is over already is no error; its message may come again.

        Raises:
            BackendUnavailable: the queue cannot be reached; the messages come again.
        """
        acks = [("acks", {"lease_id": lease}) for lease in done]
        retries = [
            ("retries", {"lease_id": lease, "delay_seconds": delay_seconds}) for lease in again
        ]
        ends = [*acks, *retries]
        for start in range(0, len(ends), MAX_BATCH_MESSAGES):
            part: dict[str, list[object]] = {"acks": [], "retries": []}
            for kind, lease in ends[start : start + MAX_BATCH_MESSAGES]:
                part[kind].append(lease)
            await self._call("settle", "/ack", part, is_repeatable=True)

    async def _call(self, operation: str, path: str, json: object, *, is_repeatable: bool) -> Any:
        return await self._api.call(
            "POST",
            self._path + path,
            backend=BACKEND,
            operation=operation,
            json=json,
            is_repeatable=is_repeatable,
            reader=_read,
        )


def _to_leased(message: Mapping[str, Any]) -> Leased:
    metadata = message.get("metadata") or {}
    body = message["body"]
    if metadata.get("CF-Content-Type") in ("json", "bytes"):
        body = _decoded(body)
    if not isinstance(body, str):
        raise TypeError("a body that is no text")
    return Leased(str(message["lease_id"]), body, int(message.get("attempts", 1)))


def _decoded(body: str) -> str:
    """The text in base64; where it is none, the body itself, as in the documentation's sample."""
    try:
        return b64decode(body, validate=True).decode(errors="replace")
    except binascii.Error:
        return body


def _read(refusal: Refusal) -> Verdict | None:
    if refusal.status == _NOT_FOUND:
        message, hint = "There is no such queue.", "Check DOME_QUEUE_ID: it is the queue's id."
    elif refusal.status in _CONFLICTS and refusal.operation == "pull":
        message = "The queue is served by a Worker, so it cannot be pulled from."
        hint = "Add a pull consumer: `wrangler queues consumer http add NAME`."
    else:
        return None
    return Verdict(BackendRejected(refusal.backend, refusal.operation, message, hint))

"""Cloudflare Queues as its REST interface shows it: publishing, pull consumers, dead letters.

Time passes only where a test sets `now_ms`. A message is handed out again when its lease is over
and it was not acknowledged, up to `max_retries` times more; then it is deleted, or goes to the
queue of dead letters.

Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/,
https://developers.cloudflare.com/queues/platform/limits/ and
https://developers.cloudflare.com/queues/reference/delivery-guarantees/ (2026-11).
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, succeeded

MESSAGE_BYTES = 128_000
BATCH_BYTES = 256_000
METADATA_BYTES = 100
BATCH_MESSAGES = 100
PULL_DEFAULT = 5
PULL_MOST = 100
VISIBILITY_DEFAULT_MS = 30_000
VISIBILITY_MOST_MS = 12 * 3600 * 1000
DELAY_MOST_SECONDS = 86_400
MAX_RETRIES = 3

# Codes that the documentation does not give; the statuses are what a client goes by.
NOT_FOUND = 11000
INVALID = 10026
TOO_LARGE = 10252
NO_PULL_CONSUMER = 11016


@dataclass
class Message:
    """A message in a queue; `lease_id` and `visible_at_ms` are of the time it was last taken."""

    message_id: str
    content_type: str
    body: Any
    published_at_ms: int
    visible_at_ms: int
    attempts: int = 0
    lease_id: str = ""

    @property
    def shown(self) -> str:
        """The body as a pull consumer gets it."""
        if self.content_type == "text":
            return str(self.body)
        data = json.dumps(self.body) if self.content_type == "json" else str(self.body)
        return b64encode(data.encode()).decode()


@dataclass
class SimulatedQueue:
    """One queue. `consumer` is `http_pull` or `worker`, which cannot be pulled from.

    `on_the_way` is what becomes of the messages of a publication: some may be lost, doubled or
    turned round, as the service's guarantees allow.
    """

    consumer: str = "http_pull"
    max_retries: int = MAX_RETRIES
    dead_letters: "SimulatedQueue | None" = None
    on_the_way: Callable[[list[Message]], Sequence[Message]] = lambda messages: messages
    now_ms: int = 0
    messages: list[Message] = field(default_factory=list[Message])
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def bodies(self) -> list[str]:
        """The bodies of all messages, those under a lease included."""
        return [str(message.body) for message in self.messages]

    def publish(self, published: Sequence[Mapping[str, Any]], delay_seconds: int = 0) -> None:
        made: list[Message] = []
        for each in published:
            delay = int(each.get("delay_seconds", delay_seconds))
            message = Message(
                f"{next(self._ids):032x}",
                str(each.get("content_type", "json")),
                each["body"],
                self.now_ms,
                self.now_ms + delay * 1000,
            )
            made.append(message)
        self.add(made)

    def add(self, messages: list[Message]) -> None:
        self.messages += self.on_the_way(messages)

    def pull(self, batch_size: int, visibility_ms: int) -> list[Message]:
        """Visible messages, each under a new lease; those tried too often are put aside."""
        taken: list[Message] = []
        for message in [each for each in self.messages if each.visible_at_ms <= self.now_ms]:
            if message.attempts > self.max_retries:
                self._put_aside(message)
            elif len(taken) < batch_size:
                message.attempts += 1
                message.visible_at_ms = self.now_ms + visibility_ms
                message.lease_id = f"lease-{message.message_id}-{message.attempts}"
                taken.append(message)
        return taken

    def acknowledge(self, lease_id: str) -> bool:
        """Deletes the message of a lease, even one that is over; False where there is none."""
        found = self._leased(lease_id)
        if found:
            self.messages.remove(found)
        return found is not None

    def retry(self, lease_id: str, delay_seconds: int) -> bool:
        found = self._leased(lease_id)
        if found:
            found.visible_at_ms = self.now_ms + delay_seconds * 1000
        return found is not None

    def _leased(self, lease_id: str) -> Message | None:
        message_id = lease_id.removeprefix("lease-").rpartition("-")[0]
        return next((each for each in self.messages if each.message_id == message_id), None)

    def _put_aside(self, message: Message) -> None:
        self.messages.remove(message)
        if self.dead_letters is not None:
            message.attempts = 0
            self.dead_letters.add([message])


class QueuesSimulator:
    """The service under `/accounts/{id}/queues`, with the queues of `queues` by their id."""

    def __init__(self, **queues: SimulatedQueue) -> None:
        self.queues = queues

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        queue_id, _, action = path.strip("/").partition("/")
        queue = self.queues.get(queue_id)
        if queue is None:
            return failed(404, NOT_FOUND, "The specified queue does not exist.")
        steps = {
            "messages": _publish_one,
            "messages/batch": _publish_batch,
            "messages/pull": _pull,
            "messages/ack": _acknowledge,
        }
        if request.method != "POST" or action not in steps:
            return failed(405, 10405, "Method not allowed for this route.")
        return steps[action](queue, json.loads(request.content))


def _publish_one(queue: SimulatedQueue, body: Mapping[str, Any]) -> httpx.Response:
    return _publish_batch(queue, {"messages": [body]})


def _publish_batch(queue: SimulatedQueue, body: Mapping[str, Any]) -> httpx.Response:
    messages = body.get("messages") or []
    delays = [each.get("delay_seconds", body.get("delay_seconds", 0)) for each in messages]
    sizes = [_bytes(each) for each in messages]
    if not messages or not all(0 <= delay <= DELAY_MOST_SECONDS for delay in delays):
        return failed(400, INVALID, "The request is not valid.")
    if any(each.get("content_type", "json") not in ("json", "text") for each in messages):
        return failed(400, INVALID, "The content type is not valid.")
    if len(messages) > BATCH_MESSAGES or sum(sizes) > BATCH_BYTES or max(sizes) > MESSAGE_BYTES:
        return failed(413, TOO_LARGE, "The messages are too large.")
    queue.publish(messages, body.get("delay_seconds", 0))
    # Bare, as in the documentation's example: no result, no errors.
    return httpx.Response(200, json={"success": True})


def _pull(queue: SimulatedQueue, body: Mapping[str, Any]) -> httpx.Response:
    if queue.consumer != "http_pull":
        return failed(405, NO_PULL_CONSUMER, "The queue has no HTTP pull consumer.")
    size = body.get("batch_size", PULL_DEFAULT)
    visibility = body.get("visibility_timeout_ms", VISIBILITY_DEFAULT_MS)
    if not 1 <= size <= PULL_MOST or not 0 < visibility <= VISIBILITY_MOST_MS:
        return failed(400, INVALID, "The request is not valid.")
    messages = [
        {
            "body": each.shown,
            "id": each.message_id,
            "timestamp_ms": each.published_at_ms,
            "attempts": each.attempts,
            "metadata": {
                "CF-sourceMessageSource": "api",
                "CF-Content-Type": each.content_type,
            },
            "lease_id": each.lease_id,
        }
        for each in queue.pull(size, visibility)
    ]
    return succeeded({"message_backlog_count": len(queue.messages), "messages": messages})


def _acknowledge(queue: SimulatedQueue, body: Mapping[str, Any]) -> httpx.Response:
    acks = [each["lease_id"] for each in body.get("acks", [])]
    retries = {each["lease_id"]: each.get("delay_seconds", 0) for each in body.get("retries", [])}
    if len(acks) + len(retries) > PULL_MOST:
        return failed(400, INVALID, "The request is not valid.")
    acked = [each for each in acks if queue.acknowledge(each)]
    retried = [each for each, delay in retries.items() if queue.retry(each, delay)]
    unknown = {*acks, *retries} - {*acked, *retried}
    return succeeded(
        {
            "ackCount": len(acked),
            "retryCount": len(retried),
            "warnings": dict.fromkeys(sorted(unknown), "The lease is not known."),
        }
    )


def _bytes(message: Mapping[str, Any]) -> int:
    body = message["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    return len(text.encode()) + METADATA_BYTES

"""One request on its way in and its answer on the way out, watched while they pass.

The application is ended by cancelling it, not by an exception out of `receive` or `send`: that it
might catch, and answer in its own way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import anyio
from anyio.abc import TaskGroup
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dome_mcp.remote.limits import MAX_STREAMS, Slot
from dome_mcp.remote.refusals import Refused, too_large, too_many, too_slow

ABANDONED = "dome.abandoned"
"""Set in the scope of a request whose client takes no answer: what is still buffered for it will
never be read, and the connection is to be aborted rather than closed."""

_EVENT_STREAM = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds the gate waits for what."""

    body: float = 30
    """For the next byte of a body."""
    reader: float = 60
    """For a client to take what was sent."""
    recheck: float = 30
    """Until the token of a long-lived answer is checked again."""
    settle: float = 5
    """Until the event stream that answers a POST counts as long-lived: most are one short call."""
    grace: float = 2
    """For such an answer to end by itself when the server closes."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a long-lived answer depends on."""

    is_closing: anyio.Event
    is_still_valid: Callable[[], Awaitable[bool]]
    slot: Slot


class Exchange:
    """A request and its answer. `dress` completes the head of the answer."""

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        patience: Patience,
        max_bytes: int,
        dress: Callable[[Message], None],
    ) -> None:
        self.status = 0
        """Of the answer; 0 while there is none."""
        self._receive = receive
        self._send = send
        self._patience = patience
        self._max_bytes = max_bytes
        self._dress = dress
        self._received_bytes = 0
        self._has_body_ended = False
        self._has_answer_ended = False
        self._is_stream = False
        self._is_watched = False
        self._is_cut = False
        self._refusal: Refused | None = None
        self._tasks: TaskGroup | None = None
        self._watch: Watch | None = None
        self._scope: Scope = {}

    async def run(self, app: ASGIApp, scope: Scope, watch: Watch | None = None) -> None:
        """Has the application answer; with a watch, a long-lived answer ends when that says so.

        Raises:
            Refused: the body was no good, and nothing has been answered yet.
        """
        self._scope, self._watch = scope, watch
        failure: Exception | None = None
        async with anyio.create_task_group() as self._tasks:
            try:
                await app(scope, self.receive, self.send)
            except Exception as error:  # noqa: BLE001  raised below, where no group wraps it
                failure = error
            if self._is_watched:
                self._tasks.cancel_scope.cancel()
        if self._refusal and not self.status:
            self.status = self._refusal.told["status"]
            raise self._refusal
        if failure is not None:
            raise failure
        await self._finish()

    async def receive(self) -> Message:
        """The next message from the client, within the limits of size and time."""
        if self._has_body_ended:
            return await self._receive()
        message: Message | None = None
        with anyio.move_on_after(self._patience.body):
            message = await self._receive()
        if message is None:
            await self._refuse(too_slow(self._patience.body))
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            self._has_body_ended = not message.get("more_body", False)
            if self._received_bytes > self._max_bytes:
                await self._refuse(too_large(self._max_bytes))
        return message

    async def send(self, message: Message) -> None:
        """Passes a message of the answer on, to a client that takes it in time."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        with anyio.move_on_after(self._patience.reader) as waiting:
            await self._send(message)
        if waiting.cancelled_caught:
            self._scope[ABANDONED] = True
            await self._end()
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._has_answer_ended = True

    async def _begin(self, message: Message) -> None:
        watch = self._watch
        self._is_stream = _is_event_stream(message)
        if watch is not None and self._is_stream and self._tasks is not None:
            # Only a GET may still be refused here: what a POST was to do is done.
            is_listening = self._scope["method"] == "GET"
            if is_listening and not watch.slot.become_stream():
                await self._refuse(
                    too_many(
                        f"This token has {MAX_STREAMS} long-lived answers open.",
                        "Close some, then try again.",
                        retry_seconds=self._patience.recheck,
                    )
                )
            self._is_watched = True
            self._tasks.start_soon(self._keep_watch, watch, is_listening)
        self.status = message["status"]
        self._dress(message)

    async def _keep_watch(self, watch: Watch, is_listening: bool) -> None:
        """Ends the answer when the server closes, or when its token no longer holds."""
        if not is_listening:
            with anyio.move_on_after(self._patience.settle):
                await watch.is_closing.wait()
            # Where there are too many already it stays among the ordinary ones.
            watch.slot.become_stream()
        while not watch.is_closing.is_set():
            with anyio.move_on_after(self._patience.recheck):
                await watch.is_closing.wait()
            if not watch.is_closing.is_set() and not await watch.is_still_valid():
                break
        if watch.is_closing.is_set() and not is_listening:
            await anyio.sleep(self._patience.grace)
        await self._end()

    async def _refuse(self, refusal: Refused) -> NoReturn:
        self._refusal = refusal
        await self._end()

    async def _end(self) -> NoReturn:
        """Cancels the application, and whoever calls this with it."""
        self._is_cut = True
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError("cancelled above")

    async def _finish(self) -> None:
        """Ends a stream that was cut in good form, so that its client knows it is over.

        Another answer that was cut stays unfinished: its client has to see that some is missing.
        """
        is_abandoned = ABANDONED in self._scope
        if not self._is_cut or not self._is_stream or self._has_answer_ended or is_abandoned:
            return
        with anyio.move_on_after(self._patience.grace) as waiting:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if waiting.cancelled_caught:
            self._scope[ABANDONED] = True


def _is_event_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(_EVENT_STREAM)
        for name, value in message.get("headers", ())
    )

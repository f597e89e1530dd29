"""How long and how many connections may wait: a uvicorn protocol that does not wait for good.

uvicorn itself closes a connection that is idle between two requests. It waits without end for the
head of a request, and for the rest of a body that was answered already (a refusal does not read
it), so that a few thousand clients who send a byte now and then, or nothing at all, would use up
the file descriptors. What comes between is the gate's: a body that stalls, an answer that nobody
reads.
"""

import asyncio
import socket
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dome_mcp.remote.exchanges import ABANDONED

HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 65
"""Longer than the 60 s for which proxies keep theirs, so that none meets a closed connection."""

MAX_CONNECTIONS = 2_000
"""In each process; what comes on top is answered 503 before a byte of it is read."""

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on one connection, whose request head has to be complete in time."""

    head_seconds = HEAD_SECONDS
    max_connections = MAX_CONNECTIONS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._served = cast(ASGIApp, self.app)
        self.app = self._run  # pyright: ignore[reportAttributeAccessIssue]  the same, in Starlette's types

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  as in the class above
        """Begins to wait for a request, or turns the connection away where there are too many."""
        super().connection_made(transport)
        # asyncio does so only for sockets made for TCP by name. Otherwise the end of each answer
        # waits for the client to acknowledge its head: 40 ms.
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.max_connections:
            transport.write(_FULL)
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Reads on; the time for a head begins with its first byte and ends with its last."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE or self._has_answered_early():
            self._await_head()
        else:
            self._end_wait()

    def on_response_complete(self) -> None:
        """Gives a body that nobody waits for any more as long as a head."""
        super().on_response_complete()
        if self._has_answered_early():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._served(scope, receive, send)
        finally:
            if scope.get(ABANDONED):
                # What is still to be sent would keep the connection open for as long as nobody
                # reads it.
                self.transport.abort()

    def _has_answered_early(self) -> bool:
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.close()

"""A mail server and a webhook on the loopback that count what they take, and fail as often as told.

Both honour the idempotency key, as a real receiver would: the same `Idempotency-Key` or
`Message-ID` again is a repeat of the same notice, not another one. Some failures come after the
notice was taken, because that is when a sender is most likely to send it twice.
"""

import asyncio
import json
import random
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import cast

import anyio
from aiosmtpd.smtp import SMTP, Envelope, Session
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

WEBHOOK_FAULTS = ("500", "429", "421", "timeout", "reset", "reset after taking")
MAIL_FAULTS = ("451", "421", "timeout", "reset", "reset after taking")
_STATUS = {"500": b"500 Oops", "429": b"429 Slow\r\nRetry-After: 2", "421": b"421 Misdirected"}
_NUMBER = re.compile(r"\d{6}")


@dataclass
class Receiver:
    """What arrived: for each reminder, by its number, the keys taken and when the first came."""

    failing: float
    random: random.Random
    keys: dict[int, Counter[str]] = field(default_factory=dict)
    arrived_at: dict[int, float] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)

    def take(self, text: str, key: str) -> None:
        found = _NUMBER.search(text)
        assert found, "a notice of no reminder of ours"
        number = int(found[0])
        self.arrived_at.setdefault(number, time.time())
        self.keys.setdefault(number, Counter())[key] += 1

    def fault(self, kinds: tuple[str, ...]) -> str | None:
        """The failure to answer with this time, None for none."""
        if self.random.random() >= self.failing:
            return None
        kind = self.random.choice(kinds)
        self.faults[kind] += 1
        return kind

    @property
    def duplicates(self) -> int:
        """Notices that came again under another key, so that nobody could tell."""
        return sum(len(keys) - 1 for keys in self.keys.values())

    @property
    def repeats(self) -> int:
        """Notices that came again under the same key, which a receiver drops."""
        return sum(keys.total() - len(keys) for keys in self.keys.values())


class MailHandler:
    """What aiosmtpd asks for each message."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        fault = self._receiver.fault(MAIL_FAULTS)
        if fault in (None, "reset after taking"):
            content = envelope.original_content
            headers = BytesHeaderParser().parsebytes(content or b"")
            self._receiver.take(str(headers["Subject"]), str(headers["Message-ID"]))
        if fault is None:
            return "250 OK"
        if fault == "timeout":
            await anyio.sleep(60)
        if fault in ("timeout", "reset", "reset after taking"):
            cast(asyncio.WriteTransport, server.transport).abort()
            await anyio.sleep_forever()
        return f"{fault} not now"


@asynccontextmanager
async def mail_server(receiver: Receiver) -> AsyncIterator[int]:
    """The port of a mail server that runs during the block."""
    handler = MailHandler(receiver)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True, hostname="localhost", loop=loop),
        "127.0.0.1",
        0,
        backlog=1000,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def webhook_server(
    receiver: Receiver, *, faults: tuple[str, ...] = WEBHOOK_FAULTS
) -> AsyncIterator[int]:
    """The port of an HTTP server that runs during the block, and fails in these ways."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            try:
                await _answer(stream, receiver, faults)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                return  # The companion was killed, or had waited long enough.

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1000)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield listener.extra(SocketAttribute.local_port)  # noqa: S610  not Django
        tasks.cancel_scope.cancel()


async def _answer(stream: SocketStream, receiver: Receiver, faults: tuple[str, ...]) -> None:
    reader = BufferedByteReceiveStream(stream)
    head = await reader.receive_until(b"\r\n\r\n", 65_536)
    headers = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
    body = json.loads(await reader.receive_exactly(int(headers["Content-Length"])))
    fault = receiver.fault(faults)
    if fault in (None, "reset after taking"):
        receiver.take(body["text"], headers["Idempotency-Key"])
    if fault == "timeout":
        await anyio.sleep(60)
    if fault in ("reset", "reset after taking"):
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  not Django
        # A linger of zero makes close() send a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    status = _STATUS.get(fault or "", b"200 OK")
    await stream.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

"""An HTTP server on the loopback that keeps what is posted to it, and answers as a test wishes."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Posted:
    """A request; `headers` are looked up without regard to case."""

    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ends: with a status, or `hangs` until the server stops, or `resets`.

    `holds_body` sends the status and the headers, and then nothing more.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    holds_body: bool = False
    resets: bool = False


class WebhookSink(ThreadingHTTPServer):
    """`posted` holds every request in order; `respond` decides the answer to each."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[Posted] = []
        self.respond: Callable[[Posted], Answer] = lambda _: Answer()
        self.stopping = threading.Event()
        self.written_bytes = 0

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def answer_all(self, answer: Answer) -> None:
        self.respond = lambda _: answer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is what some tests are about."""


@contextmanager
def running_webhook_sink() -> Iterator[WebhookSink]:
    server = WebhookSink()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebhookSink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        posted = Posted(self.path, self.headers, body)
        self.server.posted.append(posted)
        answer = self.server.respond(posted)
        if answer.hangs:
            self.server.stopping.wait(10)
        if answer.resets:
            # A linger of zero makes close() send a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.hangs or answer.resets:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response_only(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.holds_body:
            self.wfile.flush()
            self.server.stopping.wait(10)
        for start in range(0, len(answer.body), _PIECE_BYTES):
            self.server.written_bytes += self.wfile.write(answer.body[start : start + _PIECE_BYTES])

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""

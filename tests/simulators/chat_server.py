"""A server with OpenAI's chat completions on the loopback, that says and fails what a test wants.

Shapes of answers and errors: https://platform.openai.com/docs/api-reference/chat (2026-11).
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "small-chat"
API_KEY = "sk-loopback-only"
PATIENCE_SECONDS = 10.0
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer other than a completion; `hold` makes it wait until the server is released."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False


def error_fault(status: int, code: str, **headers: str) -> Fault:
    """An error as OpenAI words it; the message repeats what was sent, as real servers do."""
    error = {"message": "Refused: what is the guest password?", "type": "error", "code": code}
    return Fault(status, json.dumps({"error": error}).encode(), headers)


UNKNOWN_MODEL = error_fault(404, "model_not_found")
OVERLOADED = error_fault(429, "rate_limit_exceeded", **{"Retry-After": "7"})
NO_QUOTA = error_fault(429, "insufficient_quota")
FAILING = error_fault(500, "server_error")
TOO_LONG = error_fault(400, "context_length_exceeded")
NO_COUNTS = Fault(
    422, b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}'
)
MALFORMED = Fault(body=b'{"choices": [{"message": {"con')
WRONG_SHAPE = Fault(body=b'{"choices": []}')
SLOW = Fault(hold=True)


class ChatServer(ThreadingHTTPServer):
    """`say` gives the answer to the messages it got; `fault` comes instead of it where set.

    `counts_when_asked` False refuses the field that asks for it; `listed` are its models.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.say: Callable[[list[dict[str, str]]], str] = lambda _: "Four. [1]"
        self.fault: Fault | None = None
        self.requests: list[dict[str, Any]] = []
        self.breaks_off = False
        self.counts_when_asked = True
        self.listed: list[dict[str, Any]] | None = None
        self.released = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is what some tests are about."""


@contextmanager
def running_chat_server() -> Iterator[ChatServer]:
    """A server in a thread of its own, gone with the block."""
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer  # pyright: ignore[reportIncompatibleVariableOverride] - narrowed on purpose

    def do_GET(self) -> None:
        if self.path != "/v1/models" or self.server.listed is None:
            self._send(404, b"404 page not found", {})
            return
        body = json.dumps({"object": "list", "data": self.server.listed}).encode()
        self._send(200, body, {"Content-Type": "application/json"})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        fault = self._refusal(request)
        if fault is None:
            self._complete(request)
            return
        if fault.hold:
            self.server.released.wait(PATIENCE_SECONDS)
        self._send(fault.status, fault.body, fault.headers)

    def _refusal(self, request: dict[str, Any]) -> Fault | None:
        if self.path != "/v1/chat/completions":
            return Fault(404, b"404 page not found")
        if self.headers.get("Authorization") != f"Bearer {API_KEY}":
            return error_fault(401, "invalid_api_key")
        if request["model"] != MODEL:
            return UNKNOWN_MODEL
        if "stream_options" in request and not self.server.counts_when_asked:
            return NO_COUNTS
        return self.server.fault

    def _complete(self, request: dict[str, Any]) -> None:
        text = self.server.say(request["messages"])
        if request["stream"]:
            self._stream(text, is_counted="stream_options" in request)
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        answer = {"model": MODEL, "choices": [{**choice, "finish_reason": "stop"}], "usage": USAGE}
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _stream(self, text: str, *, is_counted: bool) -> None:
        pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
        deltas: list[dict[str, str]] = [{"role": "assistant"}, *({"content": x} for x in pieces)]
        events = [{"choices": [{"index": 0, "delta": x, "finish_reason": None}]} for x in deltas]
        # As JavaScript writes it: U+2028 and U+0085 stay as they are.
        lines = [": keep-alive"]
        lines += (f"data: {json.dumps(event, ensure_ascii=False)}" for event in events)
        if not self.server.breaks_off:
            end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            lines.append(f"data: {json.dumps(end)}")
            if is_counted:
                lines.append(f"data: {json.dumps({'choices': [], 'usage': USAGE})}")
            lines.append("data: [DONE]")
        body = "".join(f"{line}\n\n" for line in lines).encode()
        self._send(200, body, {"Content-Type": "text/event-stream"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the tests' output clean."""

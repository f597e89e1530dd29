"""The page on which a browser subscribes, served on the loopback until one has.

The loopback, because browsers allow pushes on it without a certificate. Other pages must not reach
this one: the token in its address is asked for at every request that tells or takes something, and
the Host header has to be a loopback name.
"""

import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread

from dome_mcp.core.channels import push_subscription
from dome_mcp.core.errors import Conflict, InvalidInput

DEFAULT_PORT = 8767
"""The same each time, because a subscription belongs to an origin and the port is part of it."""

_PAGES = Path(__file__).with_name("pages")
_TYPES = {
    "subscribe.html": "text/html",
    "subscribe.css": "text/css",
    "subscribe.js": "text/javascript",
    "worker.js": "text/javascript",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The links of a notice lead to where the companion is reached, which may be anywhere.
_WORKER_POLICY = "default-src 'none'; connect-src http: https:"
_MAX_BODY_BYTES = 8192
_POLL_SECONDS = 0.05


class SubscribePage:
    """A served page; `url` is for the user's browser alone."""

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_port}/?token={server.token}"

    async def subscription(self) -> str:
        """Waits for a browser and returns its subscription, as JSON."""
        return await anyio.to_thread.run_sync(self._server.wait, abandon_on_cancel=True)


@asynccontextmanager
async def subscribe_page(public_key: str, *, port: int) -> AsyncIterator[SubscribePage]:
    """Serves the page while the block runs; port 0 is any free one.

    Raises:
        Conflict: the port is taken.
    """
    try:
        server = _Server(port, public_key)
    except OSError as error:
        raise Conflict(
            f"Port {port} of this machine is taken.", "Send another with --port."
        ) from error
    serve = partial(server.serve_forever, poll_interval=_POLL_SECONDS)
    thread = threading.Thread(target=serve, name="subscribe-page", daemon=True)
    thread.start()
    try:
        yield SubscribePage(server)
    finally:
        server.give_up()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, public_key: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.public_key = public_key
        self.token = secrets.token_urlsafe(24)
        self._received = threading.Event()
        self._subscription = ""

    def receive(self, subscription: str) -> None:
        self._subscription = subscription
        self._received.set()

    def give_up(self) -> None:
        self._received.set()

    def wait(self) -> str:
        self._received.wait()
        return self._subscription


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  the one that made it
    timeout = 10

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = parts.path.lstrip("/") or "subscribe.html"
        token = self.headers.get("X-Dome-Token") or parse_qs(parts.query).get("token", [""])[0]
        if not self._is_addressed():
            return
        if name == "key" and self._is_allowed(token):
            self._answer(200, self.server.public_key)
        elif name in _TYPES and (name != "subscribe.html" or self._is_allowed(token)):
            content = (_PAGES / name).read_text(encoding="utf-8")
            self._answer(200, content, content_type=_TYPES[name], is_worker=name == "worker.js")
        elif name != "key" and name not in _TYPES:
            self._answer(404, "There is nothing here.")

    def do_POST(self) -> None:
        if not self._is_addressed() or not self._is_allowed(self.headers.get("X-Dome-Token", "")):
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/subscription" or not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
            self._answer(400, "This is not a subscription.")
            return
        subscription = self.rfile.read(int(length)).decode("utf-8", "replace")
        try:
            push_subscription(subscription)
        except InvalidInput:
            self._answer(400, "This is not a subscription.")
            return
        self._answer(200, "Done. Reminders will appear here, and you can close this page.")
        self.server.receive(subscription)

    def _is_addressed(self) -> bool:
        """Whether the browser means this machine: a name elsewhere can be made to lead here."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if host in ("127.0.0.1", "localhost"):
            return True
        self._answer(421, "Open the address that the command printed.")
        return False

    def _is_allowed(self, token: str) -> bool:
        if secrets.compare_digest(token.encode(), self.server.token.encode()):
            return True
        self._answer(403, "Open the address that the command printed.")
        return False

    def _answer(
        self,
        status: int,
        text: str,
        *,
        content_type: str = "text/plain",
        is_worker: bool = False,
    ) -> None:
        content = text.encode()
        self.send_response_only(status)
        headers = {
            "Content-Type": f"{content_type}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Content-Security-Policy": _WORKER_POLICY if is_worker else _PAGE_POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a request's line holds the token."""

"""A simulated account on the loopback, for programs that make their own client."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import anyio
import httpx

from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.provisioning import Resources
from tests.simulators.cloudflare.r2 import SECRETS, WRITER

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Served:
    """The account, what is in it, and the settings by which DOME finds it."""

    account: SimulatedAccount
    resources: Resources
    origin: str

    @property
    def settings(self) -> dict[str, str]:
        return {
            "CLOUDFLARE_ACCOUNT_ID": self.account.account_id,
            "CLOUDFLARE_API_TOKEN": self.account.token,
            "DOME_CLOUDFLARE_BASE_URL": self.account.base_url,
            "DOME_R2_ENDPOINT": self.resources.r2.endpoint,
            "DOME_R2_ACCESS_KEY_ID": WRITER,
            "DOME_R2_SECRET_ACCESS_KEY": SECRETS[WRITER],
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering = threading.Lock()
        self.served: Served

    async def answer(self, request: httpx.Request) -> httpx.Response:
        is_object = request.url.path.startswith("/s3/")
        handler = self.served.resources.r2 if is_object else self.served.account
        response = await handler(request)
        await response.aread()
        return response


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one piece: else each answer waits for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        server = cast("_Server", self.server)
        url = f"{server.served.origin}{self.path}"
        request = httpx.Request(
            self.command, url, headers=self.headers.items(), content=self.rfile.read(length)
        )
        with server.answering:
            response = anyio.run(server.answer, request)
        body = b"" if self.command == "HEAD" else response.content
        self.send_response(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815  its names

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read standard error."""


@contextmanager
def served_account() -> Iterator[Served]:
    """An empty account on a free port, its vectors at once in effect."""
    server = _Server()
    origin = f"http://127.0.0.1:{server.server_port}"
    account = SimulatedAccount(base_url=f"{origin}/client/v4")
    resources = Resources()
    resources.vectorize.delay_seconds = 0.0
    # A program signs its requests by the machine's clock.
    resources.r2.now, resources.r2.endpoint = datetime.now(UTC), f"{origin}/s3"
    resources.serve(account)
    account.register("ai", WorkersAiSimulator())
    server.served = Served(account, resources, origin)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.served
    finally:
        server.shutdown()
        thread.join(_PATIENCE_SECONDS)
        server.server_close()
        resources.close()

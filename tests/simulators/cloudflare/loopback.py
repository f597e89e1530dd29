"""A simulator's handler on a port of this machine, for a program that is told an address."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]

_OF_THE_CONNECTION = frozenset({"connection", "content-length", "server", "transfer-encoding"})


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, handler: Handler, portal: BlockingPortal) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.handler = handler
        self.portal = portal


class _Requests(BaseHTTPRequestHandler):
    # Nothing stays open, so that the server ends when the block does.
    protocol_version = "HTTP/1.0"

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"http://{self.headers['Host']}{self.path}"
        request = httpx.Request(self.command, url, headers=[*self.headers.items()], content=content)
        server = cast("_Server", self.server)
        response = server.portal.call(_answered, server.handler, request)
        self.send_response_only(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def log_message(self, format: str, *args: object) -> None: ...


async def _answered(handler: Handler, request: httpx.Request) -> httpx.Response:
    response = await handler(request)
    await response.aread()
    return response


@contextmanager
def on_loopback(handler: Handler) -> Iterator[str]:
    """The address at which `handler` answers, in a loop of its own, until the block ends."""
    with start_blocking_portal() as portal, _Server(handler, portal) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

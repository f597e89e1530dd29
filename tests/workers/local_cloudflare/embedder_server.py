"""The embedding model that comes with DOME, on loopback: what the local Workers AI asks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from dome_mcp.backends.embedded.embedder import OnnxModel
from dome_mcp.backends.embedded.models import describe


@cache
def carried_model() -> OnnxModel:
    """The model that comes with DOME, loaded once."""
    return OnnxModel(describe(None, cache=Path()))


class _Handler(BaseHTTPRequestHandler):
    """Answers a JSON list of texts with a list of unit vectors; the model loads at the first."""

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vectors = [vector.tolist() for vector in carried_model().embed(texts)]
        body = json.dumps(vectors).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@contextmanager
def embedder_server() -> Iterator[str]:
    """Where the embedder listens while the block runs."""
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()

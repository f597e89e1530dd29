"""Workers AI and Vectorize for the bindings `env.AI` and `env.VECTORIZE` of the Workers of tests.

Miniflare sends what such a binding asks to an address: the URL in `MF-URL`, the binding's name in
`MF-Binding`, a header `Name` as `MF-Header-Name`. Here the simulators behind the REST interface
answer, in the shapes that the bindings' own code in workerd reads.

Source: `cloudflare-internal:ai-api`, `…:to-markdown-api` and `…:vectorize-api` in npm's workerd
1.20261117.1; `remote-proxy-client.worker.js` in npm's miniflare 5.20261117.0-beta.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

import anyio
import httpx

from dome_mcp.backends.cloudflare.vectorize_shapes import METADATA_INDEXES
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.vectorize import VectorizeSimulator

_PATIENCE_SECONDS = 10.0
_OPERATIONS = {"getByIds": "get_by_ids", "deleteByIds": "delete_by_ids"}
"""The binding's words for what the REST interface calls otherwise."""


@dataclass
class RemoteBindings:
    """The account behind the bindings: `indexes` by the name of the binding."""

    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    ai: WorkersAiSimulator = field(default_factory=WorkersAiSimulator)
    vectorize: VectorizeSimulator = field(default_factory=lambda: VectorizeSimulator(0))
    url: str = ""

    def __post_init__(self) -> None:
        self.account.register("ai", self.ai)
        self.account.register("vectorize", self.vectorize)

    def empty(self, binding: str, *, dimensions: int) -> None:
        """Gives a binding an index without vectors."""
        index = self.vectorize.create(dimensions, name=binding.lower())
        index.metadata_indexes.update(METADATA_INDEXES)

    async def answer(self, headers: httpx.Headers, content: bytes) -> httpx.Response:
        url = urlsplit(headers["MF-URL"])
        if url.hostname == "vector-search":
            index, operation = headers["MF-Binding"].lower(), url.path.strip("/")
            path = f"vectorize/v2/indexes/{index}/{_OPERATIONS.get(operation, operation)}"
            kind = headers.get("MF-Header-Content-Type", "")
            method = "GET" if operation == "info" else "POST"
            request = self._request(path, method=method, content=content, kind=kind)
            return _for_vectorize(await self.account(request))
        if url.path == "/to-everything/markdown/transformer":
            return await self.account(self._conversion(json.loads(content)))
        body = json.loads(content)["inputs"]
        model = headers["MF-Header-cf-consn-model-id"]
        path = f"ai/run/{model}"
        if "messages" in body:
            path, body = "ai/v1/chat/completions", {"model": model, **body}
        request = self._request(path, content=json.dumps(body).encode(), kind="application/json")
        return _for_ai(await self.account(request))

    def _request(
        self, path: str, *, content: bytes, kind: str, method: str = "POST"
    ) -> httpx.Request:
        headers = {"Authorization": f"Bearer {self.account.token}", "Content-Type": kind}
        return httpx.Request(method, self._address(path), headers=headers, content=content)

    def _conversion(self, body: dict[str, list[dict[str, str]]]) -> httpx.Request:
        files = [
            ("files", (each["name"], base64.b64decode(each["data"]), each["mimeType"]))
            for each in body["files"]
        ]
        headers = {"Authorization": f"Bearer {self.account.token}"}
        url = self._address("ai/tomarkdown")
        request = httpx.Request("POST", url, headers=headers, files=files)
        request.read()
        return request

    def _address(self, path: str) -> str:
        return f"{self.account.base_url}/accounts/{self.account.account_id}/{path}"


def _for_vectorize(answer: httpx.Response) -> httpx.Response:
    """The result alone, or the first error."""
    if answer.is_success:
        return httpx.Response(200, json=answer.json()["result"])
    try:
        error = answer.json()["errors"][0]
    except ValueError:
        return answer
    return httpx.Response(
        answer.status_code, json={"code": error["code"], "error": error["message"]}
    )


def _for_ai(answer: httpx.Response) -> httpx.Response:
    """The result without its envelope, as far as it has one."""
    if answer.headers.get("Content-Type") != "application/json":
        return answer
    content = answer.json()
    if answer.is_success:
        return httpx.Response(200, json=content.get("result", content))
    error = content["errors"][0]
    said = {"internalCode": error["code"], "description": error["message"], "name": "AiError"}
    return httpx.Response(answer.status_code, json=said)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bindings: RemoteBindings) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering = threading.Lock()
        self.bindings = bindings

    async def answer(self, headers: httpx.Headers, content: bytes) -> httpx.Response:
        response = await self.bindings.answer(headers, content)
        await response.aread()
        return response


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one piece: else each answer waits for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        content = self._content()
        server = cast("_Server", self.server)
        with server.answering:
            response = anyio.run(server.answer, httpx.Headers(self.headers.items()), content)
        self.send_response(response.status_code)
        self.send_header("MF-Forwarded-Response", "true")
        self.send_header("Content-Type", response.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def _content(self) -> bytes:
        """The body, which workerd sends in chunks where it does not know how long it becomes."""
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    do_GET = do_POST = _answer  # noqa: N815  http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read standard error."""


@contextmanager
def remote_bindings() -> Iterator[RemoteBindings]:
    """The account on a free port, its vectors at once in effect."""
    bindings = RemoteBindings()
    server = _Server(bindings)
    bindings.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield bindings
    finally:
        server.shutdown()
        thread.join(_PATIENCE_SECONDS)
        server.server_close()

"""What happens while a file arrives: memory, broken connections, a full disk, a kill."""

import resource
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from tests.remote.rest.conftest import Api, problem_in
from tests.remote.rest.test_ingest import BOUNDARY, PLAN, finished, large, spooled, working
from tests.remote.rest.test_uploads import announce, put
from tests.serving import Serving

pytestmark = pytest.mark.anyio

MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()

PIECE = b"fence " * 10_000
SIXTY_MEGABYTES = 1000


async def pieces(*, is_form: bool) -> AsyncIterator[bytes]:
    if is_form:
        yield HEAD
    for _ in range(SIXTY_MEGABYTES):
        yield PIECE
    if is_form:
        yield TAIL


@pytest.mark.parametrize("way", ["form", "upload"])
async def test_a_file_of_60_megabytes_takes_few_of_memory_to_receive(
    api: Api, served: Serving, way: str
):
    url = (await announce(api))["url"]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        if way == "form":
            sent = await api.post("/api/ingest", content=pieces(is_form=True), headers=MULTIPART)
        else:
            sent = await api.put(url, content=pieces(is_form=False))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent.status_code == (202 if way == "form" else 201), sent.text
    assert (served.door.settings.home / "incoming" / spooled(served)[0]).stat().st_size == 6 * 10**7
    assert peak - before < 6_000_000


async def break_off(api: Api, method: str, url: str, *, headers: dict[str, str]) -> list[Any]:
    """Leaves in the middle of a file; returns what the server sends all the same."""
    path, _, query = url.removeprefix("http://dome.test").partition("?")
    messages = [
        {"type": "http.request", "body": HEAD + PIECE * 20, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    named = {**api.headers, **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "server": ("dome.test", 80),
        "client": ("192.0.2.1", 5000),
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
    }
    with anyio.fail_after(10):
        await api.app(scope, receive, send)
    return sent


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(api: Api, served: Serving):
    start, _ = await break_off(api, "POST", "/api/ingest", headers=MULTIPART)
    assert start["status"] == 400
    assert spooled(served) == []
    upload = await announce(api)
    await break_off(api, "PUT", upload["url"], headers={})
    assert spooled(served) == []
    assert (await put(api, upload["url"], PLAN)).status_code == 201
    assert (await api.get("/api/notes")).json()["notes"] == []


@contextmanager
def files_of_at_most(size_bytes: int):
    """A disk that has room for no larger file, as far as this process can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_said_and_leaves_nothing(api: Api, served: Serving):
    upload = await announce(api)
    with files_of_at_most(400_000):
        form = await api.post("/api/ingest", files={"file": ("a.txt", large())})
        sent = await put(api, upload["url"], large())
    for response in (form, sent):
        assert "no room on the disk" in str(problem_in(response, 507, "out-of-space")["detail"])
    assert spooled(served) == []
    again = await api.post("/api/ingest", files={"file": ("a.txt", large())})
    async with working(served):
        assert (await finished(api, again.headers["location"]))["state"] == "done"


async def test_a_form_over_the_limit_is_refused_in_words(api: Api, served: Serving):
    too_long = {**MULTIPART, "Content-Length": str(200_000_000)}
    response = await api.post("/api/ingest", content=HEAD + TAIL, headers=too_long)
    assert "100.0 MB" in str(problem_in(response, 413, "too-large")["detail"])
    assert spooled(served) == []

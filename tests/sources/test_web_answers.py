"""What servers answer, well or badly, and what becomes of it."""

import gzip
import threading
import tracemalloc
import zlib
from collections.abc import Sequence

import anyio
import pytest

from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    InvalidInput,
    UnreadableDocument,
)
from tests.sources.fetching import LOOPBACK, error_of, get
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [404, 410])
async def test_a_page_that_is_not_there_is_the_callers_error(
    status: int, server: WebServer
) -> None:
    server.pages["/"] = Page(status=status)
    error = await error_of(server.url("/"))
    assert type(error) is InvalidInput
    assert "no such page" in error.message


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_a_page_behind_a_login_says_what_to_do(status: int, server: WebServer) -> None:
    server.pages["/"] = Page(status=status)
    error = await error_of(server.url("/"))
    assert type(error) is InvalidInput
    assert "without a login" in error.message
    assert "ingest the file" in error.hint


@pytest.mark.parametrize("status", [304, 400, 418])
async def test_any_other_refusal_is_the_callers_error(status: int, server: WebServer) -> None:
    server.pages["/"] = Page(status=status)
    error = await error_of(server.url("/"))
    assert type(error) is InvalidInput
    assert f"HTTP {status}" in error.message


@pytest.mark.parametrize(
    ("headers", "retry_after"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sun, 09 Sep 2001 01:46:40 GMT"}, None),
        (
            {
                "Date": "Sun, 09 Sep 2001 01:46:30 GMT",
                "Retry-After": "Sun, 09 Sep 2001 01:46:40 GMT",
            },
            10.0,
        ),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_may_be_asked_again_when_it_says(
    status: int, headers: dict[str, str], retry_after: float | None, server: WebServer
) -> None:
    server.pages["/"] = Page(status=status, headers=headers)
    error = await error_of(server.url("/"))
    assert isinstance(error, BackendUnavailable)
    assert error.retry_after == retry_after


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    error = await error_of(f"http://{LOOPBACK}:1/")
    assert isinstance(error, BackendUnavailable)
    assert "cannot be reached" in error.message


async def test_a_server_that_never_ends_is_given_up(server: WebServer) -> None:
    server.pages["/"] = Page(b"x", headers={"Content-Length": "9"}, hold=threading.Event())
    error = await error_of(server.url("/"), timeout_seconds=0.2)
    assert isinstance(error, BackendUnavailable)
    assert "in time" in error.message


async def test_a_name_server_that_never_answers_is_given_up() -> None:
    async def silent(host: str) -> Sequence[str]:
        await anyio.sleep_forever()
        return []

    error = await error_of("http://pages.example/", resolver=silent, timeout_seconds=0.05)
    assert isinstance(error, BackendUnavailable)


async def test_a_page_that_breaks_off_is_an_error(server: WebServer) -> None:
    server.pages["/"] = Page(b"half", headers={"Content-Length": "9", "Connection": "close"})
    assert isinstance(await error_of(server.url("/")), BackendProtocolError)


@pytest.mark.parametrize("content_type", ["image/png", "Video/MP4", "audio/mpeg", "font/woff2"])
async def test_what_holds_no_text_is_not_downloaded(content_type: str, server: WebServer) -> None:
    hold = threading.Event()
    server.pages["/"] = Page(
        headers={"Content-Type": content_type, "Content-Length": "9"}, hold=hold
    )
    error = await error_of(server.url("/"))
    assert isinstance(error, UnreadableDocument)
    assert error.reason == "unsupported"


async def test_a_page_of_the_limit_is_read_and_a_larger_one_is_not(server: WebServer) -> None:
    server.pages["/"] = Page(b"x" * 500)
    assert len((await get(server.url("/"), max_bytes=500)).data) == 500
    error = await error_of(server.url("/"), max_bytes=499)
    assert isinstance(error, UnreadableDocument)
    assert error.reason == "too_large"


async def test_a_page_without_an_end_is_stopped_at_the_limit(server: WebServer) -> None:
    server.pages["/"] = Page(
        b"x" * 500, headers={"Content-Length": "9999999999"}, hold=threading.Event()
    )
    assert isinstance(await error_of(server.url("/"), max_bytes=499), UnreadableDocument)


async def test_a_compressed_page_is_decompressed(server: WebServer) -> None:
    text = b"hello " * 500
    server.pages["/"] = Page(gzip.compress(text, mtime=0), headers={"Content-Encoding": "gzip"})
    assert (await get(server.url("/"))).data == text


async def test_a_small_page_that_unpacks_to_a_large_one_is_stopped(server: WebServer) -> None:
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    server.pages["/"] = Page(bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        error = await error_of(server.url("/"), max_bytes=100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, UnreadableDocument)
    assert error.reason == "too_large"
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"hello" * 100, mtime=0)[:-20]),
        ("gzip", gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("br", b"hello"),
    ],
)
async def test_an_encoding_that_is_broken_or_was_not_asked_for_is_an_error(
    encoding: str, body: bytes, server: WebServer
) -> None:
    server.pages["/"] = Page(body, headers={"Content-Encoding": encoding})
    assert isinstance(await error_of(server.url("/")), BackendProtocolError)

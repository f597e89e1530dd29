"""Fetching pages: what comes back, what is refused, and what no server can make it do."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    DomeError,
    Forbidden,
    InvalidInput,
)
from dome_mcp.sources.web import SourcePage
from tests.sources.certificates import Certificates
from tests.sources.fetching import LOOPBACK, PUBLIC, Names, error_of, get
from tests.sources.web_server import Page, WebServer

pytestmark = pytest.mark.anyio


async def test_a_page_comes_with_what_the_server_says_of_it(server: WebServer) -> None:
    server.pages["/docs/my%20report.html"] = Page(
        b"<p>hello",
        headers={
            "Content-Type": "Text/HTML; charset=Windows-1251",
            "Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT",
        },
    )
    url = server.url("/docs/my%20report.html?lang=en")
    assert await get(f" {url}#part-2 ") == SourcePage(
        data=b"<p>hello",
        filename="my report.html",
        content_type="text/html",
        charset="windows-1251",
        source_uri=url,
        modified_at=datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
    )


async def test_the_server_learns_who_asks_and_no_more(server: WebServer) -> None:
    server.pages["/"] = Page(b"x")
    await get(server.url("/"))
    ((_, headers),) = server.requests
    assert headers["User-Agent"].startswith("dome-mcp/")
    assert headers["Accept-Encoding"] == "gzip"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)


async def test_what_the_server_does_not_say_is_left_open(server: WebServer) -> None:
    server.pages["/"] = Page(b"x", headers={"Last-Modified": "yesterday"})
    page = await get(server.url("/"))
    assert page.content_type == "application/octet-stream"
    assert (page.filename, page.charset, page.modified_at) == ("127.0.0.1", None, None)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('attachment; filename="paper.pdf"', "paper.pdf"),
        ("attachment; filename*=UTF-8''na%C3%AFve.pdf", "naïve.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\Windows\\evil.exe"', "evil.exe"),
        ('attachment; filename=".."', "download"),
        ("attachment", "download"),
    ],
)
async def test_a_filename_is_a_bare_name(
    disposition: str, filename: str, server: WebServer
) -> None:
    server.pages["/download"] = Page(b"x", headers={"Content-Disposition": disposition})
    assert (await get(server.url("/download"))).filename == filename


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/page",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///x",
        "http://a:b/",
    ],
)
async def test_only_web_urls_are_read(url: str) -> None:
    error = await error_of(url)
    assert isinstance(error, InvalidInput)
    assert "https://host/path" in error.hint


async def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    error = await error_of("https://ann:hunter2@example.com/")
    assert isinstance(error, InvalidInput)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "[::1]", "[::]", "0"),
        *("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254"),
        *("10.0.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[fe80::1]", "224.0.0.1"),
        "127。0。0。1",
    ],
)
async def test_an_address_that_is_not_public_is_refused(host: str, server: WebServer) -> None:
    error = await error_of(server.url("/", host=host), allow_private=False)
    assert isinstance(error, Forbidden)
    assert server.requests == []


async def test_a_name_for_a_private_address_is_refused(server: WebServer) -> None:
    names = Names(pages=[[PUBLIC, LOOPBACK]])
    url = server.url("/", host="pages.example")
    assert isinstance(await error_of(url, allow_private=False, resolver=names), Forbidden)
    assert server.requests == []


async def test_a_name_that_changes_its_address_gains_nothing(server: WebServer) -> None:
    """The first answer is checked and used: a second one is never asked for."""
    server.pages["/"] = Page(b"x")
    names = Names(pages=[[LOOPBACK], ["192.0.2.1"]])
    page = await get(server.url("/", host="pages.example"), resolver=names)
    assert (page.data, names.asked) == (b"x", ["pages.example"])
    assert server.requests[0][1]["Host"] == f"pages.example:{server.server_port}"


async def test_the_next_address_is_tried_where_the_first_does_not_answer(
    server: WebServer,
) -> None:
    server.pages["/"] = Page(b"x")
    # Nothing listens on the port at the second loopback address.
    names = Names(pages=[["127.0.0.2", LOOPBACK]])
    page = await get(server.url("/", host="pages.example"), resolver=names)
    assert page.data == b"x"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_to_where_it_ends(status: int, server: WebServer) -> None:
    server.pages["/old"] = Page(status=status, headers={"Location": "new?a=1#top"})
    server.pages["/new"] = Page(b"x")
    page = await get(server.url("/old"))
    assert (page.data, page.source_uri) == (b"x", server.url("/new?a=1"))


async def test_five_redirects_are_followed_and_six_are_not(server: WebServer) -> None:
    for n in range(6):
        server.pages[f"/{n}"] = Page(status=302, headers={"Location": f"/{n + 1}"})
    server.pages["/6"] = Page(b"x")
    assert (await get(server.url("/1"))).data == b"x"
    assert "more than 5 times" in (await error_of(server.url("/0"))).message


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://127.0.0.1/", Forbidden),
        ("http://169.254.169.254/latest/meta-data/", Forbidden),
        ("http://[::1]/", Forbidden),
        ("//0x7f000001/", Forbidden),
        ("http://2130706433/", Forbidden),
        ("http://[::ffff:a9fe:a9fe]/", Forbidden),
        ("https://intranet.example/", Forbidden),
        ("https://pages.example/again", Forbidden),
        ("file:///etc/passwd", InvalidInput),
        ("ftp://example.com/", InvalidInput),
        ("http://ann:hunter2@pages.example/", InvalidInput),
        ("http://a:b/", BackendProtocolError),
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(
    location: str, kind: type[DomeError]
) -> None:
    """`pages` is public at first and private the second time it is looked up."""
    connected: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        connected.append(request.url.host)
        return httpx.Response(302, headers={"Location": location})

    error = await error_of(
        "https://pages.example/",
        allow_private=False,
        resolver=Names(pages=[[PUBLIC], [LOOPBACK]], intranet=[["10.0.0.1"]]),
        transport=httpx.MockTransport(redirect),
    )
    assert type(error) is kind
    assert connected == [PUBLIC]
    assert "hunter2" not in str(error)


async def test_cookies_stay_with_their_host(server: WebServer) -> None:
    there = server.url("/there", host="other.example")
    server.pages["/here"] = Page(
        status=302, headers={"Location": "/set", "Set-Cookie": "seen=1; Path=/"}
    )
    server.pages["/set"] = Page(status=302, headers={"Location": there})
    server.pages["/there"] = Page(b"x")
    names = Names(pages=[[LOOPBACK]], other=[[LOOPBACK]])
    await get(server.url("/here", host="pages.example"), resolver=names)
    cookies = {path: headers.get("Cookie") for path, headers in server.requests}
    assert cookies == {"/here": None, "/set": "seen=1", "/there": None}


async def test_a_certificate_is_verified_for_the_name_not_the_address(
    start_server: Callable[..., WebServer], certificates: Certificates
) -> None:
    server = start_server(certificates.serving)
    server.pages["/"] = Page(b"x")
    names = Names(pages=[[LOOPBACK]], other=[[LOOPBACK]])

    async def get_from(host: str) -> SourcePage:
        transport = httpx.AsyncHTTPTransport(verify=certificates.trusting)
        url = server.url("/", host=host, scheme="https")
        return await get(url, resolver=names, transport=transport)

    assert (await get_from("pages.example")).data == b"x"
    assert (await get_from("pages.example.")).data == b"x"
    with pytest.raises(BackendRejected, match="certificate"):
        await get_from("other.example")


async def test_a_certificate_nobody_vouches_for_is_refused(
    start_server: Callable[..., WebServer], certificates: Certificates
) -> None:
    server = start_server(certificates.serving)
    url = server.url("/", host="pages.example", scheme="https")
    error = await error_of(url, resolver=Names(pages=[[LOOPBACK]]))
    assert isinstance(error, BackendRejected)
    assert server.requests == []


async def test_a_proxy_of_the_environment_is_not_used(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/"] = Page(b"x")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (await get(server.url("/"))).data == b"x"

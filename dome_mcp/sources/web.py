"""Pages of the web, read for a user without becoming a door into the user's network.

A caller, who may be a model that read a hostile page, names any URL. So each hop's name is looked
up once and its addresses are checked before the connection goes to one of them (pinned.py). Size
and time are bounded whatever the server does.
"""

import ssl
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import PureWindowsPath
from urllib.parse import unquote

import anyio
import anyio.to_thread
import httpx

from dome_mcp import __version__
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InvalidInput,
    UnreadableDocument,
)
from dome_mcp.sources.addresses import Resolver, resolve
from dome_mcp.sources.pinned import PinnedTransport, direct_transport, require_plain_web_url

_MOST_REDIRECTS = 5
_CONNECT_SECONDS = 5.0
_HEADERS = {
    "User-Agent": f"dome-mcp/{__version__}",
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/*;q=0.8, */*;q=0.1",
    # Only what _body undoes within a limit; httpx's own decoding has none.
    "Accept-Encoding": "gzip",
}
_WITHOUT_TEXT = ("image/", "audio/", "video/", "font/")
_LONGEST_FILENAME = 200


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page's bytes, decompressed, and what the server said of them.

    `content_type` is lower case without parameters, `charset` is its charset parameter;
    `source_uri` is where redirects ended, without the fragment.
    """

    data: bytes
    filename: str
    content_type: str
    charset: str | None
    source_uri: str
    modified_at: datetime | None

    @property
    def declared_type(self) -> str:
        """The content type with its charset, as far as the server said."""
        return f"{self.content_type}; charset={self.charset}" if self.charset else self.content_type


async def fetch(
    url: str,
    *,
    allow_private: bool,
    max_bytes: int,
    timeout_seconds: float,
    pictures: Collection[str] = (),
    resolver: Resolver = resolve,
    transport: httpx.AsyncBaseTransport | None = None,
) -> SourcePage:
    """The page at an http or https URL, after at most five redirects.

    `timeout_seconds` is for all of it; `max_bytes` counts the page decompressed; `pictures` are
    content types that are fetched although they hold no text; `transport` connects to addresses
    that were checked (see PinnedTransport).

    Raises:
        InvalidInput: not such a URL, no such host or page, or a page that wants a login.
        Forbidden: a hop leads to an address that is not public, and `allow_private` is False.
        UnreadableDocument: the page is too large, or another image, sound or video.
        BackendUnavailable: the server is busy, cannot be reached, or is too slow.
        BackendRejected: its certificate does not prove that it is the host of the URL.
        BackendProtocolError: it answers in something else than proper HTTP.
    """
    target = _parse(url)
    # In a thread, because the first one reads a few hundred certificates.
    inner = transport or await anyio.to_thread.run_sync(direct_transport)
    client = httpx.AsyncClient(
        transport=PinnedTransport(inner, resolver, allow_private=allow_private),
        headers=_HEADERS,
        timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        trust_env=False,
    )
    try:
        with anyio.fail_after(timeout_seconds):
            async with client:
                return await _follow(client, target, max_bytes, pictures)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise _translated(error, target.host) from error


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise InvalidInput(f"This is not a URL: {error}.", "Send https://host/path.") from error
    require_plain_web_url(parsed)
    return parsed


async def _follow(
    client: httpx.AsyncClient, url: httpx.URL, max_bytes: int, pictures: Collection[str]
) -> SourcePage:
    # By hand, because httpx reads the whole body of a redirect before it goes on.
    request = client.build_request("GET", url)
    for _ in range(_MOST_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            if response.next_request is None:
                return await _page(response, max_bytes, pictures)
            request = response.next_request
        finally:
            await response.aclose()
    raise InvalidInput(
        f"The page redirects more than {_MOST_REDIRECTS} times.", "Send the address it ends at."
    )


async def _page(response: httpx.Response, max_bytes: int, pictures: Collection[str]) -> SourcePage:
    _require_success(response)
    headers = Message()
    headers["Content-Type"] = response.headers.get("Content-Type", "application/octet-stream")
    headers["Content-Disposition"] = response.headers.get("Content-Disposition", "inline")
    content_type = headers.get_content_type()
    if content_type.startswith(_WITHOUT_TEXT) and content_type not in pictures:
        raise UnreadableDocument(
            "unsupported", f"The page is {content_type}, which holds no text.", "Send a document."
        )
    url = response.url.copy_with(fragment=None)
    return SourcePage(
        data=await _body(response, max_bytes),
        filename=_filename(headers, url),
        content_type=content_type,
        charset=headers.get_content_charset(),
        source_uri=str(url),
        modified_at=_http_date(response.headers.get("Last-Modified")),
    )


def _require_success(response: httpx.Response) -> None:
    if response.is_success:
        return
    status, host = response.status_code, response.url.host
    if status in (404, 410):
        raise InvalidInput(f"{host} has no such page (HTTP {status}).", "Check the URL.")
    if status in (401, 402, 403, 407, 451):
        raise InvalidInput(
            f"{host} does not show this page without a login (HTTP {status}).",
            "Download the page yourself and ingest the file, or send its text.",
        )
    if status in (408, 425, 429) or status >= 500:
        raise BackendUnavailable(
            "web",
            "fetch",
            f"{host} cannot serve the page now (HTTP {status}).",
            "Try again later.",
            retry_after=_retry_after(response),
        )
    raise InvalidInput(f"{host} does not serve this page (HTTP {status}).", "Check the URL.")


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """The whole body, decompressed, never holding more than a piece above the limit."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise _garbled(f"used the encoding {encoding!r}, which was not asked for")
    inflater = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
    body = bytearray()
    async for piece in response.aiter_raw():
        try:
            room = max_bytes + 1 - len(body)
            body += inflater.decompress(piece, room) if inflater else piece
        except zlib.error as error:
            raise _garbled("sent a page that does not decompress") from error
        if len(body) > max_bytes:
            raise UnreadableDocument(
                "too_large",
                f"The page is larger than {max_bytes:,} bytes.",
                "Send a smaller document, or raise DOME_MAX_DOCUMENT_MB.",
            )
    if inflater and (not inflater.eof or inflater.unused_data):
        raise _garbled("sent a page that does not decompress")
    return bytes(body)


def _filename(headers: Message, url: httpx.URL) -> str:
    """The last part of what the server calls the file, of the path, or else the host."""
    for name in (headers.get_filename(""), unquote(url.path.rstrip("/").rpartition("/")[2])):
        # Windows rules take both separators and a drive; what is left is a bare name anywhere.
        bare = "".join(c for c in PureWindowsPath(name).name if c.isprintable()).strip()
        if bare.strip("."):
            return bare[-_LONGEST_FILENAME:]
    return url.host


def _http_date(text: str | None) -> datetime | None:
    """The UTC instant of an HTTP date; None for none, or for one that cannot be read."""
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait, by the server's own clock where it names an instant."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    until, now = _http_date(text), _http_date(response.headers.get("Date"))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _garbled(what: str) -> BackendProtocolError:
    return BackendProtocolError("web", "fetch", f"The server {what}.", "Send another address.")


def _translated(error: Exception, host: str) -> BackendError | InvalidInput:
    if isinstance(error, httpx.InvalidURL):
        return InvalidInput(f"{host} leads to an address that is no URL.", "Check the URL.")
    if isinstance(error, httpx.RemoteProtocolError):
        return _garbled("does not answer in proper HTTP")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            message = f"The certificate does not prove that the server is {host}."
            return BackendRejected("web", "fetch", message, "Check the URL.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        message = f"{host} did not answer in time."
    else:
        message = f"{host} cannot be reached."
    return BackendUnavailable("web", "fetch", message, "Try again later.")

"""HTTP that goes to a checked address, whatever its name resolves to a moment later.

The name is looked up once, all its addresses are checked, and the connection goes to one of them:
a name that answers differently the second time gains nothing. TLS still verifies the name. Proxies
from the environment are not used, because a proxy would look the name up again.
"""

import ssl
from functools import cache

import httpx

from dome_mcp.core.errors import InvalidInput
from dome_mcp.sources.addresses import Address, Resolver, permitted


def direct_transport() -> httpx.AsyncHTTPTransport:
    """Connections of this machine, each for one request."""
    # A kept connection belongs to an address here, so a second host at that address would get
    # one whose certificate was verified for the first.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=_trusted(), trust_env=False, limits=limits)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that come with httpx, and the machine's own: a company's is only there."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def require_plain_web_url(url: httpx.URL) -> None:
    """Refuses (InvalidInput) what is not http or https, and what carries a password."""
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput("Only http and https URLs can be read.", "Send https://host/path.")
    if url.userinfo:
        raise InvalidInput(
            "The URL holds a user name or password.",
            "Download the page yourself and ingest the file.",
        )


class PinnedTransport(httpx.AsyncBaseTransport):
    """Hands each request on, for an address that was checked in place of the name.

    `inner` connects; it must honour the `sni_hostname` extension, which holds the name.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, resolver: Resolver, *, allow_private: bool
    ) -> None:
        self._inner = inner
        self._resolver = resolver
        self._allow_private = allow_private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        require_plain_web_url(request.url)
        host = request.url.raw_host.decode("ascii").rstrip(".")
        failure: Exception = httpx.ConnectError("no address")
        for address in await permitted(host, self._resolver, allow_private=self._allow_private):
            try:
                return await self._inner.handle_async_request(_pinned(request, address, host=host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx.Request, address: Address, *, host: str) -> httpx.Request:
    """The same request to an address; the Host header stays, and TLS asks for the name."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )

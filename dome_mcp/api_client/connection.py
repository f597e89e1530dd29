"""A DOME server over its REST API: one request a question, sent again only where it may be."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import anyio
import httpx

from dome_mcp import __version__
from dome_mcp.api_client.refusals import misshapen, refusal, unreachable
from dome_mcp.core.errors import InvalidInput
from dome_mcp.settings import Settings

Query = Mapping[str, Any]
Body = Mapping[str, object]

_TIMEOUT = httpx.Timeout(120, connect=10)
"""An answer that a language model writes takes its time; a server that is there does not."""

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 1.0

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LOST = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
_BY_A_PROXY = frozenset({502, 504, 520, 521, 522, 523, 524})
"""What stands before a server answers so where the server does not."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a server, for whoever the token of `http` is."""

    http: httpx.AsyncClient
    pause_seconds: float = _PAUSE_SECONDS
    """Before a request is sent a second time, and twice that before the third."""
    look_seconds: float = _LOOK_SECONDS
    """Before a job is asked after, and longer each time."""

    @property
    def server(self) -> str:
        """The address of the server, as errors name it."""
        return str(self.http.base_url).removesuffix("/api/")

    async def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON at a path below `/api/`.

        Raises:
            DomeError: the server's refusal in its own words, or that there is no answer.
        """
        return self.content_of(await self.send("GET", path, query=query))

    async def post(self, path: str, body: Body | None = None) -> Any:
        """What the server answers to JSON; a repetition after a lost answer is the same write.

        Raises:
            DomeError: as for `get`.
        """
        return self.content_of(await self.send("POST", path, body=body or {}))

    def content_of(self, response: httpx.Response) -> Any:
        """The JSON of an answer.

        Raises:
            BackendProtocolError: it is none, such as the page of a network one has to sign in to.
        """
        try:
            return response.json()
        except ValueError as error:
            raise misshapen(self.server) from error

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        **form: Any,
    ) -> httpx.Response:
        """The answer to one request; `form` is the `data` and `files` of httpx.

        Raises:
            DomeError: as for `get`.
        """
        return await self._answer(
            self._request(method, path, query=query, body=body, headers=headers, **form)
        )

    @asynccontextmanager
    async def streamed(self, path: str, body: Body) -> AsyncIterator[httpx.Response]:
        """The answer to a POST whose body is still to come, with what breaks it off translated.

        Raises:
            DomeError: as for `get`, before or while it is read.
        """
        response = await self._answer(self._request("POST", path, body=body), is_stream=True)
        try:
            yield response
        except httpx.HTTPError as failure:
            raise unreachable(failure, self.server) from failure
        finally:
            await response.aclose()

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        **form: Any,
    ) -> httpx.Request:
        sent = dict(headers or {})
        if method == "POST":
            sent["Idempotency-Key"] = secrets.token_urlsafe(24)
        if body is not None:
            sent["Content-Type"] = "application/json"
            form["content"] = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        if "data" in form:
            form["data"] = _sendable(form["data"])
        params = _sendable(query or {})
        return self.http.build_request(method, path, params=params, headers=sent, **form)

    async def _answer(self, request: httpx.Request, *, is_stream: bool = False) -> httpx.Response:
        """In at most three attempts; what may be written twice is repeated only if never sent.

        So is what is streamed: the server keeps no such answer for a repetition.
        """
        is_repeatable = request.method in ("GET", "POST") and not is_stream
        attempt = 1
        while True:
            try:
                response = await self.http.send(request, stream=is_stream)
                if response.is_success:
                    return response
                await response.aread()
                error = refusal(response, self.server)
                is_worth_it = is_repeatable and response.status_code in _BY_A_PROXY
            except httpx.HTTPError as failure:
                error = unreachable(failure, self.server)
                is_lost = is_repeatable and isinstance(failure, _LOST)
                is_worth_it = is_lost or isinstance(failure, _NEVER_SENT)
            if attempt == _ATTEMPTS or not is_worth_it:
                raise error
            await anyio.sleep(self.pause_seconds * attempt)
            attempt += 1


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Api]:
    """The API that the settings name. Nothing is sent until it is asked for something."""
    if settings.api_url is None or settings.api_token is None:
        raise RuntimeError("the settings name no server")
    async with httpx.AsyncClient(
        base_url=f"{settings.api_url}/api/",
        headers={
            "Authorization": f"Bearer {settings.api_token.value}",
            "User-Agent": f"dome-mcp/{__version__}",
        },
        timeout=_TIMEOUT,
    ) as http:
        yield Api(http)


def _sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without what is not Unicode, which neither an address nor a form can hold."""
    return {
        name: list(map(_unicode, value)) if isinstance(value, tuple) else _unicode(value)
        for name, value in values.items()
    }


def _unicode(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def path_of(*parts: str) -> str:
    """The path of something in the API, whatever is in the ids.

    Raises:
        InvalidInput: an id that no address can hold.
    """
    for part in parts:
        if not part.strip(". ") or "/" in part:
            raise InvalidInput(f"{part[:60]!r} is no id.", "Send an id as a listing gave it.")
    return "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)


def given(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the values that are neither empty nor zero, which in a call means not given."""
    return {name: values[name] for name in names if values[name]}

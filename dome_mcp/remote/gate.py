"""The gate that every request passes: who sends it, whether from where it may, and how much.

In this order, so that what costs little and needs no secret comes first:

1. the names: Host (421) and Origin (403), for every path, public ones too; CORS preflights;
2. the size of the body (413), by path;
3. who it is: a bearer token or the issuer's assertion (401, 403), or one of the public paths;
4. how much: the rate and the concurrency of the credential (429);
5. then the application, whose long-lived answers end when the token stops to hold.

Nobody is anonymous behind it: what is not public needs a token, on loopback as well. The token is
neither logged nor repeated in an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

import anyio
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dome_mcp.app import Caller, Door
from dome_mcp.core.access import Principal
from dome_mcp.core.errors import DomeError, Forbidden
from dome_mcp.core.tokens import parse_token
from dome_mcp.remote import callers, refusals
from dome_mcp.remote.answers import Dress, preflight_headers
from dome_mcp.remote.audit_log import AuditLog
from dome_mcp.remote.bearers import Bearers, Presented
from dome_mcp.remote.exchanges import Exchange, Patience, Watch
from dome_mcp.remote.hosts import Hosts
from dome_mcp.remote.identities import ExpiredToken, InvalidToken
from dome_mcp.remote.limits import Failures, Limits, TooMany
from dome_mcp.remote.peers import Peer, Proxies, household_of
from dome_mcp.remote.refusals import Refused
from dome_mcp.remote.resource_metadata import challenge

REQUEST_ID = "dome.request_id"
"""Where the scope has the id of the request, which the answer names as X-Request-Id."""

_REST = "/api"
_UPLOADS = "/api/uploads/"
_INGEST = "/api/ingest"
_MULTIPART_BYTES = 64_000
"""What a form says around the file in it."""
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Visit:
    """What is known of a request before anybody is asked who sends it."""

    headers: Headers
    peer: Peer
    host: str


class Gate:
    """An application that lets requests into another."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        door: Door,
        bearers: Bearers,
        public: Callable[[Scope], bool],
        audit: AuditLog,
        closing: anyio.Event,
        limits: Limits | None = None,
        failures: Failures | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`public` says of a request whether it needs no token; `closing` is set when the server
        stops, whereupon long-lived answers end."""
        settings = door.settings
        http = settings.http
        self._app = app
        self._door = door
        self._settings = settings
        self._bearers = bearers
        self._is_public = public
        self._audit = audit
        self._closing = closing
        self._limits = limits or Limits(
            per_minute=http.rate_per_minute, max_concurrent=http.max_concurrent
        )
        self._failures = failures or Failures()
        self._patience = patience or Patience()
        self._hosts = Hosts(http, settings.public_url)
        self._proxies = Proxies(http.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # A WebSocket would bypass all of this, and nothing here speaks it.
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        request_id = scope[REQUEST_ID] = token_hex(8)
        is_public = self._is_public(scope)
        origin = headers.get("origin", "")
        dress = Dress(
            request_id=request_id,
            reader=origin if self._hosts.is_listed(origin) else None,
            is_private=not is_public,
        )
        try:
            await self._pass(scope, headers, receive, send, dress=dress, is_public=is_public)
        except Refused as refusal:
            await _answer(refusal.response, scope, receive, send, dress)
        except ClientDisconnect:
            raise
        except Exception as error:  # nothing was said: told as 500, and logged
            if dress.is_worn:
                raise
            await _answer(refusals.failed(error).response, scope, receive, send, dress)

    async def _pass(
        self,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        send: Send,
        *,
        dress: Dress,
        is_public: bool,
    ) -> None:
        visit = self._visit(scope, headers)
        if self._is_preflight(scope, headers):
            allowed = preflight_headers(headers.get("access-control-request-headers", ""))
            await _answer(Response(status_code=204, headers=allowed), scope, receive, send, dress)
            return
        exchange = Exchange(
            receive,
            send,
            patience=self._patience,
            max_bytes=self._body_limit(scope, headers),
            dress=dress,
        )
        if is_public:
            await exchange.run(self._app, scope)
            return
        presented, principal = await self._authenticated(scope, visit)
        self._audit.saw(principal, visit.peer.address)
        await self._admitted(scope, exchange, presented, principal)

    def _visit(self, scope: Scope, headers: Headers) -> _Visit:
        """Checks where the request goes and comes from, and notes who is really behind it."""
        named = headers.getlist("host")
        host = named[0] if len(named) == 1 else ""
        peer = self._proxies.peer_of(scope, headers)
        scope["scheme"] = peer.scheme
        if scope.get("client"):
            scope["client"] = (peer.address, scope["client"][1])
        if not self._hosts.admits_host(host):
            raise refusals.wrong_host()
        for origin in headers.getlist("origin"):
            if not self._hosts.admits_origin(origin, host=host, scheme=peer.scheme):
                raise refusals.foreign_origin()
        return _Visit(headers, peer, host)

    def _is_preflight(self, scope: Scope, headers: Headers) -> bool:
        is_asking = "access-control-request-method" in headers
        return scope["method"] == "OPTIONS" and is_asking and "origin" in headers

    def _body_limit(self, scope: Scope, headers: Headers) -> int:
        """How many bytes the body may have; refuses a body that says it is longer."""
        path, method = scope["path"], scope["method"]
        is_form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        is_file = (path == _INGEST and is_form) or (method == "PUT" and path.startswith(_UPLOADS))
        max_bytes = (
            self._settings.max_document_bytes + _MULTIPART_BYTES
            if is_file
            else self._settings.http.max_body_mb * _MEGABYTE
        )
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > max_bytes:
            raise refusals.too_large(max_bytes)
        return max_bytes

    async def _authenticated(self, scope: Scope, visit: _Visit) -> tuple[Presented, Principal]:
        """Who sends the request."""
        presented = self._bearers.presented(visit.headers)
        if _has_token_in_query(scope):
            raise refusals.token_in_query()
        if presented is None:
            raise refusals.no_token(self._challenge(scope, visit))
        try:
            return presented, await self._bearers.principal(presented)
        except InvalidToken as error:
            raise self._failure(scope, visit, error) from None
        except Forbidden as error:
            self._audit.note_stranger(visit.peer.address)
            raise refusals.failed(error) from None
        except DomeError as error:
            raise refusals.failed(error) from error

    def _failure(self, scope: Scope, visit: _Visit, error: InvalidToken) -> Refused:
        """401, or 429 for an address that has failed too often; a valid token is never asked.

        One that has expired is no guess: its client must learn of that to get another.
        """
        self._audit.note_stranger(visit.peer.address)
        is_guess = not isinstance(error, ExpiredToken)
        wait_seconds = self._failures.note(household_of(visit.peer.address)) if is_guess else 0
        if wait_seconds:
            return refusals.too_many(
                "Too many tokens from this address were not valid.",
                error.hint,
                retry_seconds=wait_seconds,
            )
        return refusals.bad_token(self._challenge(scope, visit, error="invalid_token"), error)

    def _challenge(self, scope: Scope, visit: _Visit, *, error: str = "") -> str:
        origin = f"{visit.peer.scheme}://{visit.host}"
        return challenge(self._settings, scope["path"], origin=origin, error=error)

    async def _admitted(
        self, scope: Scope, exchange: Exchange, presented: Presented, principal: Principal
    ) -> None:
        """Has the application answer a known caller, within their limits."""
        callers.admit(scope, Caller(self._door, principal))
        try:
            slot = self._limits.admit((principal.user_id, principal.credential))
        except TooMany as error:
            self._audit.observe_request(principal, scope, 429)
            raise refusals.too_many(
                "This token asks too often, or for too much at a time.",
                "Wait as long as Retry-After says; DOME_RATE_PER_MINUTE and DOME_MAX_CONCURRENT "
                "are the limits.",
                retry_seconds=error.retry_seconds,
            ) from None

        async def is_still_valid() -> bool:
            try:
                again = await self._bearers.principal(presented)
            except (InvalidToken, Forbidden):
                return False
            except DomeError:
                return True  # Who cannot be asked has not said no.
            return (again.user_id, again.scopes) == (principal.user_id, principal.scopes)

        with slot:
            try:
                await exchange.run(self._app, scope, Watch(self._closing, is_still_valid, slot))
            finally:
                if scope["path"].startswith(_REST):
                    self._audit.observe_request(principal, scope, exchange.status)


async def _answer(
    response: Response, scope: Scope, receive: Receive, send: Send, dress: Dress
) -> None:
    async def send_dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            dress(message)
        await send(message)

    await response(scope, receive, send_dressed)


def _has_token_in_query(scope: Scope) -> bool:
    query = scope.get("query_string", b"")
    if b"access_token" not in query and b"dome_" not in query:
        return False
    given = QueryParams(query)
    return "access_token" in given or any(parse_token(value) for value in given.values())

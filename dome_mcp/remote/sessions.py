"""Sessions of the handshake era: how many there are, and how many one user may have."""

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dome_mcp.remote import refusals
from dome_mcp.remote.callers import caller_in

MAX_SESSIONS = 2_000
"""In a process; one that is silent for half an hour makes room."""

MAX_SESSIONS_EACH = 100
"""Of one token, so that a client that forgets its sessions shuts out nobody but itself."""

_RETRY_SECONDS = 60.0


def count_sessions(manager: StreamableHTTPSessionManager) -> int:
    """How many sessions are open."""
    return len(manager._server_instances)  # pyright: ignore[reportPrivateUsage]  the SDK tells nobody how many there are


class Introduced:
    """An application to whose MCP library everybody whom the gate knows is introduced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_in(scope)
        if caller is not None:
            principal = caller.principal
            scope["user"] = AuthenticatedUser(
                AccessToken(
                    token="",  # The library compares the names alone.
                    client_id=principal.credential,
                    scopes=sorted(principal.scopes),
                    subject=principal.user_id,
                )
            )
        await self._app(scope, receive, send)


class FairSessions:
    """Lets a token open a session only while it has not too many."""

    def __init__(self, app: ASGIApp, manager: StreamableHTTPSessionManager) -> None:
        self._app = app
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _would_open(Headers(scope=scope)) or not self._has_many(scope):
            await self._app(scope, receive, send)
            return
        refusal = refusals.too_many(
            f"This token has {MAX_SESSIONS_EACH} sessions open.",
            "End some with DELETE, or speak the protocol of 2026-07-28, which has none.",
            retry_seconds=_RETRY_SECONDS,
        )
        await refusal.response(scope, receive, send)

    def _has_many(self, scope: Scope) -> bool:
        user = scope.get("user")
        if not isinstance(user, AuthenticatedUser):
            return False
        owner = authorization_context(user)
        owners = self._manager._session_owners.values()  # pyright: ignore[reportPrivateUsage]  as above
        return sum(each == owner for each in owners) >= MAX_SESSIONS_EACH


def _would_open(headers: Headers) -> bool:
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    is_of_handshake = version is None or version in HANDSHAKE_PROTOCOL_VERSIONS
    return is_of_handshake and MCP_SESSION_ID_HEADER not in headers

"""The gate on the real embedded drivers, in front of a small application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from dome_mcp.app import Dome, Door
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core import access as core_access
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Ports
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, Token, token_text
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote import resource_metadata
from dome_mcp.remote.audit_log import AuditLog
from dome_mcp.remote.bearers import Bearers
from dome_mcp.remote.callers import caller_of
from dome_mcp.remote.exchanges import Patience
from dome_mcp.remote.gate import Gate
from dome_mcp.remote.oidc import Oidc
from dome_mcp.services import access
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports

HOST = "dome.example"
PUBLIC_PATHS = ("/healthz", *resource_metadata.PATHS)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Gated:
    """A gate, what it was made from, and a client for each kind of caller."""

    door: Door
    gate: Gate
    audit: AuditLog
    closing: anyio.Event
    ports: Ports
    clock: Clock

    async def token(
        self,
        *scopes: core_access.Scope,
        user: str = "ann",
        expires_at: datetime | None = None,
        created_at: datetime | None = None,
    ) -> tuple[str, Token]:
        """A new token's text, and what is stored of it."""
        text = token_text(token_bytes(ID_BYTES), token_bytes(SECRET_BYTES))
        token = await access.create_token(
            text,
            self.ports,
            user_id=user,
            name="test",
            scopes=frozenset(scopes or ("notes:read",)),
            now=created_at or datetime.now(UTC),
            expires_at=expires_at,
        )
        return text, token

    def client(
        self,
        token: str = "",
        *,
        peer: str = "192.0.2.1",
        host: str = HOST,
        headers: dict[str, str] | None = None,
    ) -> httpx.AsyncClient:
        """A client at an address, perhaps with a token."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.gate, client=(peer, 5555)),
            base_url=f"http://{host}",
            headers=given | (headers or {}),
        )


async def whoami(request: Request) -> Response:
    """Tells what the application behind the gate knows of a request."""
    principal = caller_of(request).principal
    return JSONResponse(
        {
            "user_id": principal.user_id,
            "scopes": sorted(principal.scopes),
            "credential": principal.credential,
            "zone": str(principal.zone),
            "client": request.client.host if request.client else "",
            "scheme": request.url.scheme,
        },
        headers={"Server": "secret/1.0"},
    )


async def echo(request: Request) -> Response:
    """Tells how long the body was."""
    return JSONResponse({"bytes": len(await request.body())})


async def health(_request: Request) -> Response:
    return Response("ok")


def small_app(settings: Settings) -> ASGIApp:
    return Starlette(
        routes=[
            *resource_metadata.routes(settings),
            Route("/healthz", health),
            Route("/api/me", whoami),
            Route("/api/notes/{note_id}", whoami, methods=["GET", "DELETE"]),
            Route("/api/cached", _cached),
            Route("/api/broken", _break),
            Route("/api/conflict", _conflict, methods=["POST"]),
            Route("/{rest:path}", echo, methods=["GET", "POST", "PUT", "OPTIONS"]),
        ]
    )


async def _cached(_request: Request) -> Response:
    return Response("x", headers={"Cache-Control": "max-age=9"})


async def _conflict(_request: Request) -> Response:
    return Response(status_code=409)


async def _break(_request: Request) -> Response:
    return Response(status_code=502)


@asynccontextmanager
async def gated(
    home: Path,
    *,
    http: HttpSettings | None = None,
    app: ASGIApp | None = None,
    oidc: Callable[[Settings], Oidc | None] = lambda _: None,
    patience: Patience | None = None,
    changes: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    opens: bool = True,
) -> AsyncIterator[Gated]:
    """A gate whose door opens; `changes` are to the settings, `options` of the gate itself.

    With `opens` false the application cannot be opened.
    """
    settings = Settings(
        home=home,
        timezone=ZoneInfo("Europe/Berlin"),
        http=http or HttpSettings(allowed_hosts=(HOST,)),
        **(changes or {}),
    )
    clock = Clock()
    async with SqliteDatabase.open(None) as database:
        ports = await make_ports(database, home, WordEmbedder())

        @asynccontextmanager
        async def open_here(_: Settings) -> AsyncIterator[Dome]:
            if not opens:
                raise BackendUnavailable("database", "open", "The database is away.")
            yield Dome.of_owner(settings, ports, holder="test")

        door = Door(settings, open_here)
        audit = AuditLog()
        closing = anyio.Event()
        gate = Gate(
            app or small_app(settings),
            door=door,
            bearers=Bearers(door, oidc(settings), clock=clock),
            public=lambda scope: scope["path"] in PUBLIC_PATHS,
            audit=audit,
            closing=closing,
            patience=patience,
            **(options or {}),
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(door.keep, _nothing_around)
            yield Gated(door, gate, audit, closing, ports, clock)
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def _nothing_around(_dome: Dome) -> AsyncIterator[None]:
    yield


@dataclass
class Line:
    """A request by hand: its body is sent when a test says so, its answer read as it comes."""

    gate: ASGIApp
    path: str
    token: str = ""
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body_ends: bool = True
    """Whether there is no body: otherwise nothing comes until `say`."""
    takes: bool = True
    """Whether the client reads what is sent to it."""
    sent: list[Message] = field(default_factory=list)
    scope: Scope = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._say, self._hear = anyio.create_memory_object_stream[Message](10)
        self._changed = anyio.Event()
        self.is_over = anyio.Event()
        if self.body_ends:
            self.say(b"", more=False)

    def say(self, body: bytes, *, more: bool = True) -> None:
        """Sends a part of the body."""
        self._say.send_nowait({"type": "http.request", "body": body, "more_body": more})

    async def run(self) -> None:
        """Has the request handled."""
        named = {"host": HOST, "authorization": f"Bearer {self.token}"} | self.headers
        self.scope.update(
            {
                "type": "http",
                "method": self.method,
                "path": self.path,
                "query_string": b"",
                "headers": [(name.encode(), value.encode()) for name, value in named.items()],
                "client": ("192.0.2.1", 5555),
                "scheme": "http",
                "root_path": "",
            }
        )
        with self._say, self._hear:
            await self.gate(self.scope, self._hear.receive, self._take)
        self.is_over.set()

    async def _take(self, message: Message) -> None:
        if not self.takes:
            await anyio.sleep_forever()
        self.sent.append(message)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, count: int) -> None:
        """Waits for so many messages of the answer."""
        while len(self.sent) < count:
            await self._changed.wait()

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def has_ended(self) -> bool:
        """Whether the answer is complete."""
        last = self.sent[-1]
        return last["type"] == "http.response.body" and not last.get("more_body", False)

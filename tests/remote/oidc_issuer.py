"""A simulated OAuth issuer, without a network, and a gate that believes it."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.oidc import Oidc, audiences_of
from dome_mcp.remote.oidc_keys import IssuerKeys
from dome_mcp.services.users import add_user
from dome_mcp.settings import Settings
from tests.remote.gated import HOST, Clock, Gated, gated
from tests.remote.oidc_server.running import ec_key, rsa_key

ISSUER = "https://login.example"
AUDIENCE = f"http://{HOST}/mcp"
KEY = rsa_key("k1")
EC = ec_key("k-ec")
OTHER = rsa_key("k1")
"""Somebody else's key, under the same name."""


@dataclass
class Issuer:
    """An issuer without a network; `asked` is what it was asked for."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [KEY.public_jwk, EC.public_jwk])
    name: str = ISSUER
    is_down: bool = False
    has_openid: bool = True
    asked: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.is_down:
            raise httpx.ConnectError("refused")
        if request.url.path in ("/jwks", "/cdn-cgi/access/certs"):
            return httpx.Response(200, json={"keys": self.keys})
        is_openid = request.url.path.endswith("/openid-configuration")
        if is_openid and not self.has_openid:
            return httpx.Response(404)
        return httpx.Response(200, json={"issuer": self.name, "jwks_uri": f"{ISSUER}/jwks"})

    @property
    def key_requests(self) -> int:
        return sum(not path.startswith("/.well-known") for path in self.asked)

    def open(self, settings: Settings) -> Oidc:
        """What checks this issuer's tokens."""
        keys = IssuerKeys(
            settings.http.oidc_issuer or "",
            jwks_url=settings.http.oidc_jwks_url,
            transport=httpx.MockTransport(self.respond),
            clock=self.clock,
        )
        return Oidc(settings.http, audiences=audiences_of(settings), keys=keys)


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says; None takes a claim away."""
    now = int(time.time())
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann@login",
        "client_id": "assistant",
        "iat": now,
        "exp": now + 300,
        "scope": "openid notes:read tasks:read",
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


@asynccontextmanager
async def resource(
    home: Path, issuer: Issuer, *, changes: dict[str, Any] | None = None, **http: Any
) -> AsyncIterator[Gated]:
    """A gate that believes the issuer, and a user `ann` whom it calls `ann@login`."""
    settings = {"allowed_hosts": (HOST,), "oidc_issuer": ISSUER, "oidc_audience": AUDIENCE}
    async with gated(
        home, http=HttpSettings(**{**settings, **http}), oidc=issuer.open, changes=changes
    ) as gate:
        await add_user("ann", gate.ports, now=datetime.now(UTC), identity="ann@login")
        yield gate


async def answer(gate: Gated, token: str) -> httpx.Response:
    async with gate.client(token) as client:
        return await client.get("/api/me")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    parts = [b64(json.dumps(each).encode()) for each in (header, said)]
    return ".".join([*parts, b64(signature)])

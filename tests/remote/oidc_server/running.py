"""A real OAuth server as a process, which can be stopped, and come back with new keys."""

import json
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import jwt
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.server.node_packages import installed, node_binary, node_environment

SCRIPT = Path(__file__).with_name("server.mjs")
SCOPES = ("notes:read", "notes:write", "tasks:read", "tasks:write", "admin", "weather")
CLIENT, SECRET = "assistant", "a-secret-for-tests-only"
_START_SECONDS = 60
_REQUEST = "request "


@dataclass(frozen=True)
class SigningKey:
    """A private key of an issuer, and its name."""

    key_id: str
    algorithm: str
    private: Any

    @property
    def private_jwk(self) -> dict[str, Any]:
        return self._jwk(self.private)

    @property
    def public_jwk(self) -> dict[str, Any]:
        return self._jwk(self.private.public_key())

    def _jwk(self, key: Any) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm[:2] in ("RS", "PS") else ECAlgorithm
        named = {"kid": self.key_id, "alg": self.algorithm, "use": "sig"}
        jwk = json.loads(kind.to_jwk(key))
        jwk.pop("key_ops", None)
        return jwk | named

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token of this issuer with these claims."""
        headers = {"kid": self.key_id, "typ": "at+jwt", **header}
        return jwt.encode(claims, self.private, self.algorithm, headers=headers)


def rsa_key(key_id: str, algorithm: str = "RS256") -> SigningKey:
    return SigningKey(key_id, algorithm, rsa.generate_private_key(65537, 2048))


def ec_key(key_id: str) -> SigningKey:
    return SigningKey(key_id, "ES256", ec.generate_private_key(ec.SECP256R1()))


@dataclass
class AuthorizationServer:
    """The server while it runs; `requests` is what it was asked, as method and path."""

    port: int
    requests: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def access_token(self, resource: str, scope: str) -> str:
        """A token for a resource, by the client's own credentials."""
        async with httpx.AsyncClient() as client:
            form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
            response = await client.post(f"{self.issuer}/token", data=form, auth=(CLIENT, SECRET))
            response.raise_for_status()
            return response.json()["access_token"]

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.endswith(f" {path}") for request in self.requests)


@asynccontextmanager
async def authorization_server(
    folder: Path, keys: Sequence[SigningKey], *, port: int = 0
) -> AsyncIterator[AuthorizationServer]:
    """A server with these keys; the port of an earlier one makes it the same issuer."""
    server = AuthorizationServer(port or free_port())
    settings = folder / "oidc.json"
    settings.write_text(
        json.dumps(
            {
                "port": server.port,
                "jwks": {"keys": [key.private_jwk for key in keys]},
                "clients": [{"client_id": CLIENT, "client_secret": SECRET}],
                "scopes": SCOPES,
            }
        )
    )
    modules = (await anyio.to_thread.run_sync(installed)).parent
    environment = node_environment()
    command = [node_binary(), SCRIPT, modules / "oidc-provider/lib/index.js", settings]
    async with (
        await anyio.open_process(
            list(map(str, command)), env=environment, stderr=subprocess.DEVNULL
        ) as process,
        anyio.create_task_group() as tasks,
    ):
        try:
            with anyio.fail_after(_START_SECONDS):
                await tasks.start(_follow, process, server)
            yield server
        finally:
            process.kill()
            with anyio.CancelScope(shield=True):
                await process.wait()
            tasks.cancel_scope.cancel()


async def _follow(
    process: Process, server: AuthorizationServer, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    assert process.stdout is not None
    unread = ""
    async for text in TextReceiveStream(process.stdout):
        *lines, unread = (unread + text).split("\n")
        for line in lines:
            if line == "listening":
                task_status.started()
            elif line.startswith(_REQUEST):
                server.requests.append(line.removeprefix(_REQUEST))


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""A real OAuth server as a process: discovery, tokens for this resource, new keys, downtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.oidc import Oidc, audiences_of, open_oidc
from dome_mcp.remote.oidc_keys import MAX_AGE_SECONDS, RETRY_SECONDS, IssuerKeys
from dome_mcp.services.users import add_user
from dome_mcp.settings import Settings
from tests.remote.gated import HOST, Clock, Gated, gated
from tests.remote.oidc_server.running import (
    CLIENT,
    SECRET,
    authorization_server,
    ec_key,
    free_port,
    rsa_key,
)
from tests.remote.processes import served
from tests.server.node_packages import installed

pytestmark = pytest.mark.anyio

PUBLIC = "https://dome.example"
RESOURCE = f"{PUBLIC}/mcp"


@pytest.fixture(scope="session", autouse=True)
def node_packages() -> None:
    """Installed before any test waits for the server."""
    installed()


@asynccontextmanager
async def resource(home: Path, issuer: str, *, clock: Clock | None = None) -> AsyncIterator[Gated]:
    """A gate that believes the issuer, and a user `ann` who is its client."""

    def open_here(settings: Settings) -> Oidc | None:
        if clock is None:
            return open_oidc(settings)
        keys = IssuerKeys(issuer, clock=clock)
        return Oidc(settings.http, audiences=audiences_of(settings), keys=keys)

    http = HttpSettings(allowed_hosts=(HOST,), oidc_issuer=issuer)
    changes = {"public_url": PUBLIC}
    async with gated(home, http=http, oidc=open_here, changes=changes) as gate:
        await add_user("ann", gate.ports, now=datetime.now(UTC), identity=CLIENT)
        yield gate


async def answer(gate: Gated, token: str) -> httpx.Response:
    async with gate.client(token) as client:
        return await client.get("/api/me")


async def test_a_token_for_this_resource_is_let_in_with_its_scopes(tmp_path: Path) -> None:
    async with (
        authorization_server(tmp_path, [rsa_key("k1")]) as server,
        resource(tmp_path, server.issuer) as gate,
    ):
        token = await server.access_token(RESOURCE, "notes:read tasks:write weather")
        response = await answer(gate, token)
    assert response.status_code == 200
    told = response.json()
    assert (told["user_id"], told["credential"]) == ("ann", f"oauth:{CLIENT}")
    assert told["scopes"] == ["notes:read", "tasks:write"]


async def test_a_token_for_another_resource_of_the_same_issuer_is_refused(
    tmp_path: Path,
) -> None:
    async with (
        authorization_server(tmp_path, [ec_key("k1")]) as server,
        resource(tmp_path, server.issuer) as gate,
    ):
        token = await server.access_token("https://mail.example/mcp", "notes:read")
        response = await answer(gate, token)
    assert response.status_code == 401
    assert "another service" in response.json()["detail"]


async def test_a_token_of_the_issuer_whose_time_is_over_is_refused(tmp_path: Path) -> None:
    key = rsa_key("k1")
    async with (
        authorization_server(tmp_path, [key]) as server,
        resource(tmp_path, server.issuer) as gate,
    ):
        token = await server.access_token(RESOURCE, "notes:read")
        said = jwt.decode(token, options={"verify_signature": False})
        statuses = [
            (await answer(gate, key.sign(said | {"exp": said["iat"] + seconds}))).status_code
            for seconds in (60, -31)
        ]
    assert statuses == [200, 401]


async def test_new_keys_are_found_old_ones_dropped_and_downtime_is_survived(
    tmp_path: Path,
) -> None:
    clock, port = Clock(), free_port()
    async with resource(tmp_path, f"http://127.0.0.1:{port}", clock=clock) as gate:
        async with authorization_server(tmp_path, [rsa_key("old")], port=port) as server:
            tokens = [await server.access_token(RESOURCE, "notes:read") for _ in range(3)]
            assert (await answer(gate, tokens[0])).status_code == 200
        clock.now += MAX_AGE_SECONDS
        assert (await answer(gate, tokens[1])).status_code == 200  # The issuer is down.
        clock.now += RETRY_SECONDS
        async with authorization_server(tmp_path, [ec_key("new")], port=port) as server:
            token = await server.access_token(RESOURCE, "notes:read")
            assert (await answer(gate, token)).status_code == 200
            assert (await answer(gate, tokens[2])).status_code == 401


async def test_an_issuer_that_was_never_up_is_503(tmp_path: Path) -> None:
    async with authorization_server(tmp_path, [rsa_key("k1")]) as server:
        token = await server.access_token(RESOURCE, "notes:read")
    async with resource(tmp_path, server.issuer) as gate:
        response = await answer(gate, token)
    assert response.status_code == 503
    assert response.headers["retry-after"]


async def test_a_flood_of_unknown_keys_does_not_reach_the_issuer(tmp_path: Path) -> None:
    stranger = rsa_key("made-up")
    async with (
        authorization_server(tmp_path, [rsa_key("k1")]) as server,
        resource(tmp_path, server.issuer) as gate,
    ):
        good = await server.access_token(RESOURCE, "notes:read")
        assert (await answer(gate, good)).status_code == 200
        said = {"iss": server.issuer, "aud": RESOURCE, "sub": CLIENT, "exp": 2**32}
        for number in range(30):
            token = stranger.sign(said, kid=f"made-up-{number}")
            assert (await answer(gate, token)).status_code in (401, 429)
        assert server.count("/jwks") == 1
        assert (await answer(gate, good)).status_code == 200


class Kept:
    """Where a client keeps its token."""

    def __init__(self) -> None:
        self.token: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise AssertionError("the client is registered already")


class Network(httpx2.AsyncBaseTransport):
    """The gate under its public name, and the loopback for everything else."""

    def __init__(self, gate: Gated) -> None:
        self._gate = httpx2.ASGITransport(gate.gate)
        self._loopback = httpx2.AsyncHTTPTransport()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        is_ours = request.url.host == HOST
        return await (self._gate if is_ours else self._loopback).handle_async_request(request)

    async def aclose(self) -> None:
        await self._loopback.aclose()


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_a_client_that_only_knows_the_address_finds_the_issuer_and_gets_in(
    tmp_path: Path, path: str
) -> None:
    kept = Kept()
    async with (
        authorization_server(tmp_path, [rsa_key("k1")]) as server,
        resource(tmp_path, server.issuer) as gate,
    ):
        provider = ClientCredentialsOAuthProvider(
            f"{PUBLIC}{path}", kept, CLIENT, SECRET, issuer=server.issuer
        )
        network = Network(gate)
        async with httpx2.AsyncClient(transport=network, auth=provider) as client:
            response = await client.get(f"{PUBLIC}{path}")
    assert response.status_code == 200
    assert kept.token is not None
    assert set((kept.token.scope or "").split()) >= {"notes:read", "tasks:write"}
    assert "admin" not in (kept.token.scope or "")
    where = "/mcp" if path == "/mcp" else ""
    assert network.asked[:2] == [path, f"/.well-known/oauth-protected-resource{where}"]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_an_assistant_signs_in_to_the_whole_server_and_uses_it(
    tmp_path: Path, era: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with (
        authorization_server(tmp_path, [rsa_key("k1")]) as server,
        served(
            tmp_path / "home",
            *("--port", url.rpartition(":")[2]),
            DOME_PUBLIC_URL=url,
            DOME_OIDC_ISSUER=server.issuer,
            DOME_OIDC_SIGNUP="true",
        ) as dome,
    ):
        provider = ClientCredentialsOAuthProvider(
            f"{url}/mcp", Kept(), CLIENT, SECRET, issuer=server.issuer
        )
        async with (
            httpx2.AsyncClient(auth=provider, timeout=30) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=era) as client,
        ):
            saved = await client.call_tool("ingest", {"text": "Oats for breakfast, with honey."})
            found = await client.call_tool("search", {"query": "honey"})
        owner = await dome.token()
        async with dome.client(owner) as theirs:
            listed = (await theirs.get("/api/notes")).json()
    assert not saved.is_error
    assert found.structured_content is not None
    assert len(found.structured_content["passages"]) == 1
    assert listed["notes"] == []

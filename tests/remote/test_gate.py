"""Who gets through the gate, and what those are told who do not."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.bearers import REMEMBERED_SECONDS
from dome_mcp.services import access
from dome_mcp.services.users import add_user
from tests.remote.gated import HOST, Gated, gated

pytestmark = pytest.mark.anyio

UNKNOWN = token_text(b"8" * ID_BYTES, b"s" * SECRET_BYTES)


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gated]:
    async with gated(tmp_path) as running:
        yield running


async def test_a_valid_token_is_let_in_as_its_user(gate: Gated) -> None:
    await add_user("ann", gate.ports, now=datetime.now(UTC), zone=ZoneInfo("Asia/Tokyo"))
    text, token = await gate.token("notes:read", "tasks:write", user="ann")
    async with gate.client(text) as client:
        response = await client.get("/api/me")
    assert response.status_code == 200
    assert response.json() == {
        "user_id": "ann",
        "scopes": ["notes:read", "tasks:write"],
        "credential": token.token_id,
        "zone": "Asia/Tokyo",
        "client": "192.0.2.1",
        "scheme": "http",
    }


@pytest.mark.parametrize("path", ["/api/me", "/mcp", "/sse", "/no/such/path", "/metrics"])
async def test_without_a_token_nothing_is_reached_and_no_error_code_is_given(
    gate: Gated, path: str
) -> None:
    async with gate.client() as client:
        response = await client.get(path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="DOME"'
    assert response.headers["content-type"] == "application/problem+json"
    assert "token create" in response.json()["hint"]


async def test_loopback_needs_a_token_as_well(gate: Gated) -> None:
    async with gate.client(peer="127.0.0.1", host="127.0.0.1:8765") as client:
        assert (await client.get("/api/me")).status_code == 401


@pytest.mark.parametrize(
    "text", [UNKNOWN, "dome_short_secret", "sesame", "a.b.c", UNKNOWN + "x", "é", "\N{SNOWMAN}"]
)
async def test_a_token_that_is_none_is_an_invalid_token(gate: Gated, text: str) -> None:
    headers = {b"authorization": b"Bearer " + text.encode()}
    async with gate.client() as client:
        response = await client.get("/api/me", headers=headers)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert text not in response.text


async def test_the_right_id_with_a_wrong_secret_is_an_invalid_token(gate: Gated) -> None:
    text, _ = await gate.token()
    wrong = text[:-5] + ("AAAAA" if not text.endswith("AAAAA") else "BBBBB")
    async with gate.client(wrong) as client:
        assert (await client.get("/api/me")).status_code == 401


async def test_an_expired_token_is_refused(gate: Gated) -> None:
    created_at = datetime.now(UTC) - timedelta(days=2)
    expires_at = created_at + timedelta(days=1)
    text, _ = await gate.token(created_at=created_at, expires_at=expires_at)
    async with gate.client(text) as client:
        assert (await client.get("/api/me")).status_code == 401


async def test_another_scheme_than_bearer_is_no_token(gate: Gated) -> None:
    async with gate.client(headers={"Authorization": "Basic YTpi"}) as client:
        response = await client.get("/api/me")
    assert response.status_code == 401
    assert "error=" not in response.headers["www-authenticate"]


async def test_the_name_of_the_scheme_may_be_written_in_any_case(gate: Gated) -> None:
    text, _ = await gate.token()
    async with gate.client(headers={"Authorization": f"bearer {text}"}) as client:
        assert (await client.get("/api/me")).status_code == 200


async def test_a_revoked_token_is_refused_after_five_seconds_at_most(gate: Gated) -> None:
    text, token = await gate.token()
    async with gate.client(text) as client:
        assert (await client.get("/api/me")).status_code == 200
        await access.revoke_tokens([token.token_id], gate.ports, now=datetime.now(UTC))
        gate.clock.now += REMEMBERED_SECONDS
        assert (await client.get("/api/me")).status_code == 401
    assert REMEMBERED_SECONDS <= 5


async def test_a_busy_client_costs_no_query_a_request(gate: Gated) -> None:
    text, token = await gate.token()
    async with gate.client(text) as client:
        await client.get("/api/me")
        await access.revoke_tokens([token.token_id], gate.ports, now=datetime.now(UTC))
        assert (await client.get("/api/me")).status_code == 200


async def test_the_use_of_a_token_is_noted(gate: Gated) -> None:
    text, _ = await gate.token()
    async with gate.client(text) as client:
        await client.get("/api/me")
    (token,) = await access.list_tokens(gate.ports, user_id="ann")
    assert token.last_used_at is not None


@pytest.mark.parametrize("query", ["access_token={}", "token={}", "q=1&key={}"])
async def test_a_token_in_the_address_is_refused_even_beside_a_good_one(
    gate: Gated, query: str
) -> None:
    text, _ = await gate.token()
    async with gate.client(text) as client:
        response = await client.get(f"/api/me?{query.format(text)}")
    assert response.status_code == 400
    assert "Revoke it" in response.json()["hint"]
    assert text not in response.text


async def test_no_token_is_logged(gate: Gated, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    text, _ = await gate.token()
    async with gate.client(text) as client:
        await client.get("/api/me")
        await client.get(f"/api/me?access_token={text}")
    async with gate.client(UNKNOWN) as client:
        await client.get("/api/me")
    # The client of the test logs what it sends; everybody else is the server.
    said = [each.getMessage() for each in caplog.records if not each.name.startswith("httpx")]
    assert text not in "".join(said)
    assert UNKNOWN not in "".join(said)


async def test_public_paths_need_no_token_but_a_right_host(gate: Gated) -> None:
    async with gate.client() as client:
        assert (await client.get("/healthz")).text == "ok"
    async with gate.client(host="evil.example") as client:
        assert (await client.get("/healthz")).status_code == 421


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/../api/me", "//healthz", "/HEALTHZ"])
async def test_what_only_looks_like_a_public_path_needs_a_token(gate: Gated, path: str) -> None:
    async with gate.client() as client:
        request = client.build_request("GET", "http://dome.example")
        request.url = request.url.copy_with(raw_path=path.encode())
        assert (await client.send(request)).status_code == 401


async def test_a_web_socket_is_closed(gate: Gated) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await gate.gate({"type": "websocket", "path": "/mcp", "headers": []}, receive, send)  # pyright: ignore[reportArgumentType]  plain dicts
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_every_answer_has_the_security_headers_and_an_id_of_our_own(gate: Gated) -> None:
    text, _ = await gate.token()
    async with gate.client(text, headers={"X-Request-Id": "theirs"}) as client:
        responses = [await client.get("/api/me"), await client.get("/healthz")]
    async with gate.client() as client:
        responses.append(await client.get("/api/me"))
    async with gate.client(host="evil.example") as client:
        responses.append(await client.get("/"))
    for response in responses:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in response.headers
        assert len(response.headers["x-request-id"]) == 16
    assert len({response.headers["x-request-id"] for response in responses}) == 4


async def test_what_is_not_public_is_not_stored_unless_the_application_says_so(
    gate: Gated,
) -> None:
    text, _ = await gate.token()
    async with gate.client(text) as client:
        assert (await client.get("/api/me")).headers["cache-control"] == "no-store"
        assert (await client.get("/api/cached")).headers["cache-control"] == "max-age=9"
        assert "cache-control" not in (await client.get("/healthz")).headers


async def test_a_door_that_does_not_open_is_503_and_not_401(tmp_path: Path) -> None:
    async with gated(tmp_path, opens=False) as gate, gate.client(UNKNOWN) as client:
        response = await client.get("/api/me")
    assert response.status_code == 503
    assert response.headers["retry-after"]


async def test_an_error_of_the_application_is_told_by_a_reference_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise LookupError("what was in the note")

    async with gated(tmp_path, app=broken) as gate:
        text, _ = await gate.token()
        async with gate.client(text) as client:
            response = await client.get("/api/me")
    assert response.status_code == 500
    assert response.headers["x-request-id"]
    assert response.json()["reference"] in caplog.text
    assert "note" not in response.text


async def test_an_error_after_the_answer_began_leaves_it_unfinished(tmp_path: Path) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("too late")

    async with gated(tmp_path, app=broken) as gate:
        text, _ = await gate.token()
        async with gate.client(text) as client:
            with pytest.raises(LookupError, match="too late"):
                await client.get("/api/me")


async def test_the_challenge_leads_to_the_metadata_where_there_is_an_issuer(
    tmp_path: Path,
) -> None:
    http = HttpSettings(allowed_hosts=(HOST,), oidc_issuer="https://login.example")
    async with gated(tmp_path, http=http) as gate, gate.client() as client:
        for path, name in (("/mcp", "/mcp"), ("/sse", ""), ("/api/me", "")):
            challenge = (await client.get(path)).headers["www-authenticate"]
            where = f"http://{HOST}/.well-known/oauth-protected-resource{name}"
            assert f'resource_metadata="{where}"' in challenge
            metadata = (await client.get(httpx.URL(where))).json()
            assert metadata["resource"] == f"http://{HOST}{name}"
            assert metadata["authorization_servers"] == ["https://login.example"]
            assert metadata["bearer_methods_supported"] == ["header"]
            assert "admin" not in metadata["scopes_supported"]


async def test_without_an_issuer_there_is_no_metadata(gate: Gated) -> None:
    async with gate.client() as client:
        response = await client.get("/.well-known/oauth-protected-resource/mcp")
    assert response.status_code == 404


async def test_behind_a_proxy_that_signs_people_in_there_is_no_metadata(tmp_path: Path) -> None:
    http = HttpSettings(
        allowed_hosts=(HOST,),
        oidc_issuer="https://team.cloudflareaccess.com",
        oidc_header="Cf-Access-Jwt-Assertion",
    )
    async with gated(tmp_path, http=http) as gate, gate.client() as client:
        assert (await client.get("/.well-known/oauth-protected-resource")).status_code == 404
        assert "resource_metadata" not in (await client.get("/mcp")).headers["www-authenticate"]

"""The endpoint as a whole: what is public, what every transport can do, and who is let in."""

from pathlib import Path

import anyio
import pytest

from dome_mcp.core.ports import Statement
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote.frame import PUBLIC, is_public
from dome_mcp.remote.sessions import MAX_SESSIONS_EACH
from tests.remote.serving_http import Served, serving_http
from tests.serving import ERAS, LISBON, call

pytestmark = pytest.mark.anyio

TRANSPORTS = [("auto", "/mcp"), ("legacy", "/mcp"), ("legacy", "/sse")]
"""Each era of the protocol with the transports it has."""

PRIVATE = [
    ("GET", "/mcp"),
    ("POST", "/mcp"),
    ("DELETE", "/mcp"),
    ("GET", "/sse"),
    ("POST", "/messages/?session_id=00000000000000000000000000000000"),
    ("GET", "/metrics"),
    ("GET", "/api/me"),
    ("GET", "/api/status"),
    ("GET", "/api/notes"),
    ("DELETE", "/api/notes/01HZZZZZZZZZZZZZZZZZZZZZZZ"),
    ("POST", "/api/uploads"),
    ("POST", "/"),
    ("POST", "/healthz"),
    ("GET", "/there/is/nothing"),
    ("GET", "/assets"),
    ("GET", "/healthz/"),
    ("GET", "/api/docs/../notes"),
]


_ACCEPT = {"Accept": "application/json, text/event-stream"}
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
_LIST_TOOLS = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
_DROP = Statement("DROP TABLE d1_migrations")


@pytest.mark.parametrize(("era", "path"), TRANSPORTS)
async def test_a_note_saved_over_mcp_is_found_over_rest(
    endpoint: Served, era: str, path: str
) -> None:
    token = await endpoint.token()
    with anyio.fail_after(20):
        async with endpoint.mcp(token, era=era, path=path) as client:
            stored = await call(client, "ingest", text=LISBON)
        async with endpoint.client(token) as rest:
            found = (await rest.get("/api/search", params={"q": "Miramar"})).json()
    assert [each["note_id"] for each in found["passages"]] == [stored["note_id"]]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
async def test_nobody_is_served_without_a_token(endpoint: Served, method: str, path: str) -> None:
    async with endpoint.client() as nobody:
        response = await nobody.request(method, path)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["content-type"] == "application/problem+json"


async def test_what_is_public_is_this_and_nothing_else() -> None:
    assert set(PUBLIC) == {
        ("GET", "/"),
        ("GET", "/assets/"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/docs"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/mcp"),
        ("GET", "/link/"),
        ("POST", "/link/"),
        ("PUT", "/api/uploads/"),
    }


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/api/openapi.json", "/api/docs"])
async def test_a_public_path_answers_everybody(endpoint: Served, path: str) -> None:
    async with endpoint.client() as nobody:
        got, head = await nobody.get(path), await nobody.head(path)
    assert (got.status_code, head.status_code) == (200, 200)
    assert head.content == b""


def test_a_slash_at_the_end_of_a_public_place_means_what_is_under_it() -> None:
    def public(method: str, path: str) -> bool:
        return is_public({"type": "http", "method": method, "path": path})

    assert public("GET", "/assets/1/app.js")
    assert public("PUT", "/api/uploads/1")
    assert not public("POST", "/api/uploads/1")
    assert not public("GET", "/notes")
    assert not public("GET", "//healthz")
    assert not public("GET", "/api/docs/more")


async def test_health_says_a_word_and_no_detail(endpoint: Served) -> None:
    async with endpoint.client() as nobody:
        lives, ready = await nobody.get("/healthz"), await nobody.get("/readyz")
    assert (lives.text, ready.text) == ("ok", "ready")
    assert "server" not in lives.headers


async def test_nothing_is_ready_while_the_database_cannot_be_read(endpoint: Served) -> None:
    await endpoint.dome.ports.database.batch([_DROP])
    async with endpoint.client() as nobody:
        ready, lives = await nobody.get("/readyz"), await nobody.get("/healthz")
    assert (ready.status_code, ready.text) == (503, "not ready")
    assert ready.headers["retry-after"] == "1"
    assert lives.status_code == 200


async def test_an_address_where_nothing_is_is_a_problem(endpoint: Served) -> None:
    async with endpoint.client(await endpoint.token()) as client:
        response = await client.get("/nothing")
    assert response.status_code == 404
    assert response.json()["type"] == "/api/docs#not-found"


async def test_another_host_and_another_origin_are_refused_on_every_path(endpoint: Served) -> None:
    async with endpoint.client(await endpoint.token()) as client:
        for path in ("/mcp", "/sse", "/api/me", "/healthz", "/"):
            host = await client.get(path, headers={"Host": "evil.example"})
            origin = await client.get(path, headers={"Origin": "https://evil.example"})
            assert (host.status_code, origin.status_code) == (421, 403), path


async def test_a_session_is_of_no_use_to_another_token(endpoint: Served) -> None:
    mine, other = await endpoint.token(), await endpoint.token(user="ann")
    async with endpoint.client(mine) as client:
        opened = await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
    session = {**_ACCEPT, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
    async with endpoint.client(other) as thief:
        taken = await thief.post("/mcp", json=_LIST_TOOLS, headers=session)
        ended = await thief.delete("/mcp", headers=session)
    assert (taken.status_code, ended.status_code) == (404, 404)
    async with endpoint.client(mine) as client:
        assert (await client.delete("/mcp", headers=session)).status_code == 200
        assert (await client.post("/mcp", json=_LIST_TOOLS, headers=session)).status_code == 404


async def test_a_token_with_many_sessions_opens_no_more_and_others_still_do(
    tmp_path: Path,
) -> None:
    quick = HttpSettings(rate_per_minute=100_000)
    async with serving_http(tmp_path / "home", http=quick) as endpoint:
        token, other = await endpoint.token(), await endpoint.token(user="ann")
        async with endpoint.client(token) as client:
            opened = [
                await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
                for _ in range(MAX_SESSIONS_EACH)
            ]
            assert {response.status_code for response in opened} == {200}
            refused = await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
            assert refused.status_code == 429
            assert "sessions" in refused.json()["detail"]
            session = {**_ACCEPT, "Mcp-Session-Id": opened[0].headers["mcp-session-id"]}
            listed = await client.post("/mcp", json=_LIST_TOOLS, headers=session)
            ended = await client.delete("/mcp", headers=session)
            again = await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
            assert (listed.status_code, ended.status_code, again.status_code) == (200, 200, 200)
        async with endpoint.client(other) as client:
            theirs = await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
            assert theirs.status_code == 200
        async with endpoint.mcp(token) as client:
            assert await call(client, "list_notes") == {"notes": []}


async def test_progress_reaches_the_client(endpoint: Served) -> None:
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert total is not None
        assert message
        seen.append(progress)

    async with endpoint.mcp(await endpoint.token()) as client:
        await client.call_tool("ingest", {"text": LISBON}, progress_callback=note)
    assert seen == [0, 2]


async def test_a_message_may_be_as_large_as_the_settings_say(tmp_path: Path) -> None:
    text = "All work and no play. " * 60_000  # 1.3 MB
    small, large = HttpSettings(max_body_mb=1), HttpSettings(max_body_mb=8)
    async with (
        serving_http(tmp_path / "home", http=small) as served,
        served.client(await served.token()) as rest,
    ):
        for path in ("/mcp", "/api/notes"):
            assert (await rest.post(path, json={"text": text}, headers=_ACCEPT)).status_code == 413
    async with (
        serving_http(tmp_path / "other", http=large) as served,
        served.mcp(await served.token()) as client,
    ):
        assert (await call(client, "ingest", text=text))["chunks"] > 1


async def test_with_several_processes_the_handshake_needs_no_session(tmp_path: Path) -> None:
    async with serving_http(tmp_path / "home", http=HttpSettings(http_workers=2)) as served:
        token = await served.token()
        async with served.client(token) as client:
            opened = await client.post("/mcp", json=_INITIALIZE, headers=_ACCEPT)
            sse = await client.get("/sse")
        assert "mcp-session-id" not in opened.headers
        assert sse.status_code == 503
        assert "DOME_HTTP_WORKERS=1" in sse.json()["hint"]
        for era in ERAS:
            async with served.mcp(token, era=era) as client:
                assert await call(client, "list_notes") == {"notes": []}

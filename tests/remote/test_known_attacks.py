"""What has been done to servers of this kind before, each tried on this one under its own name.

CVE-2026-29787  health checks told strangers about the machine and its data
CVE-2026-31242  anybody could delete, without a token
CVE-2026-49291  a token for reading could write and delete
CVE-2026-49948  any token could lead the model's traffic elsewhere
"""

from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import anyio
import pytest

from dome_mcp.http_settings import HTTP_NAMES
from dome_mcp.remote.frame import PUBLIC
from dome_mcp.server import SUBJECTS
from dome_mcp.settings import Settings
from dome_mcp.tools._boundary import DomeTool
from tests.remote.attacked_site import (
    ACCEPTING,
    HELLO,
    SECRET,
    Site,
    event_stream,
    message,
    opened_session,
    operations,
    site,
)
from tests.remote.endpoint_for_tests import PATIENCE_SECONDS, TRANSPORTS
from tests.remote.two_users import Neighbours, belongings, neighbours

__all__ = ["site"]

pytestmark = pytest.mark.anyio


def tools() -> list[DomeTool]:
    found = [tool for subject in SUBJECTS for tool in subject.tools()]
    assert all(isinstance(tool, DomeTool) for tool in found)
    return found  # type: ignore[return-value]  seen on the line before


async def test_cve_2026_29787_a_health_check_tells_a_stranger_one_word(site: Site) -> None:
    assert (await site.stranger.get("/healthz")).text == "ok"
    assert (await site.stranger.get("/readyz")).text == "ready"
    for path in ("/api/status", "/metrics", "/healthz/detailed", "/api/health", "/status", "/docs"):
        refused = await site.stranger.get(path)
        assert refused.status_code == 401, path
        assert SECRET not in refused.text


async def test_cve_2026_29787_figures_of_the_machine_take_admin(site: Site) -> None:
    assert (await site.writer.get("/metrics")).status_code == 403
    home = str(site.endpoint.door.settings.home)
    assert home not in (await site.writer.get("/api/status")).text
    async with site.endpoint.mcp("modern", site.writing_token) as client:
        assert home not in (await client.read_resource("dome://status")).model_dump_json()


async def test_no_public_answer_has_anything_of_a_user(site: Site) -> None:
    for method, path in PUBLIC:
        answer = await site.stranger.request(method, path)
        assert SECRET not in answer.text
        assert site.note_id not in answer.text
        assert str(site.endpoint.door.settings.home) not in answer.text


NO_TOKENS = (None, "Bearer", "Bearer null", f"Bearer dome_{'a' * 13}_{'A' * 43}", "Basic YTph")


@pytest.mark.parametrize("sent", NO_TOKENS)
async def test_nothing_but_the_public_paths_answers_without_a_valid_token(
    site: Site, sent: str | None
) -> None:
    headers = {} if sent is None else {"Authorization": sent}
    before = await belongings("ann", site.endpoint)
    asked = [(method, site.path(path)) for method, path, _ in await operations(site)]
    asked += [("POST", "/mcp"), ("GET", "/mcp"), ("DELETE", "/mcp"), ("GET", "/sse")]
    asked += [("POST", f"/messages/?session_id={'0' * 32}"), ("GET", "/metrics"), ("GET", "/x")]
    for method, path in asked:
        if (method, path) in PUBLIC or (method == "PUT" and path.startswith("/api/uploads/")):
            continue
        refused = await site.stranger.request(method, path, headers=headers, json={})
        if refused.status_code != 429:  # Whoever guesses tokens is soon told to wait.
            assert refused.status_code == 401, (method, path)
            assert refused.headers["www-authenticate"].startswith("Bearer")
        assert SECRET not in refused.text
    assert await belongings("ann", site.endpoint) == before


async def test_cve_2026_31242_nobody_deletes_without_a_token(site: Site) -> None:
    before = await belongings("ann", site.endpoint)
    deleting = [path for method, path, _ in await operations(site) if method == "DELETE"]
    assert len(deleting) >= 2
    for path in [*map(site.path, deleting), "/api/notes", "/api/tasks", "/api", "/mcp", "/"]:
        assert (await site.stranger.delete(path)).status_code == 401, path
    assert await belongings("ann", site.endpoint) == before


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_cve_2026_49291_a_token_for_reading_writes_by_no_tool(
    site: Site, transport: str
) -> None:
    before = await belongings("ann", site.endpoint)
    writing = [tool for tool in tools() if any(":write" in scope for scope in tool.scopes)]
    assert len(writing) >= 8
    ids = {"note_id": site.note_id, "task_id": site.task_id, "reminder_id": site.reminder_id}
    plausible = {**ids, "text": "x", "revision": 1, "description": "x", "action": "cancel"}
    async with site.endpoint.mcp(transport, site.reading_token) as client:
        offered = {tool.name for tool in (await client.list_tools()).tools}
        assert not offered & {tool.name for tool in writing}
        for tool in writing:
            names = tool.parameters["properties"]
            call = {name: value for name, value in plausible.items() if name in names}
            refused = await client.call_tool(tool.name, call)
            assert refused.is_error
            assert "lacks the scope" in refused.model_dump_json()
        assert not (await client.call_tool("get_note", {"note_id": site.note_id})).is_error
    assert await belongings("ann", site.endpoint) == before


async def test_cve_2026_49291_a_token_for_reading_writes_by_no_route(site: Site) -> None:
    before = await belongings("ann", site.endpoint)
    writing = [
        (method, site.path(path))
        for method, path, operation in await operations(site)
        if any(":write" in scope for scope in operation.get("x-required-scopes", ()))
    ]
    assert {method for method, _ in writing} >= {"POST", "PATCH", "DELETE"}
    for method, path in writing:
        refused = await site.reader.request(method, path, json={}, headers={"If-Match": "*"})
        assert refused.status_code == 403, (method, path)
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert await belongings("ann", site.endpoint) == before


async def test_cve_2026_49291_only_what_reads_takes_no_scope_for_writing(site: Site) -> None:
    for method, path, operation in await operations(site):
        scopes = operation.get("x-required-scopes")
        is_reading = method == "GET" or path == "/api/chat" or method == "PUT"
        assert is_reading or any(":write" in scope for scope in scopes), (method, path)
    for tool in tools():
        assert tool.annotations is not None
        is_writing = any(":write" in scope for scope in tool.scopes)
        assert is_writing is not tool.annotations.read_only_hint, tool.name


async def test_cve_2026_49291_a_session_that_a_writer_opened_lends_its_rights_to_nobody(
    site: Site,
) -> None:
    before = await belongings("ann", site.endpoint)
    session = await opened_session(site.writer)
    delete = message("tools/call", name="delete_note", arguments={"note_id": site.note_id})
    answer = await site.reader.post("/mcp", json=delete, headers=session)
    assert answer.status_code == 404 or "lacks the scope" in answer.text
    assert (await site.stranger.post("/mcp", json=delete, headers=session)).status_code == 401
    assert await belongings("ann", site.endpoint) == before
    own = await site.writer.post("/mcp", json=delete, headers=session)
    assert '"isError":false' in own.text.replace(" ", "")


async def test_cve_2026_49291_neither_does_a_stream_of_events(site: Site) -> None:
    before = await belongings("ann", site.endpoint)
    async with event_stream(site.writer) as (address, events):
        delete = message("tools/call", name="delete_note", arguments={"note_id": site.note_id})
        assert (await site.reader.post(address, json=delete)).status_code in (403, 404)
        assert (await site.stranger.post(address, json=delete)).status_code == 401
        await site.writer.post(address, json=message("initialize", 7, **HELLO))
        assert (await anext(events))["id"] == 7
    assert await belongings("ann", site.endpoint) == before


async def test_cve_2026_49948_no_request_redirects_the_traffic_of_the_model(site: Site) -> None:
    settings = {field.name for field in fields(Settings)} | set(HTTP_NAMES)
    settings |= {"model", "base_url", "api_base", "api_key", "endpoint_url", "settings", "config"}
    # What a note says of itself and how to search is no setting, though it has a setting's name.
    taken = {name for tool in tools() for name in tool.parameters["properties"]}
    document = (await site.stranger.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"].values()
    for _, _, operation in await operations(site):
        taken |= {each["name"] for each in operation.get("parameters", ())}
        sent = operation.get("requestBody", {}).get("content", {})
        for content in sent.values():
            taken |= set(content["schema"].get("properties", ()))
            named = content["schema"].get("$ref", "").rpartition("/")[2]
            taken |= set(document["components"]["schemas"].get(named, {}).get("properties", ()))
    assert schemas
    assert taken & settings <= {"timezone"}
    before = site.endpoint.dome.settings
    redirecting = {"question": "Where?", "llm_url": "https://evil.example/v1"}
    assert (await site.writer.post("/api/chat", json=redirecting)).status_code == 422
    async with site.endpoint.mcp("modern", site.writing_token) as client:
        assert (await client.call_tool("rag_answer", redirecting)).is_error
    assert (await site.endpoint.door.dome()).settings is before


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Neighbours]:
    async with neighbours(tmp_path / "home") as living:
        yield living


async def test_a_guessed_session_opens_nothing_of_the_user_it_belongs_to(both: Neighbours) -> None:
    before = await belongings("ann", both.endpoint)
    session = await opened_session(both.ann.http)
    note_id = both.ann.owns["note_id"]
    read = message("tools/call", name="get_note", arguments={"note_id": note_id})
    for method, body in (("POST", read), ("GET", None), ("DELETE", None)):
        answer = await both.bob.http.request(method, "/mcp", json=body, headers=session)
        assert answer.status_code == 404, method
        assert both.ann.canary not in answer.text
    # It is still there for Ann: nobody else has ended it.
    own = await both.ann.http.post("/mcp", json=read, headers=session)
    assert both.ann.canary in own.text
    assert await belongings("ann", both.endpoint) == before


async def test_a_session_that_a_client_made_up_is_not_opened(both: Neighbours) -> None:
    chosen = {**ACCEPTING, "Mcp-Session-Id": "chosen-by-bob"}
    read = message("tools/list")
    assert (await both.bob.http.post("/mcp", json=read, headers=chosen)).status_code == 404
    opened = await both.ann.http.post("/mcp", json=message("initialize", **HELLO), headers=chosen)
    assert opened.headers.get("mcp-session-id") != "chosen-by-bob"


async def test_a_guessed_stream_of_events_takes_no_message_and_tells_nothing(
    both: Neighbours,
) -> None:
    async with event_stream(both.ann.http) as (address, events):
        taken = await both.bob.http.post(address, json=message("initialize", 1, **HELLO))
        assert taken.status_code == 404
        await both.ann.http.post(address, json=message("initialize", 2, **HELLO))
        with anyio.fail_after(PATIENCE_SECONDS):
            assert (await anext(events))["id"] == 2

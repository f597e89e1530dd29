"""`dome-mcp serve --http` as a process: what it needs to start, and that all of it then works."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from httpx import AsyncClient

from dome_mcp.cli import main
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.http_settings import HttpSettings
from dome_mcp.remote import sockets
from tests.remote.processes import HttpServer, children_of, is_alive, refusal, served, until
from tests.remote.streams import listening
from tests.serving import LISBON, call, settings_in

pytestmark = pytest.mark.anyio

_CREATED = 'dome_http_requests_total{method="POST",route="/api/notes",status="201"}'
ANYWHERE = "0.0.0.0"  # noqa: S104  what a test refuses, or lets in by name
posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has one process")


async def test_a_token_of_the_command_opens_rest_mcp_and_sse(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert "dome-mcp token create" in await server.until_said("nobody has a token yet")
        token = await server.token()
        async with server.client(token) as rest:
            stored = (await rest.post("/api/notes", json={"text": LISBON})).json()
            assert (await rest.get("/api/me")).json()["user_id"] == "me"
        for era, path in (("auto", "/mcp"), ("legacy", "/mcp"), ("legacy", "/sse")):
            async with server.mcp(token, era=era, path=path) as client:
                found = await call(client, "search", query="Miramar")
                assert found["passages"][0]["note_id"] == stored["note_id"]


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        token = await server.token()
        async with server.client(token) as rest:
            stored = (await rest.post("/api/notes", json={"text": LISBON})).json()
        server.process.kill()
        await server.process.wait()
    async with served(tmp_path) as server, server.client(token) as rest:
        assert (await rest.get(f"/api/notes/{stored['note_id']}")).json()["text"] == LISBON
        # And who has a token is not told how to make one.
        assert not [line for line in server.said if "nobody has a token" in line]


async def test_every_request_leaves_a_line_without_its_secrets(tmp_path: Path) -> None:
    async with served(tmp_path, DOME_LOG_FORMAT="json") as server:
        token = await server.token()
        async with server.client(token) as rest:
            answer = await rest.get("/api/search", params={"q": "canary"})
            await rest.get("/api/notes/01HZZZZZZZZZZZZZZZZZZZZZZZ")
        line = json.loads(await server.until_said("/api/search"))
        await server.until_said('"/api/notes/{note_id}"')
        said = "\n".join(server.said)
    assert line["message"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/search", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["credential"] == token.split("_")[1]
    assert line["ms"] > 0
    assert '"/api/notes/{note_id}"' in said
    assert "canary" not in said
    assert "01HZZZ" not in said
    assert token.split("_", 2)[2] not in said  # which may have the mark in it


@posix_only
async def test_several_processes_serve_one_data_folder(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2") as server:
        token = await server.token()
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(_save, server.client(token), f"Note {number}.")
        async with server.client(token) as rest:
            assert len((await rest.get("/api/notes", params={"limit": 50})).json()["notes"]) == 20
        for era in ("auto", "legacy"):
            async with server.mcp(token, era=era) as client:
                assert (await call(client, "search", query="Note"))["passages"]


@posix_only
async def test_figures_sum_over_the_processes(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2", DOME_LOG_FORMAT="json") as server:
        token = await server.token()
        sent = 0
        busy: set[int] = set()
        while len(busy) < 2:
            # A connection each: whichever process is free takes it.
            await _save(server.client(token), f"Note {sent}.")
            sent += 1
            await until(lambda expected=sent: len(_requests(server, "POST")) == expected)
            busy = {line["process"] for line in _requests(server, "POST")}
        async with server.client(token) as rest:
            lines = (await rest.get("/metrics")).text.splitlines()
    assert f"{_CREATED} {sent}.0" in lines
    assert f"dome_notes {sent}.0" in lines


@posix_only
async def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2") as server:
        token = await server.token()
        await _save(server.client(token), LISBON)
        async with listening(server.client(token)):
            for child in children_of(server.process.pid):
                os.kill(child, 9)
            await server.until_said("is replaced")
            await server.until_ready()
        async with server.client(token) as rest:
            assert len((await rest.get("/api/notes")).json()["notes"]) == 1
            # What the dead one had open is not counted any more, what it had done is.
            figures = (await rest.get("/metrics")).text.splitlines()
        assert "dome_http_streams_open 0.0" in figures
        assert f"{_CREATED} 1.0" in figures


@posix_only
async def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    async with served(tmp_path, "--workers", "2") as server:
        children = children_of(server.process.pid)
        assert len(children) == 2
        server.process.kill()
        await server.process.wait()
        await until(lambda: not any(map(is_alive, children)))


async def test_a_port_in_use_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = await refusal(tmp_path, "--port", str(port))
    assert f"port {port}" in str(error["message"])
    assert "--port" in str(error["message"])


async def test_a_host_that_others_reach_is_refused_without_allowed_hosts(tmp_path: Path) -> None:
    error = await refusal(tmp_path, "--host", ANYWHERE, "--port", "0")
    assert "DOME_ALLOWED_HOSTS" in str(error["message"])
    async with served(tmp_path, "--host", ANYWHERE, DOME_ALLOWED_HOSTS="dome.test") as server:
        assert "TLS" in await server.until_said("reverse proxy")
        async with server.client() as nobody:
            named = await nobody.get("/healthz", headers={"Host": "dome.test"})
            other = await nobody.get("/healthz", headers={"Host": "other.test"})
        assert (named.status_code, other.status_code) == (200, 421)


def test_every_problem_of_the_settings_is_said_at_once(tmp_path: Path) -> None:
    http = HttpSettings(http_host=ANYWHERE, oidc_issuer="https://login.example.org")
    with pytest.raises(ConfigurationError) as raised:
        sockets.check(settings_in(tmp_path, http=http))
    assert len(raised.value.problems) == 2


def test_nothing_is_wrong_with_the_defaults(tmp_path: Path) -> None:
    sockets.check(settings_in(tmp_path))
    assert sockets.warnings(settings_in(tmp_path)) == []


def test_a_name_that_stands_for_two_addresses_is_listened_on_at_one_port() -> None:
    listeners = sockets.listen(HttpSettings(http_host="localhost", http_port=0))
    ports = {each.getsockname()[1] for each in listeners}
    for each in listeners:
        each.close()
    assert len(ports) == 1


def test_options_of_the_http_server_want_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "1"], environ={"DOME_HOME": str(tmp_path)}) == 2
    assert "Add --http." in capsys.readouterr().err


def _requests(server: HttpServer, method: str) -> list[dict[str, Any]]:
    """What the log has said of requests with this method."""
    for line in server.said:
        assert line.startswith("{"), line
    lines = [json.loads(line) for line in server.said]
    return [line for line in lines if line.get("method") == method]


async def _save(client: AsyncClient, text: str) -> None:
    async with client:
        response = await client.post("/api/notes", json={"text": text})
    assert response.status_code == 201, response.text

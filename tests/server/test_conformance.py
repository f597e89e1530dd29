"""The official conformance suite on the whole endpoint, and the inspector on every transport.

Scenarios that call tools of their own (`test_…`) are left out, and so are single checks that say
they could not be made without one.
"""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from dome_mcp.remote.app import Endpoint
from tests.remote.serving_http import Served, serving_http
from tests.server.node_packages import installed, node_environment
from tests.server.processes import COMMAND

pytestmark = [pytest.mark.anyio, pytest.mark.conformance]

SCENARIOS = {
    "2025-11-25": (
        "server-initialize",
        "ping",
        "completion-complete",
        "tools-list",
        "resources-list",
        "resources-subscribe",
        "resources-unsubscribe",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
        "server-session-lifecycle",
    ),
    "2026-07-28": (
        "server-stateless",
        "completion-complete",
        "tools-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
        "caching",
        "http-header-validation",
    ),
}
ALL_SCENARIOS = [(wire, name) for wire, names in SCENARIOS.items() for name in names]
SECONDS = 120


@pytest.fixture(scope="session")
def commands() -> Path:
    return installed()


class _Introducing:
    """Puts a token on requests that carry none: the suite has no way to send one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.token = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "authorization" not in Headers(scope=scope):
            header = (b"authorization", f"Bearer {self.token}".encode())
            scope = {**scope, "headers": [*scope["headers"], header]}
        await self._endpoint(scope, receive, send)

    async def close_streams(self) -> None:
        await self._endpoint.close_streams()


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The whole endpoint, behind something that introduces whoever asks."""
    made: list[_Introducing] = []

    def around(endpoint: Endpoint) -> _Introducing:
        made.append(_Introducing(endpoint))
        return made[0]

    async with serving_http(tmp_path / "home", around=around) as served:
        made[0].token = await served.token()
        yield f"{served.url}/mcp"


@pytest.mark.parametrize(("wire", "scenario"), ALL_SCENARIOS)
async def test_the_server_conforms(
    address: str, commands: Path, tmp_path: Path, wire: str, scenario: str
) -> None:
    with anyio.fail_after(SECONDS):
        result = await anyio.run_process(
            [
                commands / "conformance", "server", "--url", address, "--spec-version", wire,
                "--scenario", scenario, "-o", tmp_path / "results",
            ],
            env=node_environment(),
            check=False,
        )  # fmt: skip
    reports = list((tmp_path / "results").glob("*/checks.json"))
    assert len(reports) == 1, result.stdout.decode() + result.stderr.decode()
    checks = json.loads(reports[0].read_text())
    statuses = [check["status"] for check in checks]
    failures = [
        (check["id"], check.get("errorMessage"))
        for check in checks
        if check["status"] == "FAILURE" and not check.get("details", {}).get("untestable")
    ]
    assert failures == []
    assert "SUCCESS" in statuses


async def inspect(commands: Path, home: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and output of the inspector on the server as a process."""
    with anyio.fail_after(SECONDS):
        result = await anyio.run_process(
            [
                commands / "mcp-inspector", "--cli", "-e", f"DOME_HOME={home}",
                "-e", "DOME_EMBEDDING_MODEL=off", "-e", "DOME_COMPANION=off", *COMMAND, *arguments,
            ],
            env=node_environment(),
            stderr=sys.stderr,
            check=False,
        )  # fmt: skip
    return result.returncode, result.stdout.decode()


async def test_the_inspector_finds_every_schema_portable(commands: Path, tmp_path: Path) -> None:
    code, output = await inspect(commands, tmp_path, "--method", "tools/list", "--strict")
    assert code == 0
    assert len(json.loads(output)["tools"]) == 14


async def test_the_inspector_saves_a_note_and_finds_it(commands: Path, tmp_path: Path) -> None:
    call = ("--method", "tools/call", "--tool-name")
    code, _ = await inspect(
        commands, tmp_path, *call, "ingest", "--tool-arg", "text=Anna likes lilies."
    )
    assert code == 0
    code, output = await inspect(
        commands, tmp_path, *call, "search", "--tool-arg", "query=lilies", "limit=3"
    )
    assert code == 0
    assert json.loads(output)["structuredContent"]["passages"][0]["text"] == "Anna likes lilies."


async def test_the_inspector_sees_a_refused_call_as_an_error(
    commands: Path, tmp_path: Path
) -> None:
    code, output = await inspect(
        commands, tmp_path, "--method", "tools/call", "--tool-name", "get_note",
        "--tool-arg", "note_id=none",
    )  # fmt: skip
    assert code == 5
    assert "list_notes" in output


OVER_HTTP = [("/mcp", "http", "legacy"), ("/mcp", "http", "modern"), ("/sse", "sse", "legacy")]


@pytest.mark.parametrize(("path", "transport", "era"), OVER_HTTP)
async def test_the_inspector_uses_the_whole_endpoint(
    commands: Path, tmp_path: Path, path: str, transport: str, era: str
) -> None:
    async with serving_http(tmp_path / "home") as served:
        remote = _Remote(commands, served, await served.token())
        options = (path, "--transport", transport, "--protocol-era", era)
        code, output = await remote.inspect(*options, "--method", "tools/list")
        assert code == 0
        assert len(json.loads(output)["tools"]) == 14
        call = (*options, "--method", "tools/call", "--tool-name")
        code, _ = await remote.inspect(*call, "ingest", "--tool-arg", "text=Anna likes lilies.")
        assert code == 0
        code, output = await remote.inspect(*call, "search", "--tool-arg", "query=lilies")
        assert code == 0
        found = json.loads(output)["structuredContent"]["passages"]
        assert found[0]["text"] == "Anna likes lilies."


async def test_the_inspector_is_told_that_it_has_to_sign_in(commands: Path, tmp_path: Path) -> None:
    async with serving_http(tmp_path / "home") as served:
        remote = _Remote(commands, served, "nobody's")
        code, output = await remote.inspect("/mcp", "--transport", "http", "--method", "tools/list")
    assert code != 0
    assert "tools" not in output


@dataclass(frozen=True, slots=True)
class _Remote:
    """The inspector, with a token for an endpoint."""

    commands: Path
    served: Served
    token: str

    async def inspect(self, path: str, *arguments: str) -> tuple[int, str]:
        """Its exit code and output."""
        words = [self.commands / "mcp-inspector", "--cli", f"{self.served.url}{path}", *arguments]
        header = ["--header", f"Authorization: Bearer {self.token}"]
        with anyio.fail_after(SECONDS):
            result = await anyio.run_process(
                [*words, *header], env=node_environment(), stderr=sys.stderr, check=False
            )
        return result.returncode, result.stdout.decode()

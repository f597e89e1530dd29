"""The files that make a companion a service of the user's system."""

import os
import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dome_mcp.companion_launch import companion_command, lacks_token
from dome_mcp.companion_service import launchd_agent, scheduled_task, service_for, systemd_unit
from dome_mcp.core.errors import InvalidInput
from dome_mcp.settings import Settings, load

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def settings_in(home: Path, **variables: str) -> Settings:
    return load({"DOME_HOME": str(home), "TZ": "Europe/Berlin", **variables})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "data", DOME_USER="anna", DOME_LLM_API_KEY="hush")


def test_the_unit_runs_the_companion_at_log_in_and_whenever_it_ends(settings: Settings) -> None:
    service = systemd_unit(settings, configuration=Path("/home/anna/.config"))
    assert service.path == Path("/home/anna/.config/systemd/user/dome-companion.service")
    lines = service.content.decode().splitlines()
    words = " ".join(f'"{word}"' for word in companion_command(settings))
    assert f"ExecStart={words}" in lines
    assert {"Restart=always", "WantedBy=default.target", 'Environment="DOME_USER=anna"'} <= set(
        lines
    )
    assert ("systemctl", "--user", "enable", "dome-companion.service") in service.install
    assert "enable-linger" in service.advice


def test_no_secret_stands_in_any_service_file(settings: Settings) -> None:
    for service in (
        systemd_unit(settings, configuration=Path("/c")),
        launchd_agent(settings, home=Path("/h"), user_number=501),
        scheduled_task(settings),
    ):
        assert "hush" not in service.content.decode("utf-8", "replace").replace("\x00", "")


def test_only_what_the_environment_alone_says_is_carried_along(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('user = "bert"\n', encoding="utf-8")
    settings = settings_in(tmp_path, DOME_TIMEZONE="Asia/Tokyo")
    content = systemd_unit(settings, configuration=tmp_path).content.decode()
    assert 'Environment="DOME_TIMEZONE=Asia/Tokyo"' in content
    assert "DOME_USER" not in content


def test_what_is_to_be_known_of_cloudflare_is_carried_along_without_its_secrets(
    tmp_path: Path,
) -> None:
    settings = settings_in(
        tmp_path,
        DOME_DATABASE="cloudflare",
        DOME_VECTORS="cloudflare",
        DOME_VECTORIZE_INDEX="dome",
        DOME_D1_DATABASE_ID="11111111-2222-4333-8444-555555555555",
        CLOUDFLARE_ACCOUNT_ID="0123456789abcdef" * 2,
        CLOUDFLARE_API_TOKEN="hush-hush-hush",  # noqa: S106  of no account
        DOME_R2_ACCESS_KEY_ID="hush-hush",
        DOME_R2_SECRET_ACCESS_KEY="hush-hush-hush",  # noqa: S106  of no account
    )
    content = systemd_unit(settings, configuration=tmp_path).content.decode()
    for line in (
        "DOME_DATABASE=cloudflare",
        "DOME_D1_DATABASE_ID=11111111-2222-4333-8444-555555555555",
        f"CLOUDFLARE_ACCOUNT_ID={'0123456789abcdef' * 2}",
    ):
        assert f'Environment="{line}"' in content
    assert "hush" not in content
    assert lacks_token(settings)
    assert not lacks_token(settings_in(tmp_path))


def test_a_folder_with_odd_characters_reaches_the_unit_whole(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / '50% "odd" $HOME \\ folder')
    content = systemd_unit(settings, configuration=tmp_path).content.decode()
    assert r'/50%% \"odd\" $$HOME \\ folder"' in content


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine"
)
@pytest.mark.parametrize("folder", ["data", '50% "odd" $HOME \\ folder'])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, folder: str) -> None:
    settings = settings_in(tmp_path / folder, DOME_USER="anna")
    service = systemd_unit(settings, configuration=tmp_path)
    service.path.parent.mkdir(parents=True)
    service.path.write_bytes(service.content)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(service.path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_agent_runs_the_companion_for_the_logged_in_user(settings: Settings) -> None:
    service = launchd_agent(settings, home=Path("/Users/anna"), user_number=501)
    assert service.path == Path("/Users/anna/Library/LaunchAgents/dome.companion.plist")
    content = plistlib.loads(service.content)
    assert content["Label"] == "dome.companion"
    assert content["ProgramArguments"] == companion_command(settings)
    assert (content["RunAtLoad"], content["KeepAlive"]) == (True, True)
    assert content["EnvironmentVariables"] == {"DOME_USER": "anna"}
    assert content["StandardErrorPath"] == str(settings.home / "companion.log")
    assert service.install == (("launchctl", "bootstrap", "gui/501", str(service.path)),)
    assert service.uninstall == (("launchctl", "bootout", "gui/501/dome.companion"),)


def test_the_scheduled_task_starts_at_log_in_and_is_not_stopped(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "Anna & Bert")
    service = scheduled_task(settings)
    task = ElementTree.fromstring(service.content.decode("utf-16"))  # noqa: S314  our own file
    assert task.find(f"{TASK}Triggers/{TASK}LogonTrigger/{TASK}Enabled") is not None
    found = {
        name: task.findtext(f".//{TASK}{name}")
        for name in ("Command", "Arguments", "ExecutionTimeLimit", "StopIfGoingOnBatteries")
    }
    program, *_ = companion_command(settings)
    assert found["Command"] == program
    assert found["Arguments"] == f'-m worker_companions.local --home "{settings.home}"'
    assert (found["ExecutionTimeLimit"], found["StopIfGoingOnBatteries"]) == ("PT0S", "false")
    assert ("schtasks", "/Create", "/TN", "DOME companion", "/XML", str(service.path), "/F") in (
        service.install
    )


def test_the_service_is_the_one_of_this_system(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"linux": "dome-companion.service", "darwin": "dome.companion.plist"}
    for platform, name in {**names, "win32": "companion-task.xml"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        service = service_for(settings, home=Path("/home/anna"), variables={})
        assert service.path.name == name
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(InvalidInput, match="plan9"):
        service_for(settings, home=Path("/home/anna"), variables={})

"""The companion as a service of the user's system: the file, and the commands that install it.

systemd (Linux), launchd (macOS), Task Scheduler (Windows). Each service is data, so that it can be
shown, written and taken back without knowing which system it is for.
"""

import plistlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from dome_mcp.companion_launch import LOG_FILE, companion_command, companion_variables
from dome_mcp.core.errors import InvalidInput
from dome_mcp.settings import Settings

SYSTEMD_UNIT = "dome-companion.service"
LAUNCHD_LABEL = "dome.companion"
TASK_NAME = "DOME companion"

Command = tuple[str, ...]

_UNIT = """\
[Unit]
Description=DOME companion: fires reminders when no assistant is running
StartLimitIntervalSec=0

[Service]
ExecStart={command}
{environment}Restart=always
RestartSec=10
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
Nice=5

[Install]
WantedBy=default.target
"""

_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>DOME companion: fires reminders when no assistant is running</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
    <Hidden>true</Hidden>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{program}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A service file, where it belongs, and the commands around it.

    The commands of `install` run once the file is there, those of `uninstall` before it goes.
    `advice` is what the user may want to do besides.
    """

    path: Path
    content: bytes
    install: tuple[Command, ...]
    uninstall: tuple[Command, ...]
    advice: str = ""


def service_for(
    settings: Settings, *, home: Path, variables: Mapping[str, str], user_number: int = 0
) -> Service:
    """The service for the system this runs on.

    `home` is the user's home folder, `variables` the environment (where the system keeps its
    configuration), `user_number` the user's number for launchd.

    Raises:
        InvalidInput: a system without a service manager we know.
    """
    if sys.platform == "darwin":
        return launchd_agent(settings, home=home, user_number=user_number)
    if sys.platform == "win32":
        return scheduled_task(settings)
    if sys.platform.startswith("linux"):
        configured = variables.get("XDG_CONFIG_HOME")
        return systemd_unit(settings, configuration=Path(configured or home / ".config"))
    raise InvalidInput(
        f"There is no service to install on {sys.platform}.",
        "Let your system start `dome-mcp companion run` when you log in.",
    )


def systemd_unit(settings: Settings, *, configuration: Path) -> Service:
    """A systemd user unit, started at log-in and whenever it ends.

    Source: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html (2026-11).
    """
    lines = "".join(
        f"Environment={_quoted(f'{name}={value}')}\n"
        for name, value in companion_variables(settings).items()
    )
    command = " ".join(_quoted(word).replace("$", "$$") for word in companion_command(settings))
    systemctl = ("systemctl", "--user")
    return Service(
        path=configuration / "systemd" / "user" / SYSTEMD_UNIT,
        content=_UNIT.format(command=command, environment=lines).encode(),
        install=(
            (*systemctl, "daemon-reload"),
            (*systemctl, "enable", SYSTEMD_UNIT),
            (*systemctl, "restart", SYSTEMD_UNIT),
        ),
        uninstall=((*systemctl, "disable", "--now", SYSTEMD_UNIT),),
        advice="Run `loginctl enable-linger` to have it run while you are not logged in.",
    )


def launchd_agent(settings: Settings, *, home: Path, user_number: int) -> Service:
    """A launchd agent, started at log-in and whenever it fails.

    Source: launchd.plist(5), launchctl(1) of macOS 15.
    """
    path = home / "Library" / "LaunchAgents" / f"{LAUNCHD_LABEL}.plist"
    log = str(settings.home / LOG_FILE)
    content = {
        "Label": LAUNCHD_LABEL,
        "ProgramArguments": companion_command(settings),
        "EnvironmentVariables": companion_variables(settings),
        "RunAtLoad": True,
        "KeepAlive": True,
        "ThrottleInterval": 10,
        "ProcessType": "Background",
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    domain = f"gui/{user_number}"
    return Service(
        path=path,
        content=plistlib.dumps(content),
        install=(("launchctl", "bootstrap", domain, str(path)),),
        uninstall=(("launchctl", "bootout", f"{domain}/{LAUNCHD_LABEL}"),),
    )


def scheduled_task(settings: Settings) -> Service:
    """A scheduled task that starts at log-in, without a window.

    A task has no environment of its own: settings that matter stand in config.toml, or in the
    user's own environment.

    Source: https://learn.microsoft.com/windows-server/administration/windows-commands/schtasks
    (2026-11).
    """
    program, *arguments = companion_command(settings)
    windowless = Path(program).with_name("pythonw.exe")
    path = settings.home / "companion-task.xml"
    content = _TASK.format(
        program=escape(str(windowless if windowless.exists() else program)),
        arguments=escape(" ".join(_windows_quoted(word) for word in arguments)),
        folder=escape(str(settings.home)),
    )
    return Service(
        path=path,
        content=content.encode("utf-16"),
        install=(
            ("schtasks", "/Create", "/TN", TASK_NAME, "/XML", str(path), "/F"),
            ("schtasks", "/Run", "/TN", TASK_NAME),
        ),
        uninstall=(
            ("schtasks", "/End", "/TN", TASK_NAME),
            ("schtasks", "/Delete", "/TN", TASK_NAME, "/F"),
        ),
    )


def _quoted(word: str) -> str:
    """A word as systemd reads it: in quotes, nothing in it taken for an escape or a specifier."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _windows_quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word

"""A notice on this machine's own desktop, by the program that each system has for it.

Texts reach the program as arguments of its own or on standard input, and never through a shell.
"""

import html
import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from dome_mcp.backends.embedded.notify.wording import cut, details, headline, key_digest
from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.errors import DeliveryFailed

_TITLE = 100
_BODY = 400

_MAC_SCRIPT = """\
on run argv
  display notification (item 2 of argv) with title "DOME" subtitle (item 1 of argv)
end run
"""

# The texts are set as text nodes, so nothing in them is markup.
_WINDOWS_SCRIPT = r"""
$ErrorActionPreference = 'Stop'
$notice = [Console]::In.ReadToEnd() | ConvertFrom-Json
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$xml = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$lines = $xml.GetElementsByTagName('text')
$lines.Item(0).AppendChild($xml.CreateTextNode($notice.title)) | Out-Null
$lines.Item(1).AppendChild($xml.CreateTextNode($notice.body)) | Out-Null
$toast = New-Object Windows.UI.Notifications.ToastNotification $xml
$toast.Tag = $notice.tag
$app = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe'
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($toast)
"""  # noqa: E501  PowerShell has no way to break a type's name


@dataclass(frozen=True, slots=True)
class _Program:
    """A program to run once: its arguments and its standard input."""

    arguments: tuple[str, ...]
    stdin: bytes = b""


class DesktopNotifier:
    """Runs `notify-send`, `osascript` or PowerShell; the notice may be missed, the inbox is not.

    `platform` is as in `sys.platform`; `variables` names the desktop session and the PATH.
    """

    kind = "desktop"

    def __init__(
        self, platform: str, variables: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        self._platform = platform
        self._variables = variables
        self._timeout_seconds = timeout_seconds

    def is_available(self) -> bool:
        """Whether there is a desktop here, and the program that shows notices on it."""
        if self._platform not in ("darwin", "win32") and not self._has_session_bus():
            return False
        return self._path() is not None

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """See `Notifier`; a repetition takes the first one's place where the desktop can."""
        path = self._path()
        if path is None or not self.is_available():
            raise DeliveryFailed(
                "There is no desktop to show a notice on.",
                "Add another channel with `dome-mcp channel add`.",
                retryable=False,
            )
        program = _program(self._platform, path, notice, key_digest(idempotency_key))
        try:
            with anyio.fail_after(self._timeout_seconds):
                ended = await anyio.run_process(
                    program.arguments,
                    input=program.stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    env=dict(self._variables),
                )
        except TimeoutError as error:
            raise DeliveryFailed("The desktop did not answer in time.", retryable=True) from error
        except OSError as error:
            raise DeliveryFailed(
                "The program that shows notices cannot be started.", retryable=False
            ) from error
        if ended.returncode:
            raise DeliveryFailed(
                f"The desktop did not show the notice (exit code {ended.returncode}).",
                retryable=True,
            )
        return "shown"

    def _path(self) -> str | None:
        names = {"darwin": "osascript", "win32": "powershell"}
        return shutil.which(
            names.get(self._platform, "notify-send"), path=self._variables.get("PATH", "")
        )

    def _has_session_bus(self) -> bool:
        """A service has the runtime folder where a program of the session has the address."""
        runtime = self._variables.get("XDG_RUNTIME_DIR")
        return bool(self._variables.get("DBUS_SESSION_BUS_ADDRESS")) or (
            runtime is not None and Path(runtime, "bus").exists()
        )


def _program(platform: str, path: str, notice: Notice, tag: str) -> _Program:
    title = headline(notice, _TITLE)
    body = cut(details(notice, after=title), _BODY)
    if platform == "darwin":
        # The script comes on standard input, so what follows `-` are its arguments, never options.
        return _Program((path, "-", title, body), _MAC_SCRIPT.encode())
    if platform == "win32":
        script = b64encode(_WINDOWS_SCRIPT.encode("utf-16-le")).decode()
        # ASCII, because the console's code page decides how the rest would be read.
        content = json.dumps({"title": title, "body": body, "tag": tag[:16]}).encode("ascii")
        options = ("-NoProfile", "-NonInteractive", "-EncodedCommand", script)
        return _Program((path, *options), content)
    return _Program(
        (
            path,
            "--app-name=DOME",
            "--icon=appointment-soon",
            # Some desktops keep one notice for each tag.
            f"--hint=string:x-dunst-stack-tag:{tag}",
            f"--hint=string:x-canonical-private-synchronous:{tag}",
            "--",
            title,
            # The body, and it alone, is read as markup by most desktops.
            html.escape(body, quote=False),
        )
    )

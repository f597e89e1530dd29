"""The desktop: what its programs are started with, and when there is none."""

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.notify.desktop import DesktopNotifier
from dome_mcp.backends.embedded.notify.registry import notifiers
from dome_mcp.core.channels import desktop_channel
from dome_mcp.core.errors import DeliveryFailed
from tests.conformance.notifier_benches import options_for
from tests.conformance.notifier_suite import KEY, NOTICE

pytestmark = pytest.mark.anyio

BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"}


@dataclass(frozen=True, slots=True)
class Recorder:
    """A program that writes down its arguments and its standard input."""

    folder: Path

    def install(self, name: str) -> None:
        script = (
            f"#!{sys.executable}\nimport json, sys\n"
            f"json.dump([sys.argv[1:], sys.stdin.read()], open({str(self.folder / 'run')!r}, 'w'))"
        )
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o700)

    @property
    def run(self) -> tuple[list[str], str]:
        arguments, stdin = json.loads((self.folder / "run").read_text())
        return arguments, stdin


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def desktop(tmp_path: Path) -> Callable[..., DesktopNotifier]:
    def make(platform: str, **environ: str) -> DesktopNotifier:
        variables = {"PATH": str(tmp_path), **environ}
        return DesktopNotifier(platform, variables, timeout_seconds=10)

    return make


async def show(notifier: DesktopNotifier, text: str = NOTICE.text) -> str:
    notice = replace(NOTICE, text=text)
    return await notifier.notify(notice, desktop_channel("me"), idempotency_key=KEY)


async def test_macs_script_is_constant_and_the_texts_are_its_arguments(
    recorder: Recorder, desktop: Callable[..., DesktopNotifier]
) -> None:
    recorder.install("osascript")
    text = '-e "; do shell script "id'
    await show(desktop("darwin"), text)
    arguments, script = recorder.run
    assert arguments[:2] == ["-", text]
    assert NOTICE.when in arguments[2]
    assert "on run argv" in script
    assert "shell" not in script


async def test_windows_script_is_constant_and_the_texts_are_its_input(
    recorder: Recorder, desktop: Callable[..., DesktopNotifier]
) -> None:
    recorder.install("powershell")
    text = "Grüße '; Remove-Item C:\\ #"
    await show(desktop("win32"), text)
    arguments, stdin = recorder.run
    script = base64.b64decode(arguments[arguments.index("-EncodedCommand") + 1]).decode("utf-16-le")
    assert "Remove-Item" not in script + "".join(arguments)
    assert "CreateTextNode($notice.title)" in script
    assert json.loads(stdin)["title"] == text
    assert stdin.isascii()


async def test_the_body_is_escaped_where_a_desktop_reads_markup(
    recorder: Recorder, desktop: Callable[..., DesktopNotifier]
) -> None:
    recorder.install("notify-send")
    await show(desktop("linux", **BUS), f"{'long ' * 40}<b>")
    *_, title, body = recorder.run[0]
    assert title.endswith("…")
    assert body.endswith("&lt;b&gt;")


async def test_a_machine_without_a_session_has_no_desktop(
    recorder: Recorder, desktop: Callable[..., DesktopNotifier]
) -> None:
    recorder.install("notify-send")
    assert desktop("linux", **BUS).is_available()
    assert not desktop("linux").is_available()
    with pytest.raises(DeliveryFailed, match="no desktop") as caught:
        await show(desktop("linux"))
    assert not caught.value.retryable


def test_a_service_of_the_user_finds_the_session_by_its_runtime_folder(
    recorder: Recorder, desktop: Callable[..., DesktopNotifier], tmp_path: Path
) -> None:
    recorder.install("notify-send")
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert not desktop("linux", **runtime).is_available()
    (tmp_path / "bus").touch()
    assert desktop("linux", **runtime).is_available()


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_without_its_program_there_is_no_desktop(
    desktop: Callable[..., DesktopNotifier], platform: str
) -> None:
    assert not desktop(platform, **BUS).is_available()


def test_only_a_machine_with_a_desktop_has_a_notifier_for_it(
    recorder: Recorder, tmp_path: Path
) -> None:
    environ = {"PATH": str(tmp_path), **BUS}
    assert "desktop" not in notifiers(options_for(tmp_path, variables=environ))
    recorder.install("notify-send")
    assert "desktop" in notifiers(options_for(tmp_path, variables=environ))

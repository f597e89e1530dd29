"""Writing DOME into the configuration of an assistant's program."""

import json
import os
import shlex
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dome_mcp.client_config import (
    CLIENTS,
    Client,
    claude_code_command,
    launch_command,
    location,
    merge,
    snippet,
)
from dome_mcp.core.errors import InvalidInput

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
COMMAND = "/opt/python/bin/python"
ARGS = ("-m", "dome_mcp")
ENTRY = {"command": COMMAND, "args": ["-m", "dome_mcp"]}


def put(path: Path, client: Client = "claude-desktop", **env: str):
    return merge(path, client, command=COMMAND, args=ARGS, env=env, now=NOW)


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor"])
def test_most_clients_keep_servers_under_mcp_servers(client: Client) -> None:
    assert snippet(client, command=COMMAND, args=ARGS, env={"DOME_USER": "ann"}) == {
        "mcpServers": {"dome": {**ENTRY, "env": {"DOME_USER": "ann"}}}
    }


def test_vscode_keeps_servers_under_servers_with_a_type() -> None:
    assert snippet("vscode", command=COMMAND, args=ARGS, env={}) == {
        "servers": {"dome": {"type": "stdio", **ENTRY}}
    }


def test_this_python_starts_dome_by_its_absolute_path() -> None:
    assert launch_command(sys.executable) == (sys.executable, ("-m", "dome_mcp"))


def test_uvx_starts_dome_when_it_is_chosen() -> None:
    assert launch_command(sys.executable, uvx="/opt/bin/uvx") == ("/opt/bin/uvx", ("dome-mcp",))


def test_a_command_that_needs_the_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="whole path"):
        launch_command("python")


def test_the_command_line_for_claude_code_survives_a_shell() -> None:
    line = claude_code_command(
        command="/my programs/python", args=ARGS, env={"DOME_HOME": "/a b"}, platform="linux"
    )
    assert shlex.split(line) == [
        *("claude", "mcp", "add", "dome", "--scope", "user", "--env", "DOME_HOME=/a b"),
        *("--", "/my programs/python", "-m", "dome_mcp"),
    ]


def test_the_command_line_for_windows_quotes_as_windows_does() -> None:
    line = claude_code_command(command=r"C:\my py\python.exe", args=(), env={}, platform="win32")
    assert line.endswith(r'-- "C:\my py\python.exe"')


@pytest.mark.parametrize(
    ("client", "platform", "environ", "expected"),
    [
        ("claude-desktop", "darwin", {}, "Library/Application Support/Claude"),
        ("claude-desktop", "linux", {}, ".config/Claude"),
        ("claude-desktop", "win32", {}, "AppData/Roaming/Claude"),
        ("vscode", "darwin", {}, "Library/Application Support/Code/User"),
        ("vscode", "linux", {}, ".config/Code/User"),
        ("vscode", "win32", {}, "AppData/Roaming/Code/User"),
        ("cursor", "linux", {}, ".cursor"),
    ],
)
def test_the_users_configuration_lies_where_the_client_looks(
    client: Client, platform: str, environ: dict[str, str], expected: str, tmp_path: Path
) -> None:
    found = location(client, platform=platform, home=tmp_path, environ=environ)
    assert found is not None
    assert found.parent == tmp_path / expected


def test_a_moved_configuration_folder_is_honoured(tmp_path: Path) -> None:
    roaming = location(
        "vscode", platform="win32", home=tmp_path, environ={"APPDATA": str(tmp_path / "roaming")}
    )
    assert roaming == tmp_path / "roaming/Code/User/mcp.json"
    config = location(
        "vscode", platform="linux", home=tmp_path, environ={"XDG_CONFIG_HOME": str(tmp_path / "x")}
    )
    assert config == tmp_path / "x/Code/User/mcp.json"


def test_a_packaged_claude_desktop_on_windows_has_its_own_folder(tmp_path: Path) -> None:
    packaged = tmp_path / "AppData/Local/Packages/Claude_abc/LocalCache/Roaming/Claude"
    packaged.mkdir(parents=True)
    found = location("claude-desktop", platform="win32", home=tmp_path, environ={})
    assert found == packaged / "claude_desktop_config.json"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("claude-code", ".mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("cursor", ".cursor/mcp.json"),
    ],
)
def test_a_project_has_its_own_configuration(client: Client, expected: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    found = location(client, platform="linux", home=tmp_path, environ={}, project=project)
    assert found == project / expected


def test_claude_code_has_no_file_of_the_users_to_write(tmp_path: Path) -> None:
    assert location("claude-code", platform="linux", home=tmp_path, environ={}) is None


@pytest.mark.parametrize("client", CLIENTS)
def test_a_new_file_holds_the_snippet_and_is_the_users_alone(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "config.json"
    result = put(path, client, DOME_USER="ann")
    assert (result.changed, result.backup) == (True, None)
    expected = snippet(client, command=COMMAND, args=ARGS, env={"DOME_USER": "ann"})
    assert json.loads(path.read_text()) == expected
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["config.json"]


def test_other_keys_and_servers_stay_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    old = {"theme": "süß", "mcpServers": {"other": {"command": "x"}}, "last": [1, None]}
    path.write_text(json.dumps(old), encoding="utf-8")
    put(path)
    new = json.loads(path.read_text(encoding="utf-8"))
    assert list(new) == ["theme", "mcpServers", "last"]
    assert new == {**old, "mcpServers": {"other": {"command": "x"}, "dome": ENTRY}}
    assert "süß" in path.read_text(encoding="utf-8")


def test_the_old_content_is_kept_in_a_backup_named_after_the_time(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"theme":   "dark"}')
    result = put(path)
    assert result.backup == tmp_path / "config.json.20260301T093000000000.bak"
    assert result.backup.read_text() == '{"theme":   "dark"}'


def test_variables_the_user_gave_dome_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    old = {"command": "old", "args": ["x"], "env": {"DOME_LLM_MODEL": "m", "DOME_USER": "bob"}}
    path.write_text(json.dumps({"mcpServers": {"dome": {**old, "disabled": False}}}))
    put(path, DOME_USER="ann")
    env = {"DOME_LLM_MODEL": "m", "DOME_USER": "ann"}
    expected = {**ENTRY, "env": env, "disabled": False}
    assert json.loads(path.read_text())["mcpServers"]["dome"] == expected


def test_an_entry_for_a_remote_dome_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"mcpServers": {"dome": {"type": "http", "url": "https://x/mcp"}}}')
    put(path)
    assert json.loads(path.read_text())["mcpServers"]["dome"] == ENTRY


def test_a_second_merge_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    put(path)
    before = (path.read_bytes(), sorted(tmp_path.iterdir()))
    result = put(path)
    assert (result.changed, result.backup) == (False, None)
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


def test_the_files_indentation_and_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{\n\t"a": 1\n}')
    path.chmod(0o640)
    put(path)
    assert path.read_text().startswith('{\n\t"a": 1,\n\t"mcpServers": {\n\t\t"dome"')
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "config.json"
    real.write_text("{}")
    path = tmp_path / "config.json"
    path.symlink_to(real)
    put(path)
    assert path.is_symlink()
    assert json.loads(real.read_text()) == {"mcpServers": {"dome": ENTRY}}


def test_an_empty_file_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"")
    put(path)
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    put(path)
    assert json.loads(path.read_text())["a"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1', "not valid JSON"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("[]", "does not hold a JSON object"),
        ('{"mcpServers": []}', "is not an object"),
        ('{\n  // my server\n  "a": "http://x" /* y */\n}', "comments"),
        ('{"a": [1, 2,],}', "trailing commas"),
        (b"\xff\xfe{}", "not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_rewritten_safely_is_left_alone(
    content: str | bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(raw)
    with pytest.raises(InvalidInput, match=reason) as caught:
        put(path, DOME_LLM_API_KEY="sk-secret")
    assert path.read_bytes() == raw
    assert [child.name for child in tmp_path.iterdir()] == ["config.json"]
    assert '"dome": {"command": "/opt/python/bin/python"' in caught.value.hint
    assert "sk-secret" not in str(caught.value)


def test_slashes_in_texts_are_not_taken_for_comments(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": "http://x, ]", "b": }')
    with pytest.raises(InvalidInput, match="not valid JSON"):
        put(path)


def test_a_failed_write_leaves_the_file_and_no_scrap(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": "\\ud800"}')  # half a surrogate pair cannot be written as UTF-8
    with pytest.raises(UnicodeEncodeError):
        put(path)
    assert path.read_text() == '{"a": "\\ud800"}'
    assert not [child for child in tmp_path.iterdir() if child.name.startswith(".")]

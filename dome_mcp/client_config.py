"""How an assistant's own program is told to start DOME.

Claude Desktop, Claude Code and Cursor keep servers under `mcpServers`, VS Code under `servers`.
Source: https://code.visualstudio.com/docs/agents/reference/mcp-configuration (2026-11).
"""

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

from dome_mcp.core.errors import InvalidInput

Client = Literal["claude-desktop", "claude-code", "vscode", "cursor"]
CLIENTS: tuple[Client, ...] = ("claude-desktop", "claude-code", "vscode", "cursor")
SERVER_NAME = "dome"

_Object = dict[str, object]
_STRING_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.DOTALL)
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What became of a configuration file; `backup` has what it held before, if anything."""

    path: Path
    changed: bool
    backup: Path | None = None


def launch_command(executable: str, *, uvx: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The command and arguments that start DOME, by this Python or, where given, by `uvx`.

    Both are paths: programs with windows start servers with hardly any PATH.

    Raises:
        InvalidInput: the path is not absolute.
    """
    command = uvx or executable
    if not Path(command).is_absolute():
        raise InvalidInput(f"{command!r} is not a whole path.", "Send the whole path of it.")
    return command, ("dome-mcp",) if uvx else ("-m", "dome_mcp")


def snippet(
    client: Client, *, command: str, args: Sequence[str], env: Mapping[str, str]
) -> _Object:
    """What the client's configuration file has to hold for DOME, from the top level down."""
    return {_key(client): {SERVER_NAME: _entry(client, command=command, args=args, env=env)}}


def claude_code_command(
    *, command: str, args: Sequence[str], env: Mapping[str, str], platform: str
) -> str:
    """The shell command that adds DOME to Claude Code for all of the user's projects."""
    words = ["claude", "mcp", "add", SERVER_NAME, "--scope", "user"]
    for name, value in env.items():
        words += ["--env", f"{name}={value}"]
    words += ["--", command, *args]
    return subprocess.list2cmdline(words) if platform == "win32" else shlex.join(words)


def location(
    client: Client,
    *,
    platform: str,
    home: Path,
    environ: Mapping[str, str],
    project: Path | None = None,
) -> Path | None:
    """The client's configuration file: the project's where there is one, or else the user's.

    `platform` is `sys.platform`. None where there is no file of the user's to write: Claude Code
    keeps its own (see `claude_code_command`). Claude Desktop knows no projects.
    """
    if client == "claude-desktop":
        return _claude_folder(platform, home, environ) / "claude_desktop_config.json"
    if client == "claude-code":
        return project / ".mcp.json" if project else None
    if client == "cursor":
        return (project or home) / ".cursor" / "mcp.json"
    if project:
        return project / ".vscode" / "mcp.json"
    return _application_folder(platform, home, environ) / "Code" / "User" / "mcp.json"


def merge(
    path: Path,
    client: Client,
    *,
    command: str,
    args: Sequence[str],
    env: Mapping[str, str],
    now: datetime,
) -> MergeResult:
    """Puts DOME into a client's configuration file, which need not be there yet.

    Every other key and server stays, and so do variables the user gave DOME by hand. The old
    content goes to a backup beside the file, named after `now`; the file is replaced whole or
    not at all; one that holds all this already is not touched.

    Raises:
        InvalidInput: the file is not plain JSON, or has comments, which would be lost; it is as
            it was. The hint has what to write into it by hand.
    """
    # Without the values of variables: errors are shown and logged, and a value may be a secret.
    shown = snippet(client, command=command, args=args, env=dict.fromkeys(env, "…"))
    by_hand = f"Add this to it by hand: {json.dumps(shown, ensure_ascii=False)}"
    # A link (to a folder of dotfiles, say) stays a link; what it leads to is what changes.
    target = Path(os.path.realpath(path))
    old = target.read_bytes() if target.exists() else b""
    content = _parse(old, path, by_hand)
    servers = content.setdefault(_key(client), {})
    if not isinstance(servers, dict):
        raise InvalidInput(f"In {path}, {_key(client)!r} is not an object.", by_hand)
    before = json.dumps(content)
    entry = _entry(client, command=command, args=args, env=env)
    _put_entry(cast("_Object", servers), entry)
    if json.dumps(content) == before:
        return MergeResult(path, changed=False)
    backup = _write_backup(target, old, now) if old else None
    _replace(target, _render(content, old))
    return MergeResult(path, changed=True, backup=backup)


def _key(client: Client) -> str:
    return "servers" if client == "vscode" else "mcpServers"


def _entry(client: Client, *, command: str, args: Sequence[str], env: Mapping[str, str]) -> _Object:
    kind = {"type": "stdio"} if client == "vscode" else {}
    variables = {"env": dict(env)} if env else {}
    return {**kind, "command": command, "args": list(args), **variables}


def _put_entry(servers: _Object, entry: _Object) -> None:
    """Puts DOME's entry in, over what its old one says and beside what only that one has."""
    old = servers.get(SERVER_NAME)
    # An entry with a URL is of a server elsewhere: nothing of it fits one that is started here.
    kept = cast("_Object", old) if isinstance(old, dict) and "url" not in old else {}
    variables = kept.get("env")
    if isinstance(variables, dict):
        env = {**cast("_Object", variables), **cast("_Object", entry.get("env", {}))}
        entry = {**entry, "env": env}
    servers[SERVER_NAME] = {**kept, **entry}


def _application_folder(platform: str, home: Path, environ: Mapping[str, str]) -> Path:
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _claude_folder(platform: str, home: Path, environ: Mapping[str, str]) -> Path:
    """Claude Desktop's folder; on Windows the packaged one, where it is installed as a package.

    Source: https://github.com/anthropics/claude-code/issues/26073 (2026-02): the package reads
    only its own copy of the roaming folder.
    """
    if platform == "win32":
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        packaged = sorted(local.glob("Packages/Claude_*/LocalCache/Roaming/Claude"))
        if packaged:
            return packaged[0]
    return _application_folder(platform, home, environ) / "Claude"


def _parse(raw: bytes, path: Path, by_hand: str) -> _Object:
    """The JSON object in a file; an empty file is an empty object."""
    try:
        # Editors on Windows put a byte order mark in front.
        text = raw.decode("utf-8-sig")
        content: object = json.loads(text, object_pairs_hook=_unique) if text.strip() else {}
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError) and _is_json_with_comments(error.doc):
            message = f"{path} has comments or trailing commas, which rewriting it would lose."
        else:
            message = f"{path} is not valid JSON: {error}."
        raise InvalidInput(message, by_hand) from error
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} does not hold a JSON object.", by_hand)
    return cast("_Object", content)


def _render(content: _Object, old: bytes) -> str:
    """The file's new text, indented as its old one was."""
    indent = _INDENT.search(old.decode("utf-8-sig"))
    return json.dumps(content, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"


def _unique(pairs: list[tuple[str, object]]) -> _Object:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _is_json_with_comments(text: str) -> bool:
    plain = _STRING_OR_COMMENT.sub(lambda found: found[1] or " ", text)
    plain = _STRING_OR_TRAILING_COMMA.sub(lambda found: found[1] or " ", plain)
    try:
        json.loads(plain)
    except ValueError:
        return False
    return True


def _write_backup(target: Path, content: bytes, now: datetime) -> Path:
    backup = target.with_name(f"{target.name}.{now:%Y%m%dT%H%M%S%f}.bak")
    descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    return backup


def _replace(target: Path, text: str) -> None:
    """Writes the file beside its place and moves it there; it keeps its permissions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # A new one is for the user alone, because variables may be secrets.
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise

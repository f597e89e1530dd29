"""`dome-mcp config`: the settings, and how assistants are told to start DOME."""

import json
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from dome_mcp import client_config
from dome_mcp.commands.output import Output
from dome_mcp.commands.shell import Invocation
from dome_mcp.core.errors import InvalidInput
from dome_mcp.settings import CONFIG_FILE, NAMES, Secret, Settings, describe, variable

_HIDDEN = str(Secret(""))
"""What a secret's value is shown as."""


async def show(invocation: Invocation) -> int:
    """Prints each setting with its value and where it came from; secrets as `***`."""
    lines = describe(invocation.settings())
    invocation.output.value(
        {
            "settings": [
                {"name": name, "value": value, "origin": origin} for name, value, origin in lines
            ]
        }
    )
    invocation.output.table(("setting", "value", "from"), lines)
    return 0


async def connect(invocation: Invocation) -> int:
    """Prints what a client's configuration has to hold for DOME, or writes it there.

    Raises:
        InvalidInput: the client's file cannot be changed; it is as it was.
    """
    arguments, output = invocation.arguments, invocation.output
    client: client_config.Client = arguments.client
    command, args = client_config.launch_command(sys.executable, uvx=_uvx())
    settings = invocation.settings()
    env = _variables(settings)
    for name in _secrets(settings):
        output.remark(
            f"{variable(name)} is left out. Put {name} into {settings.home / CONFIG_FILE}"
        )
    path = _path(invocation, client)
    snippet = client_config.snippet(client, command=command, args=args, env=env)
    shell_command = client_config.claude_code_command(
        command=command, args=args, env=env, platform=sys.platform
    )
    result: dict[str, object] = {
        "client": client,
        "path": None if path is None else str(path),
        "configuration": snippet,
        "command": shell_command if client == "claude-code" else None,
        "written": False,
        "backup": None,
    }
    if not arguments.write:
        output.value(result)
        _print_for_hand(snippet, shell_command, path, output=output)
        return 0
    if path is None:
        raise InvalidInput(
            "Claude Code writes its own file.", f"Run this, or add --project: {shell_command}"
        )
    merged = client_config.merge(
        path, client, command=command, args=args, env=env, now=datetime.now(UTC)
    )
    backup = None if merged.backup is None else str(merged.backup)
    output.value({**result, "written": merged.changed, "backup": backup})
    _print_written(merged, client, output)
    return 0


def _print_written(
    merged: client_config.MergeResult, client: client_config.Client, output: Output
) -> None:
    if not merged.changed:
        output.line(f"Nothing to change in {merged.path}.")
        return
    output.line(f"Changed {merged.path}.")
    if merged.backup:
        output.line(f"The file as it was: {merged.backup}")
    output.line(f"Start {client} again to use DOME.")


def _print_for_hand(
    snippet: Mapping[str, object], shell_command: str, path: Path | None, *, output: Output
) -> None:
    """What a user has to run, or to put into a file."""
    if path is None:
        output.line(shell_command)
        return
    if not output.is_json:
        output.remark(f"Put this into {path}, or run the command again with --write:")
    output.line(json.dumps(snippet, indent=2, ensure_ascii=False))


def _path(invocation: Invocation, client: client_config.Client) -> Path | None:
    project: str | None = invocation.arguments.project
    return client_config.location(
        client,
        platform=sys.platform,
        home=Path.home(),
        environ=invocation.variables,
        project=Path(project).absolute() if project else None,
    )


def _variables(settings: Settings) -> dict[str, str]:
    """The settings that an assistant's own program would not find: those not in `config.toml`.

    Keys and tokens are left out, because clients' files are shown and shared.
    """
    return {
        name: value
        for name, value, origin in describe(settings)
        if origin in ("command line", "environment") and value != _HIDDEN
    }


def _secrets(settings: Settings) -> list[str]:
    """The names of the secrets that an assistant's own program would not find."""
    hidden = {name for name, value, _ in describe(settings) if value == _HIDDEN}
    return [
        name
        for name in NAMES
        if variable(name) in hidden and settings.origins.get(name) == "environment"
    ]


def _uvx() -> str | None:
    """uvx, where this very process runs in an environment of its cache, which may go any day."""
    return shutil.which("uvx") if "archive-v0" in Path(sys.prefix).parts else None

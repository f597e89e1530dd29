"""Changing `config.toml` without touching what else a user wrote into it."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from dome_mcp.core.errors import InvalidInput


def set_values(path: Path, values: Mapping[str, str | None]) -> bool:
    """Writes texts under their names, each in place of what stood there; says if that changed it.

    None takes a name away.

    Comments and all other lines stay as they are. The file is there whole or as it was, and only
    its owner can read it (0600).

    Raises:
        InvalidInput: the file is no TOML, cannot be written, or would not read back as meant.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        present = tomllib.loads(before)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be read as TOML.", "Mend it, then run the command again."
        ) from error
    changed = {name: value for name, value in values.items() if present.get(name) != value}
    if not changed:
        return False
    after = _with_values(before, changed)
    meant = {name: value for name, value in {**present, **changed}.items() if value is not None}
    if _parsed(after) != meant:
        raise InvalidInput(
            f"{path} has a form that cannot be changed safely.",
            "Put these in by hand: "
            + ", ".join(f"{name} = {_quoted(value or '')}" for name, value in changed.items()),
        )
    _write(path, after)
    return True


def _with_values(text: str, values: Mapping[str, str | None]) -> str:
    lines = text.splitlines()
    for name, value in values.items():
        line = [] if value is None else [f"{name} = {_quoted(value)}"]
        key = re.compile(rf"\s*(?:{re.escape(name)}|\"{re.escape(name)}\")\s*=")
        places = [number for number, each in enumerate(lines) if key.match(each)]
        if places:
            lines[places[0] : places[0] + 1] = line
        else:
            # Above the first table, whose line would be below it.
            end = next((n for n, each in enumerate(lines) if each.startswith("[")), len(lines))
            lines[end:end] = line
    return "".join(f"{each}\n" for each in lines)


def _quoted(value: str) -> str:
    # What JSON escapes, TOML's basic strings escape in the same way.
    return json.dumps(value, ensure_ascii=True)


def _parsed(text: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError:
        return None


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}.", "Check its permissions."
        ) from error

"""The command line, run inside the test's own process on a data folder of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dome_mcp.cli import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one line of JSON on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs commands with these settings, in this process or in one of their own."""

    home: Path
    environ: Mapping[str, str]
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *argv: str, stdin: str | None = None, **settings: str) -> Ran:
        if stdin is not None:
            file = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
            self.monkeypatch.setattr(sys, "stdin", file)
        self.capsys.readouterr()
        code = main(argv, environ={**self.environ, **settings})
        return Ran(code, *self.capsys.readouterr())

    def start(
        self, *argv: str, stdin: int = subprocess.DEVNULL, **settings: str
    ) -> subprocess.Popen[str]:
        """The command as a process, its output piped."""
        return subprocess.Popen(
            [sys.executable, "-m", "dome_mcp", *argv],
            env={**os.environ, **self.environ, **settings},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def note_ids(self, *filters: str) -> list[str]:
        listed = self("notes", "list", "--limit", "200", "--json", *filters)
        return [note["note_id"] for note in listed.json["notes"]]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    home = tmp_path / "home"
    environ = {
        "DOME_HOME": str(home),
        # Keyword search is enough for most tests, and starts at once.
        "DOME_EMBEDDING_MODEL": "off",
        # No process may outlive its test.
        "DOME_COMPANION": "off",
        "DOME_TIMEZONE": "Europe/Berlin",
        "DOME_ALLOWED_ROOTS": str(tmp_path / "documents"),
    }
    return Cli(home, environ, capsys, monkeypatch)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with a few files of several formats, one of them broken."""
    folder = tmp_path / "documents"
    write_tree(
        folder,
        {
            "boiler.md": "---\ntags: [house, heating]\n---\n# Boiler\n\nThe warranty ends in 2031.",
            "garden/tomatoes.txt": "Tomatoes go out after the last frost.",
            "garden/.hidden.txt": "never read",
            "broken.pdf": "%PDF-1.7 and then nothing",
            "photo.raw": "not a document",
        },
    )
    return folder


def write_tree(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def jsonl(records: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)

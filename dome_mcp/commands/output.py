"""What a command prints: JSON for programs, tables and colours on a terminal, or plain lines.

A command states its result once as JSON (`value`) and once for people (`line`, `table`); whichever
is not wanted is dropped. Standard output carries the result alone, remarks and progress go to
standard error.
"""

import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TextIO

Progress = Callable[[str, int, int | None], None]
"""Shows (label, done, total); the total is None while it is not known."""

# A stored text may carry sequences that drive the terminal; only tab and newline are harmless.
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


class Output:
    """One command's way to its reader."""

    def __init__(self, stdout: TextIO, stderr: TextIO, *, is_json: bool) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self.is_json = is_json
        self.is_terminal = not is_json and stdout.isatty()
        if isinstance(stdout, io.TextIOWrapper):
            # A reader with a smaller character set gets a question mark, not a failure.
            stdout.reconfigure(encoding="utf-8" if is_json else None, errors="replace")

    def value(self, value: Mapping[str, object]) -> None:
        """The result for programs: one line of JSON."""
        if self.is_json:
            self._stdout.write(json.dumps(value, ensure_ascii=False) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """A line, or lines, for people; `style` is one of rich's, `bold` or `yellow`."""
        if self.is_json:
            return
        shown = printable(text)
        if style and self.is_terminal:
            _terminal().print_line(shown, style, file=self._stdout)
        else:
            self._stdout.write(shown + "\n")

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows for people; without a terminal, columns separated by tabs and no headers."""
        if self.is_json:
            return
        shown = [[printable(cell) for cell in row] for row in rows]
        if self.is_terminal:
            _terminal().print_table(headers, shown, file=self._stdout)
            return
        for row in shown:
            cells = (cell.replace("\t", " ").replace("\n", " ") for cell in row)
            self._stdout.write("\t".join(cells) + "\n")

    def remark(self, text: str) -> None:
        """A line for people that is no part of the result."""
        self._stderr.write(printable(text) + "\n")
        self._stderr.flush()

    def confirms(self, question: str) -> bool | None:
        """Whether the person at the terminal says yes; None where there is nobody to ask."""
        if self.is_json or not (self._stderr.isatty() and sys.stdin.isatty()):
            return None
        self._stderr.write(f"{printable(question)} [y/N] ")
        self._stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on standard error for as long as the block runs; nothing without a terminal."""
        if self.is_json or not self._stderr.isatty():
            yield lambda label, done, total: None
            return
        with _terminal().progress(self._stderr) as show:
            yield show

    def flush(self) -> None:
        self._stdout.flush()


def printable(text: str) -> str:
    """The text without the control characters that a terminal would obey."""
    return text.translate(_CONTROLS)


def _terminal() -> ModuleType:
    # rich costs as much as everything else together, and a pipe needs none of it.
    return importlib.import_module("dome_mcp.commands.terminal")

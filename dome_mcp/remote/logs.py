"""The log of the remote endpoint, on standard error: lines of text, or a JSON object a line.

What a record says may come from strangers, and what an error says from a user's notes. So no
record can begin a new line, none is endless, and of an error its type and where it was raised are
shown; its words only at level DEBUG.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from dome_mcp.http_settings import LogFormat
from dome_mcp.settings import Settings

FIELDS_ATTRIBUTE = "fields"
"""The attribute of a record that holds what it says besides its message, by name."""

_MAX_CHARACTERS = 4_000
"""At each end of a message; a traceback says most at its own."""
_TALKATIVE = ("httpx", "httpx2", "httpcore", "mcp", "sse_starlette", "uvicorn", "asyncio")
"""Libraries whose INFO messages repeat requests, and with them addresses and arguments."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS[ord("\n")] = "\n    "
"""Only the first line of a record starts at the margin."""

_log = logging.getLogger(__name__)

ErrorInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


def configure(settings: Settings) -> None:
    """Sends all log records to standard error, as the settings want them.

    To be called before the MCP server is built, which would set up logging in its own way.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings.http.log_format, says_why=_is_debug(settings)))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    # The command line keeps our own records quiet; a server is to be seen.
    logging.getLogger("dome_mcp").setLevel(logging.NOTSET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for warning in settings.warnings:
        _log.warning("%s", warning)


def formatter(log_format: LogFormat, *, says_why: bool = False) -> logging.Formatter:
    """Writes records in this format; `says_why`: with the words of errors."""
    return (_JsonLines if log_format == "json" else _TextLines)(says_why=says_why)


def fields(**values: object) -> dict[str, Mapping[str, object]]:
    """The `extra` of a record that says these things besides its message."""
    return {FIELDS_ATTRIBUTE: values}


class _Lines(logging.Formatter):
    """What both formats share: what is left out, and what is cut."""

    def __init__(self, *, says_why: bool) -> None:
        super().__init__()
        self._says_why = says_why

    def message_of(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if len(text) <= 2 * _MAX_CHARACTERS:
            return text
        return f"{text[:_MAX_CHARACTERS]} … {text[-_MAX_CHARACTERS:]}"

    def error_of(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info else None

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802  the name is logging's
        kind, error, frames = ei
        if kind is None or error is None:
            return ""
        if self._says_why:
            return "".join(traceback.format_exception(error)).rstrip()
        return "".join([*traceback.format_tb(frames), kind.__name__])


class _TextLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        """A line, and the lines of a traceback after it."""
        said = getattr(record, FIELDS_ATTRIBUTE, {})
        words = [self.message_of(record), *(f"{name}={value}" for name, value in said.items())]
        head = f"{_time(record)} {record.levelname} {record.name}: "
        line = head + " ".join(words).translate(_CONTROLS)
        error = self.error_of(record)
        return f"{line}\n{error}" if error else line


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object, on one line."""
        said: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": self.message_of(record),
            **getattr(record, FIELDS_ATTRIBUTE, {}),
        }
        if error := self.error_of(record):
            said["error"] = error
        return json.dumps(said, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _is_debug(settings: Settings) -> bool:
    return settings.log_level == "DEBUG"

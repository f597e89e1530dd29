"""Runs a command: finds it, gives it its settings and output, and turns errors into exit codes."""

import argparse
import importlib
import logging
import os
import secrets
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import anyio

from dome_mcp import settings as settings_module
from dome_mcp.commands.output import Output
from dome_mcp.commands.typed import whole_path
from dome_mcp.core.errors import ConfigurationError, DomeError, Forbidden, InvalidInput, NotFound
from dome_mcp.settings import Settings

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
PIPE_CLOSED = 141

_WITHOUT_DATA = frozenset(
    {"serve:serve", "search:search", "search:ask", "ingest:ingest", "doctor:doctor"}
    | {"config:show", "config:connect"}
    | {"session:list_sessions", "session:show", "session:delete"}
)
"""The commands that also work where another DOME has the data."""

_CALLERS_FAULT = (InvalidInput, NotFound, Forbidden, ConfigurationError)


class Invocation:
    """What a command has to work with."""

    def __init__(
        self, arguments: argparse.Namespace, variables: Mapping[str, str], output: Output
    ) -> None:
        self.arguments = arguments
        self.variables = variables
        self.output = output
        self._settings: Settings | None = None

    def settings(
        self, *, shows_warnings: bool = True, options: Mapping[str, str] | None = None
    ) -> Settings:
        """The settings, read on the first call; their warnings go to standard error.

        `options` are the command's own, by the names of settings.

        Raises:
            ConfigurationError: with every problem there is.
        """
        if self._settings is None:
            home: str = getattr(self.arguments, "home", "")
            overrides = {"home": str(whole_path(home))} if home else {}
            overrides |= options or {}
            self._settings = settings_module.load(self.variables, overrides=overrides)
            _configure_logging(self._settings)
            self._require_data(self._settings)
            for warning in self._settings.warnings if shows_warnings else ():
                self.output.remark(f"warning: {warning}")
        return self._settings

    def _require_data(self, settings: Settings) -> None:
        if settings.api_url is not None and self.arguments.run not in _WITHOUT_DATA:
            raise InvalidInput(
                "This command needs the data folder, and DOME_API_URL says that the data are "
                f"at {settings.api_url}.",
                "Run it there, or unset DOME_API_URL.",
            )

    @property
    def shows_tracebacks(self) -> bool:
        return self._settings is not None and self._settings.log_level == "DEBUG"


Command = Callable[[Invocation], Awaitable[int]]


def run(arguments: argparse.Namespace, environ: Mapping[str, str] | None = None) -> int:
    """Runs the command that the arguments name and returns the exit code."""
    output = Output(sys.stdout, sys.stderr, is_json=getattr(arguments, "json", False))
    variables = settings_module.environment() if environ is None else environ
    invocation = Invocation(arguments, variables, output)
    try:
        code = anyio.run(_command(arguments.run), invocation)
        output.flush()
    except KeyboardInterrupt:
        output.remark("Interrupted. What was done so far is kept.")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last place that can tell the user anything
        return _report(_cause(error), invocation)
    return code


def _command(name: str) -> Command:
    module, _, function = name.partition(":")
    return cast(Command, getattr(importlib.import_module(f"dome_mcp.commands.{module}"), function))


def _cause(error: Exception) -> Exception:
    """The first error inside task groups' wrappers; those beside it failed for the same reason."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _report(error: Exception, invocation: Invocation) -> int:
    output = invocation.output
    if isinstance(error, BrokenPipeError):
        # The interpreter flushes at its end, and there is nobody left to read that either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if isinstance(error, DomeError):
        output.value({"error": described(error)})
        if not output.is_json:
            output.remark("\n".join(filter(None, (f"dome-mcp: {error.message}", error.hint))))
        return BAD_INPUT if isinstance(error, _CALLERS_FAULT) else FAILED
    reference = secrets.token_hex(4)
    message = f"Internal error ({type(error).__name__}), reference {reference}."
    hint = "Run it again with DOME_LOG_LEVEL=DEBUG to see where it happened."
    output.value({"error": {"type": "internal", "message": message, "hint": hint}})
    if invocation.shows_tracebacks:
        output.remark("".join(traceback.format_exception(error)))
    if not output.is_json:
        output.remark(f"dome-mcp: {message}\n{hint}")
    return FAILED


def described(error: DomeError) -> dict[str, object]:
    """The error as JSON: `type` is its class in snake case, such as `not_found`."""
    name = type(error).__name__
    kind = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    described: dict[str, object] = {
        "type": kind.lstrip("_"),
        "message": error.message,
        "hint": error.hint,
    }
    if isinstance(error, ConfigurationError):
        described["problems"] = list(error.problems)
    return described


def _configure_logging(settings: Settings) -> None:
    """Our own records at the level that was set, from INFO down only when asked for."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    asked = "log_level" in settings.origins
    logging.getLogger("dome_mcp").setLevel(settings.log_level if asked else logging.WARNING)

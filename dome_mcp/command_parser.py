"""A command line that raises where argparse would leave the process, and has groups of commands."""

import argparse
from typing import NoReturn


class UsageError(Exception):
    """The words make no command; `usage` says which would."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.message = message
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser that raises where argparse would print and leave the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.format_usage().strip())


class Commands:
    """Adds commands that share options, and groups of them."""

    def __init__(
        self,
        parsers: "argparse._SubParsersAction[Parser]",
        shared: Parser,
    ) -> None:
        self._parsers = parsers
        self._shared = shared

    def add(self, name: str, run: str, summary: str) -> argparse.ArgumentParser:
        """A command that `run` (`module:function` in dome_mcp.commands) carries out."""
        parser = self._parsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            parents=[self._shared],
            allow_abbrev=False,
        )
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, summary: str) -> "Commands":
        """A command whose first argument is again a command."""
        parser = self._parsers.add_parser(
            name, help=summary, parents=[self._shared], allow_abbrev=False
        )
        return Commands(
            parser.add_subparsers(title="commands", metavar="COMMAND", required=True), self._shared
        )


def shared_options() -> Parser:
    """The options that every command has, in front of its name or behind it."""
    # Without a default here, so that a subcommand does not reset what stood before its name.
    shared = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--home", metavar="DIR", help="the data folder (DOME_HOME)")
    shared.add_argument("--json", action="store_true", help="print the result as JSON")
    return shared

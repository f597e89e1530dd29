"""The MCP server, on standard input and output or over HTTP."""

import argparse
import importlib
import sys

from dome_mcp import stdio
from dome_mcp.commands.shell import Invocation
from dome_mcp.core.errors import InvalidInput

_OPTIONS = {"host": "http_host", "port": "http_port", "workers": "http_workers"}
"""The options of the HTTP server, and the settings they stand for."""


async def serve(invocation: Invocation) -> int:
    """Serves until the client closes standard input, or until a signal; returns the exit code.

    Raises:
        InvalidInput: an option of the HTTP server without `--http`.
        ConfigurationError: the settings cannot be served safely over HTTP.
    """
    options = _given(invocation.arguments)
    if getattr(invocation.arguments, "http", False):
        settings = invocation.settings(shows_warnings=False, options=options)
        if settings.api_url is not None:
            raise InvalidInput(
                "DOME_API_URL says that the data are elsewhere.", "Unset it to serve those here."
            )
        # A server on standard input and output is to answer before all of this is imported.
        serving = importlib.import_module("dome_mcp.remote.serving")
        return await serving.serve_http(settings)
    if options:
        raise InvalidInput("--host, --port and --workers go with --http.", "Add --http.")
    if sys.stdin.isatty():
        invocation.output.remark(
            "This is the MCP server, which an assistant starts and talks to on standard input.\n"
            "To use DOME here see `dome-mcp --help`; to leave press Ctrl-C."
        )
    # The server logs the warnings itself.
    return await stdio.serve_stdio(invocation.settings(shows_warnings=False))


def _given(arguments: argparse.Namespace) -> dict[str, str]:
    """The options that were given, by the settings they stand for."""
    values = {setting: getattr(arguments, name, None) for name, setting in _OPTIONS.items()}
    return {setting: str(value) for setting, value in values.items() if value is not None}

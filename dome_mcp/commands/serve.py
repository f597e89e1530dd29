"""The MCP server on standard input and output."""

import sys

from dome_mcp import stdio
from dome_mcp.commands.shell import Invocation


async def serve(invocation: Invocation) -> int:
    """Serves until the client closes standard input; returns the exit code."""
    if sys.stdin.isatty():
        invocation.output.remark(
            "This is the MCP server, which an assistant starts and talks to on standard input.\n"
            "To use DOME here see `dome-mcp --help`; to leave press Ctrl-C."
        )
    # The server logs the warnings itself.
    return await stdio.serve_stdio(invocation.settings(shows_warnings=False))

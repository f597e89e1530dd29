"""The MCP server on standard input and output."""

from dome_mcp import stdio
from dome_mcp.commands.shell import Invocation


async def serve(invocation: Invocation) -> int:
    """Serves until the client closes standard input; returns the exit code."""
    # The server logs the warnings itself.
    return await stdio.serve_stdio(invocation.settings(shows_warnings=False))

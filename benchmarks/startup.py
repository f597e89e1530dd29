"""How soon a client has its answers, against the least server this SDK can make.

    python benchmarks/startup.py [RUNS]

Prints medians of several runs in seconds, each of a process of its own: from the start of the
process to the first answer in each era, from there to the list of tools, and from the start to
the first search answer over a data folder with one note.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

LEAST = """
from mcp.server import MCPServer
server = MCPServer("least")
@server.tool()
def echo(text: str) -> str:
    return text
server.run("stdio")
"""
SERVERS = {
    "one-tool server": [sys.executable, "-c", LEAST],
    "dome-mcp": [sys.executable, "-m", "dome_mcp"],
}
CLIENT = {"name": "benchmark", "version": "1"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}

Ask = Callable[..., dict[str, Any]]


def run(command: list[str], home: str, *, is_modern: bool, has_notes: bool) -> dict[str, float]:
    """Seconds to each answer of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DOME_HOME": home, "DOME_COMPANION": "off"},
        text=True,
    )

    def tell(method: str, number: int | None = None, **params: Any) -> None:
        assert process.stdin is not None
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if is_modern:
            params["_meta"] = MODERN
        if number is not None:
            message["id"] = number
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()

    def ask(number: int, method: str, **params: Any) -> float:
        """Seconds from the start to the answer."""
        assert process.stdout is not None
        tell(method, number, **params)
        while json.loads(process.stdout.readline()).get("id") != number:
            pass
        return time.perf_counter() - start

    seconds = {}
    if is_modern:
        seconds["first answer"] = ask(1, "server/discover")
    else:
        seconds["first answer"] = ask(1, "initialize", **HANDSHAKE)
        tell("notifications/initialized")
    seconds["tools/list"] = ask(2, "tools/list")
    if has_notes:
        search = {"name": "search", "arguments": {"query": "hotel in Lisbon"}}
        seconds["first search"] = ask(3, "tools/call", **search)
        semantic = {"name": "search", "arguments": {"query": "hotel", "mode": "semantic"}}
        seconds["first search by meaning"] = ask(4, "tools/call", **semantic)
    process.communicate()
    return seconds


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [sys.executable, "-m", "dome_mcp", "ingest", "-"],
            input="Anna booked the hotel Miramar in Lisbon.",
            text=True,
            env={**os.environ, "DOME_HOME": home, "DOME_COMPANION": "off"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        for is_modern in (False, True):
            print("2026-07-28" if is_modern else "2025-11-25")
            taken_by: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
            # In turns, so that whatever else the machine does falls on both alike.
            for name, command in list(SERVERS.items()) * runs:
                taken_by[name].append(
                    run(command, home, is_modern=is_modern, has_notes=name == "dome-mcp")
                )
            for name, taken in taken_by.items():
                for step in taken[0]:
                    median = statistics.median(each[step] for each in taken)
                    print(f"  {name:16} {step:24} {median:6.3f} s")


if __name__ == "__main__":
    main()

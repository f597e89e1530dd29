"""`dome-mcp` as a process, spoken to line by line."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

COMMAND = [sys.executable, "-m", "dome_mcp"]
OFF = {"DOME_EMBEDDING_MODEL": "off", "DOME_COMPANION": "off"}
PATIENCE_SECONDS = 30.0
"""Far more than anything here takes; a test that waits so long has failed."""


def environment(home: Path, **settings: str) -> dict[str, str]:
    """This environment with other settings of DOME; no model and no companion unless named."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DOME_")}
    return {**inherited, "DOME_HOME": str(home), **OFF, **settings}


@dataclass
class Server:
    """A running server; `output` has every line it wrote to standard output."""

    process: Process
    output: list[str] = field(default_factory=list)
    _unread: str = ""
    _last_id: int = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request."""
        self._last_id += 1
        await self.tell(method, _id=self._last_id, **params)
        while True:
            message = json.loads(await self.read_line())
            if message.get("id") == self._last_id:
                return message["result"]

    async def tell(self, method: str, _id: int | None = None, **params: Any) -> None:
        """Sends a notification, or a request whose answer nobody waits for."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if _id is not None:
            message["id"] = _id
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(message).encode() + b"\n")

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a tool call that has to succeed."""
        result = await self.ask("tools/call", name=tool, arguments=arguments)
        assert not result.get("isError"), result
        return result["structuredContent"]

    async def shake_hands(self) -> dict[str, Any]:
        """The answer to `initialize`."""
        client = {"name": "test", "version": "1"}
        answer = await self.ask(
            "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client
        )
        await self.tell("notifications/initialized")
        return answer

    async def read_line(self) -> str:
        assert self.process.stdout is not None
        while "\n" not in self._unread:
            self._unread += (await self.process.stdout.receive()).decode()
        line, _, self._unread = self._unread.partition("\n")
        self.output.append(line)
        return line

    async def hang_up(self) -> int:
        """Closes its standard input, reads what it still says, and returns its exit code."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        return await self.end()

    async def end(self) -> int:
        """Reads what it still says until it ends, and returns its exit code."""
        assert self.process.stdout is not None
        async for text in TextReceiveStream(self.process.stdout):
            self._unread += text
        self.output += self._unread.splitlines()
        return await self.process.wait()


@asynccontextmanager
async def started(home: Path, **settings: str) -> AsyncIterator[Server]:
    """A server of its own; whatever happens, it is gone afterwards."""
    with anyio.fail_after(PATIENCE_SECONDS):
        process = await anyio.open_process(COMMAND, env=environment(home, **settings), stderr=None)
        try:
            yield Server(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.aclose()

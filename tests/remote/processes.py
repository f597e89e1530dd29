"""`dome-mcp serve --http` as a process, and its tokens as the command makes them."""

import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from mcp import Client

from tests.remote.serving_http import client_of, mcp_client
from tests.server.processes import COMMAND, environment

PATIENCE_SECONDS = 90.0
"""Several processes start at once here, on machines that have little to spare."""

CLOSING_SECONDS = 6.0
"""From the signal to the end of the last process, whatever is open."""

_ADDRESS = re.compile(r"listening on (http://\S+):")


@dataclass
class HttpServer:
    """A running server; `said` has every line it wrote to standard error."""

    process: Process
    home: Path
    url: str = ""
    said: list[str] = field(default_factory=list)

    async def token(self, *options: str) -> str:
        """A new token, as `dome-mcp token create` prints it."""
        return await create_token(self.home, *options)

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client of the whole server; without a token it is nobody."""
        return client_of(self.url, token)

    def mcp(
        self, token: str, *, era: str = "auto", path: str = "/mcp"
    ) -> AbstractAsyncContextManager[Client]:
        """An MCP client of `/mcp` or `/sse`."""
        return mcp_client(f"{self.url}{path}", token, era=era)

    async def until_ready(self) -> None:
        """Returns when the server can serve."""
        async with self.client() as client:
            while True:
                try:
                    if (await client.get("/readyz")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await anyio.sleep(0.05)

    async def until_said(self, words: str) -> str:
        """The first line of the log that has the words in it."""
        await until(lambda: any(words in line for line in self.said))
        return next(line for line in self.said if words in line)

    async def end(self, number: signal.Signals) -> float:
        """Sends a signal, and says how many seconds it took to end."""
        began = anyio.current_time()
        self.process.send_signal(number)
        await self.process.wait()
        return anyio.current_time() - began


@asynccontextmanager
async def served(
    home: Path, *options: str, patience: float = PATIENCE_SECONDS, **settings: str
) -> AsyncIterator[HttpServer]:
    """A server of its own that is ready; whatever happens, it is gone afterwards."""
    words = [*COMMAND, "serve", "--http", "--port", "0", *options]
    with anyio.fail_after(patience):
        process = await anyio.open_process(words, env=environment(home, **settings))
        server = HttpServer(process, home)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, server)
            try:
                found = _ADDRESS.search(await server.until_said("listening on"))
                assert found is not None
                server.url = found[1]
                await server.until_ready()
                yield server
            finally:
                if process.returncode is None:
                    process.kill()
                with anyio.CancelScope(shield=True):
                    await process.wait()
                tasks.cancel_scope.cancel()
                await process.aclose()


async def create_token(home: Path, *options: str) -> str:
    """A new token of the owner; all scopes, unless the options say otherwise."""
    words = ["token", "create", "--user", "me", "--name", "test"]
    scopes = [] if "--scope" in options else ["--scope", "all,admin"]
    output = await run(home, *words, *scopes, *options)
    return output.strip().splitlines()[-1]


async def run(home: Path, *words: str) -> str:
    """What a command prints."""
    result = await anyio.run_process(
        [*COMMAND, *words], env=environment(home), stderr=sys.stderr, check=True
    )
    return result.stdout.decode()


async def refusal(home: Path, *options: str, **settings: str) -> dict[str, object]:
    """The error of a server that does not start, as JSON."""
    words: Sequence[str] = [*COMMAND, "--json", "serve", "--http", *options]
    with anyio.fail_after(PATIENCE_SECONDS):
        result = await anyio.run_process(words, env=environment(home, **settings), check=False)
    assert result.returncode == 2, result.stderr.decode()
    return json.loads(result.stdout)["error"]


def children_of(pid: int) -> list[int]:
    """The processes that serve, which another started; not what else multiprocessing starts."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if "spawn_main" in _command_line(child)]


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def until(holds: Callable[[], bool]) -> None:
    """Returns when the condition holds."""
    while True:
        if holds():
            return
        await anyio.sleep(0.02)


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


async def _listen(server: HttpServer) -> None:
    assert server.process.stderr is not None
    unread = ""
    async for text in TextReceiveStream(server.process.stderr):
        *lines, unread = (unread + text).split("\n")
        server.said += lines

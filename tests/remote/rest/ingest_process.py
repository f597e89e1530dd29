"""A server of the REST API as a process of its own, to be killed: prints its port, then waits.

python -m tests.remote.rest.ingest_process HOME accept    accepts jobs and does none
python -m tests.remote.rest.ingest_process HOME stick     begins jobs and never ends one
python -m tests.remote.rest.ingest_process HOME work      does jobs
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import uvicorn

from dome_mcp.app import Dome, Door
from dome_mcp.core.jobs import JobPolicy
from dome_mcp.core.ports import BlobStore
from dome_mcp.remote.jobs import running_jobs
from dome_mcp.settings import Settings
from tests.remote.rest.conftest import app_over

POLICY = JobPolicy(lease_seconds=1.5, renew_seconds=0.5)


@dataclass
class Sticking:
    """A blob store that takes nothing, and says on standard output that it was asked."""

    inner: BlobStore

    async def put(self, key: str, data: bytes) -> None:
        print("stuck", flush=True)
        await anyio.sleep_forever()

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@asynccontextmanager
async def run(dome: Dome) -> AsyncIterator[None]:
    mode = sys.argv[2]
    if mode == "stick":
        dome = replace(dome, ports=replace(dome.ports, blobs=Sticking(dome.ports.blobs)))
    if mode == "accept":
        yield
        return
    async with running_jobs(dome, POLICY):
        yield


async def main() -> None:
    settings = Settings(
        home=Path(sys.argv[1]), timezone=ZoneInfo("Europe/Berlin"), embedding_model="off"
    )
    door = Door(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app_over(door), log_level="warning"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, run)
        await door.dome()
        print(listener.getsockname()[1], flush=True)
        await server.serve([listener])
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main)

"""Writes the tools as they are into the snapshot: `python -m tests.tools.write_snapshot`."""

import json
import tempfile
from pathlib import Path

import anyio
from mcp import Client

from tests.serving import serving
from tests.tools.test_boundary import SNAPSHOT, wire


async def write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder)) as served, Client(served.server) as client:
            tools = [wire(tool) for tool in (await client.list_tools()).tools]
    SNAPSHOT.write_text(json.dumps(tools, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    anyio.run(write)

"""The blob suite over every driver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.core.ports import BlobStore
from tests.conformance.blob_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.simulators.cloudflare.r2 import R2Simulator, open_r2


@pytest.fixture(params=["files", "r2", "r2-path"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    """An empty blob store."""
    if request.param == "files":
        yield FileBlobs(tmp_path / "blobs")
        return
    simulator = R2Simulator()
    if request.param == "r2-path":
        simulator.endpoint = "http://127.0.0.1:8787/cdn-cgi/local/r2/s3"
        simulator.stored.page_keys = 2
    async with open_r2(simulator) as opened:
        yield opened

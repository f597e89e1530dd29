"""Another embedding model for a DOME on Cloudflare, while a server of it is running."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from anyio.lowlevel import checkpoint

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from tests.server.processes import COMMAND, Server, environment, started
from tests.workers.local_cloudflare.running import ACCOUNT_ID, QUEUES, TOKEN, LocalCloudflare

pytestmark = pytest.mark.anyio

NEXT, NEXT_DIMENSIONS = "@cf/baai/bge-base-en-v1.5", 768
PATIENCE_SECONDS = 120
_INDEXES = "/vectorize/v2/indexes"


@pytest.fixture
async def cloud(cloudflare: LocalCloudflare, api: CloudflareApi) -> AsyncIterator[dict[str, str]]:
    """The settings of an empty DOME, whose index is not there yet."""
    first = f"dome-{uuid4().hex[:8]}"
    yield {
        "DOME_BACKEND": "cloudflare",
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
        "CLOUDFLARE_API_TOKEN": TOKEN,
        "DOME_CLOUDFLARE_BASE_URL": cloudflare.account.base_url,
        "DOME_D1_DATABASE_ID": cloudflare.lend_database(),
        "DOME_VECTORIZE_INDEX": first,
        "DOME_EMBEDDING_MODEL": "",
        "DOME_R2_BUCKET": cloudflare.lend_bucket(),
        "DOME_R2_ENDPOINT": cloudflare.s3_endpoint,
        "DOME_QUEUE_ID": QUEUES[0],
    }
    for name in await indexes(api, first):
        await VectorizeIndex(api, name).remove()


async def indexes(api: CloudflareApi, first: str) -> list[str]:
    """The names of the indexes whose name begins so."""
    listed = await api.call(
        "GET", _INDEXES, backend="vectorize", operation="list", is_repeatable=True
    )
    return [each["name"] for each in listed if each["name"].startswith(first)]


async def dome(home: Path, cloud: dict[str, str], *arguments: str) -> str:
    """What the program prints; it has to succeed."""
    ran = await anyio.run_process([*COMMAND, *arguments], env=environment(home, **cloud))
    return ran.stdout.decode()


async def ready(server: Server, query: str) -> str:
    """The best passage, once the server searches by meaning."""
    while (found := await server.call("search", query=query))["index_state"] != "ready":
        await checkpoint()
    return found["passages"][0]["text"]


async def test_a_move_makes_an_index_beside_the_first_and_a_running_server_follows(
    cloud: dict[str, str], api: CloudflareApi, tmp_path: Path
) -> None:
    first = cloud["DOME_VECTORIZE_INDEX"]
    with anyio.fail_after(PATIENCE_SECONDS):
        await dome(tmp_path, cloud, "reindex")
        assert await indexes(api, first) == [first]
        assert await VectorizeIndex(api, first).metadata_indexes() == METADATA_INDEXES
        async with started(tmp_path / "server", **cloud) as server:
            await server.shake_hands()
            await server.call("ingest", text="The boiler was serviced by Hansen.")
            assert "Hansen" in await ready(server, "who repaired the heating")
            told = await dome(tmp_path, cloud, "reindex", "--to", NEXT)
            assert f"1 of 1 chunks embedded with {NEXT}" in told
            (moved,) = await indexes(api, first)
            assert moved != first
            assert await VectorizeIndex(api, moved).fits(NEXT_DIMENSIONS)
            await server.call("ingest", text="Tomatoes need sun.")
            assert "Hansen" in await ready(server, "who repaired the heating")
            assert "Tomatoes" in await ready(server, "gardening in summer")

"""Making and removing in the local Cloudflare, as `dome-mcp cloud` does it, and what stays."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cloudflare import AsyncCloudflare

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.measuring import measure
from dome_mcp.backends.cloudflare.provisioning import Kind, Wanted, create, delete, find
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_access import access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.core.errors import BackendRejected
from tests.workers.calls import result, rows
from tests.workers.local_cloudflare.running import (
    ACCOUNT_ID,
    D1_TOKEN,
    TOKEN,
    TOKEN_ID,
    LocalCloudflare,
    local_cloudflare,
)

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
SIZES: Mapping[Kind, set[str]] = {
    "database": {"file_size"},
    "index": {"vectorCount", "dimensions"},
    "bucket": set(),
    "queue": {"backlog_count", "backlog_bytes"},
    "gateway": set(),
}
"""What is told of the size of each kind."""


@pytest.fixture
async def fresh(
    new_account: LocalCloudflare, transport: httpx.AsyncHTTPTransport
) -> AsyncIterator[CloudflareApi]:
    """An account of its own, as DOME speaks to it."""
    async with CloudflareApi.open(new_account.account, transport=transport) as opened:
        yield opened


def blobs_in(cloudflare: LocalCloudflare, name: str) -> Bucket:
    return Bucket(cloudflare.s3_endpoint, name, access_key(TOKEN_ID, TOKEN))


@pytest.mark.parametrize("kind", SIZES)
async def test_what_is_made_is_found_measured_and_gone_when_it_is_removed(
    fresh: CloudflareApi, kind: Kind
) -> None:
    assert await find(fresh, kind, "any-name") is None
    made = await create(fresh, Wanted(kind, "any-name", dimensions=3))
    found = await find(fresh, kind, "any-name")
    assert found is not None
    assert found.key == made.key
    assert set(await measure(fresh, made)) >= SIZES[kind]
    again = await create(fresh, Wanted(kind, "any-name", dimensions=3))
    assert again.key == made.key
    await delete(fresh, made)
    assert await find(fresh, kind, "any-name") is None


async def test_what_is_there_stays_when_something_else_is_made(
    new_account: LocalCloudflare, fresh: CloudflareApi
) -> None:
    database = await create(fresh, Wanted("database", "first"))
    await create(fresh, Wanted("bucket", "first"))
    async with new_account.client() as client:
        path = f"d1/database/{database.key}"
        await rows(client, path, "CREATE TABLE t (n)")
        await rows(client, path, "INSERT INTO t VALUES (7)")
        async with R2Blobs.open(blobs_in(new_account, "first")) as blobs:
            await blobs.put("a", b"kept")
        for kind in SIZES:
            await create(fresh, Wanted(kind, "second", dimensions=3))
        assert await rows(client, path, "SELECT n FROM t") == [[7]]
        async with R2Blobs.open(blobs_in(new_account, "first")) as blobs:
            assert await blobs.get("a") == b"kept"


async def test_a_bucket_with_something_in_it_is_not_removed(
    new_account: LocalCloudflare, fresh: CloudflareApi
) -> None:
    bucket = await create(fresh, Wanted("bucket", "full"))
    async with R2Blobs.open(blobs_in(new_account, "full")) as blobs:
        await blobs.put("a", b"x")
        with pytest.raises(BackendRejected):
            await delete(fresh, bucket)
        await blobs.delete("a")
    await delete(fresh, bucket)
    assert await find(fresh, "bucket", "full") is None


async def test_a_queue_is_pulled_from_only_when_it_has_a_pull_consumer(
    new_account: LocalCloudflare, fresh: CloudflareApi
) -> None:
    queue = await create(fresh, Wanted("queue", "wakes"))
    async with new_account.client() as client:
        refusal = await client.post(f"queues/{queue.key}/messages/pull", json={})
        assert refusal.status_code == 405
        await result(client, f"queues/{queue.key}/consumers", {"type": "http_pull"})
        pulled = await result(client, f"queues/{queue.key}/messages/pull", {})
        assert pulled["messages"] == []


async def test_a_token_that_may_use_one_service_only_sees_nothing_of_the_others(
    new_account: LocalCloudflare, transport: httpx.AsyncHTTPTransport
) -> None:
    narrow = replace(new_account.account, token=D1_TOKEN)
    async with CloudflareApi.open(narrow, transport=transport) as api:
        assert await find(api, "database", "dome") is None
        for kind in SIZES.keys() - {"database"}:
            with pytest.raises(BackendRejected):
                await find(api, kind, "dome")


async def test_a_bucket_of_a_jurisdiction_is_seen_in_it_only(fresh: CloudflareApi) -> None:
    made = [
        await create(fresh, Wanted(kind, "dome", jurisdiction="eu"))
        for kind in ("database", "queue", "bucket")
    ]
    assert [each.jurisdiction for each in made] == ["eu", "eu", "eu"]
    assert await find(fresh, "bucket", "dome") is None
    assert await find(fresh, "bucket", "dome", jurisdiction="eu") is not None


async def test_the_sdk_takes_the_answers_for_the_services(new_account: LocalCloudflare) -> None:
    base_url = new_account.account.base_url
    async with AsyncCloudflare(
        api_token=TOKEN, base_url=base_url, max_retries=0, _strict_response_validation=True
    ) as sdk:
        database = await sdk.d1.database.create(account_id=ACCOUNT_ID, name="made")
        listed = await sdk.d1.database.list(account_id=ACCOUNT_ID)
        assert [each.uuid for each in listed.result] == [database.uuid]
        bucket = await sdk.r2.buckets.create(account_id=ACCOUNT_ID, name="made")
        assert bucket.name == "made"
        queue = await sdk.queues.create(account_id=ACCOUNT_ID, queue_name="made")
        assert queue is not None
        assert queue.queue_id is not None
        consumer = await sdk.queues.consumers.create(
            queue.queue_id, account_id=ACCOUNT_ID, type="http_pull"
        )
        assert consumer is not None
        gateway = await sdk.ai_gateway.create(
            account_id=ACCOUNT_ID,
            id="made",
            cache_invalidate_on_update=False,
            cache_ttl=None,
            collect_logs=False,
            rate_limiting_interval=None,
            rate_limiting_limit=None,
        )
        assert gateway.id == "made"


async def test_a_folder_that_was_used_before_has_what_was_made_in_it(
    tmp_path: Path, model_address: str, transport: httpx.AsyncHTTPTransport
) -> None:
    folder = tmp_path / "account"
    folder.mkdir()
    with local_cloudflare(folder, embedder=model_address) as running:
        async with CloudflareApi.open(running.account, transport=transport) as api:
            database = await create(api, Wanted("database", "kept"))
        async with running.client() as client:
            await rows(client, f"d1/database/{database.key}", "CREATE TABLE t (n)")
    with local_cloudflare(folder, embedder=model_address) as running:
        async with running.client() as client:
            listed = (await client.get("d1/database")).json()["result"]
            assert [each["uuid"] for each in listed] == [database.key]
            found = await rows(client, f"d1/database/{database.key}", "SELECT n FROM t")
    assert found == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal for one process")
def test_the_command_says_how_to_reach_it_and_ends_when_it_is_interrupted(tmp_path: Path) -> None:
    module = "tests.workers.local_cloudflare"
    command = [sys.executable, "-m", module, "--folder", str(tmp_path / "account")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        exported = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        path = f"accounts/{exported['CLOUDFLARE_ACCOUNT_ID']}/tokens/verify"
        token = {"Authorization": f"Bearer {exported['CLOUDFLARE_API_TOKEN']}"}
        base_url = exported["DOME_CLOUDFLARE_BASE_URL"]
        assert httpx.get(f"{base_url}/{path}", headers=token).json()["success"]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)

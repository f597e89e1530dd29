"""The blob suite over R2's S3 endpoint, which verifies every signature."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.r2 import LARGEST_SINGLE_PUT_BYTES, R2Blobs
from dome_mcp.backends.cloudflare.r2_access import find_access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.sigv4 import AccessKey
from dome_mcp.core.errors import BackendRejected
from tests.conformance.blob_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.workers.local_cloudflare.running import TOKEN, LocalCloudflare


@pytest.fixture
async def bucket(cloudflare: LocalCloudflare, api: CloudflareApi) -> Bucket:
    """An empty bucket, with the access key that belongs to the API token."""
    key = await find_access_key(api, TOKEN)
    return Bucket(cloudflare.s3_endpoint, cloudflare.lend_bucket(), key)


@pytest.fixture
async def blobs(bucket: Bucket, transport: httpx.AsyncHTTPTransport) -> AsyncIterator[R2Blobs]:
    """An empty blob store."""
    async with R2Blobs.open(bucket, transport=transport) as opened:
        yield opened


async def test_a_blob_in_parts_comes_back_whole(blobs: R2Blobs) -> None:
    data = bytes(range(251)) * (LARGEST_SINGLE_PUT_BYTES // 251 + 1)
    await blobs.put("large", data)
    assert await blobs.get("large") == data
    assert list(await blobs.keys()) == ["large"]


async def test_more_keys_than_a_page_holds_are_all_listed(blobs: R2Blobs) -> None:
    names = [f"page/{number:04}" for number in range(1005)]
    for name in names:
        await blobs.put(name, b"")
    assert list(await blobs.keys("page/")) == names
    assert (await blobs.usage()).objects == len(names)


async def test_a_wrong_secret_is_rejected(bucket: Bucket) -> None:
    wrong = replace(bucket, access_key=AccessKey(bucket.access_key.key_id, "0" * 64))
    async with R2Blobs.open(wrong) as blobs:
        with pytest.raises(BackendRejected):
            await blobs.put("a", b"x")
        with pytest.raises(BackendRejected):
            await blobs.keys()


async def test_a_clock_that_is_an_hour_wrong_is_rejected(bucket: Bucket) -> None:
    wrong = datetime.now(UTC) - timedelta(hours=1)
    async with R2Blobs.open(bucket, clock=lambda: wrong) as blobs:
        with pytest.raises(BackendRejected):
            await blobs.put("a", b"x")


async def test_a_presigned_url_opens_its_key_and_nothing_else(blobs: R2Blobs) -> None:
    await blobs.put("a/secret", b"x")
    await blobs.put("b/secret", b"y")
    url = blobs.url_to_get("a/secret", expires_seconds=60)
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(url)).content == b"x"
        assert (await anyone.get(url.replace("a/secret", "b/secret"))).status_code == 403
        assert (await anyone.put(url, content=b"z")).status_code == 403
        put = blobs.url_to_put("a/new", expires_seconds=60)
        assert (await anyone.put(put, content=b"new")).status_code == 200
    assert await blobs.get("a/secret") == b"x"


async def test_an_expired_url_opens_nothing(bucket: Bucket) -> None:
    async with R2Blobs.open(bucket) as blobs:
        await blobs.put("a", b"x")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with R2Blobs.open(bucket, clock=lambda: yesterday) as late, httpx.AsyncClient() as anyone:
        assert (await anyone.get(late.url_to_get("a", expires_seconds=60))).status_code == 403

"""What DOME takes for granted of R2 beyond the port: keys over REST, derived keys, links, parts.

Source: https://developers.cloudflare.com/r2/api/tokens/,
https://developers.cloudflare.com/r2/api/s3/presigned-urls/ and
https://developers.cloudflare.com/api/resources/r2/ (2026-11).
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Resource
from dome_mcp.backends.cloudflare.r2 import LARGEST_SINGLE_PUT_BYTES, R2Blobs
from dome_mcp.backends.cloudflare.r2_access import find_access_key
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.core.errors import BackendRejected
from dome_mcp.settings import Settings
from tests.live.account import PlainCalls
from tests.live.marks import LIVE

pytestmark = LIVE

ODD_KEYS = ["a/b.txt", "two words", "a+b", "50%", "ü/日本語", "a&b=c"]


@pytest.fixture
async def signed(
    api: CloudflareApi, account: Account, settings: Settings, bucket: Resource
) -> Bucket:
    """The bucket with the key that is derived from the token, whatever the settings say of one."""
    endpoint = settings.cloudflare.r2_endpoint
    return Bucket(
        endpoint or f"https://{account.account_id}.r2.cloudflarestorage.com",
        bucket.name,
        await find_access_key(api, account.token),
    )


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_an_object_of_any_key_is_put_listed_and_deleted_over_rest(
    key: str, ask: PlainCalls, bucket: Resource
) -> None:
    objects = f"/r2/buckets/{bucket.name}/objects"
    path = f"{objects}/{quote(key, safe='/')}"
    assert (await ask("PUT", path, content=b"text")).result["key"] == key
    listed = await ask("GET", objects, params={"prefix": key})
    assert [each["key"] for each in listed.result] == [key], listed
    assert (await ask("GET", path)).body == "text"
    assert (await ask("DELETE", path)).result == {"key": key}
    assert (await ask("GET", path)).status == 404


async def test_an_object_put_over_rest_says_its_md5_and_its_size_as_a_text(
    ask: PlainCalls, bucket: Resource
) -> None:
    path = f"/r2/buckets/{bucket.name}/objects/size"
    answer = await ask("PUT", path, content=b"text")
    assert (await ask("DELETE", path)).result
    assert answer.result["etag"] == hashlib.md5(b"text", usedforsecurity=False).hexdigest(), answer
    assert answer.result["size"] == "4", answer


async def test_the_secret_key_is_the_digest_of_the_token(
    signed: Bucket, account: Account, blobs: R2Blobs
) -> None:
    expected = hashlib.sha256(account.token.encode()).hexdigest()
    is_derived = signed.access_key.secret == expected
    assert is_derived
    async with R2Blobs.open(signed) as derived:
        await derived.put("a/b", b"x")
    assert await blobs.get("a/b") == b"x"


async def test_a_wrong_secret_is_refused(signed: Bucket) -> None:
    wrong = replace(signed, access_key=replace(signed.access_key, secret="0" * 64))
    async with R2Blobs.open(wrong) as refused:
        with pytest.raises(BackendRejected):
            await refused.put("a", b"x")


async def test_a_link_opens_its_key_for_its_method_alone(blobs: R2Blobs) -> None:
    await blobs.put("a/secret", b"x")
    await blobs.put("b/secret", b"y")
    link = blobs.url_to_get("a/secret", expires_seconds=60)
    async with httpx.AsyncClient() as anyone:
        assert (await anyone.get(link)).content == b"x"
        assert (await anyone.get(link.replace("a/secret", "b/secret"))).status_code == 403
        assert (await anyone.put(link, content=b"z")).status_code == 403
        put = blobs.url_to_put("a/new", expires_seconds=60)
        assert (await anyone.put(put, content=b"new")).status_code == 200
    assert await blobs.get("a/new") == b"new"


async def test_a_link_that_has_expired_opens_nothing(signed: Bucket, blobs: R2Blobs) -> None:
    await blobs.put("a", b"x")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with (
        R2Blobs.open(signed, clock=lambda: yesterday) as late,
        httpx.AsyncClient() as anyone,
    ):
        link = late.url_to_get("a", expires_seconds=60)
        assert (await anyone.get(link)).status_code == 403


async def test_a_blob_in_parts_comes_back_whole(blobs: R2Blobs) -> None:
    data = bytes(range(251)) * (LARGEST_SINGLE_PUT_BYTES // 251 + 1)
    await blobs.put("large", data)
    assert await blobs.get("large") == data
    assert list(await blobs.keys()) == ["large"]

"""The local Cloudflare itself: real where it says so, and strict as the service is."""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.workers.calls import result
from tests.workers.local_cloudflare.embedder_server import embedder_server
from tests.workers.local_cloudflare.running import (
    TOKEN,
    TOKEN_ID,
    LocalCloudflare,
    local_cloudflare,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("header", ["", "Bearer wrong", TOKEN])
async def test_without_the_token_nothing_is_answered(
    client: httpx.AsyncClient, d1_path: str, header: str
) -> None:
    response = await client.post(
        f"{d1_path}/query", json={"sql": "SELECT 1"}, headers={"Authorization": header}
    )
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == 10000
    assert response.json()["success"] is False


async def test_another_account_has_no_route(client: httpx.AsyncClient) -> None:
    response = await client.get(f"../{'f' * 32}/d1/database")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (404, 7003)


async def test_the_token_is_verified_and_named(client: httpx.AsyncClient) -> None:
    verified = (await client.get("tokens/verify")).json()["result"]
    assert verified == {"id": TOKEN_ID, "status": "active"}


async def test_an_object_put_over_rest_is_the_one_s3_has(
    client: httpx.AsyncClient, cloudflare: LocalCloudflare
) -> None:
    bucket = f"r2/buckets/{cloudflare.lend_bucket()}"
    put = await client.put(f"{bucket}/objects/a/b.txt", content=b"text")
    assert put.json()["result"]["etag"] == hashlib.md5(b"text").hexdigest()  # noqa: S324 - S3's
    assert (await client.get(f"{bucket}/objects/a/b.txt")).content == b"text"
    listed = (await client.get(f"{bucket}/objects", params={"prefix": "a/"})).json()["result"]
    assert [each["key"] for each in listed] == ["a/b.txt"]
    unsigned = await client.get(f"{cloudflare.s3_endpoint}/{bucket.split('/')[-1]}/a/b.txt")
    assert unsigned.status_code in (400, 403)
    await client.delete(f"{bucket}/objects/a/b.txt")
    assert (await client.get(f"{bucket}/objects/a/b.txt")).status_code == 404


async def test_a_lent_bucket_is_empty(
    client: httpx.AsyncClient, cloudflare: LocalCloudflare
) -> None:
    first = cloudflare.lend_bucket()
    await client.put(f"r2/buckets/{first}/objects/left", content=b"x")
    while cloudflare.lend_bucket() != first:
        continue
    assert (await client.get(f"r2/buckets/{first}/objects")).json()["result"] == []


async def test_workers_ai_embeds_with_the_model_that_dome_carries(
    client: httpx.AsyncClient,
) -> None:
    path = "ai/run/@cf/baai/bge-small-en-v1.5"
    answer = await result(client, path, {"text": ["a cat", "a kitten", "the tax office"]})
    assert answer["shape"] == [3, 384]
    cat, kitten, office = answer["data"]

    def cosine(one: Sequence[float], other: Sequence[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert cosine(cat, cat) == pytest.approx(1, abs=1e-5)
    assert cosine(cat, kitten) > cosine(cat, office) + 0.2


@pytest.mark.parametrize(
    "model", ["@cf/baai/unheard-of", "bge-m3", "@cf/meta/llama-3.1-8b-instruct"]
)
async def test_workers_ai_refuses_a_model_it_does_not_embed_with(
    client: httpx.AsyncClient, model: str
) -> None:
    response = await client.post(f"ai/run/{model}", json={"text": ["x"]})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 5007)


async def test_the_api_of_dome_is_let_in(api: CloudflareApi, d1_path: str) -> None:
    body = {"sql": "SELECT 1 AS one"}
    answer = await api.call(
        "POST", f"/{d1_path}/query", backend="d1", operation="query", json=body, is_repeatable=True
    )
    assert answer[0]["results"] == [{"one": 1}]


def parents() -> dict[int, int]:
    """Every process by its id, and its parent."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    return {int(each): int(of) for each, of in map(str.split, listed.stdout.splitlines())}


def descendants(process_id: int) -> set[int]:
    """A process and all that it started."""
    found: set[int] = {process_id}
    table = parents()
    while more := {each for each, parent in table.items() if parent in found} - found:
        found |= more
    return found


def test_it_ends_with_the_session_that_started_it(tmp_path: Path) -> None:
    with embedder_server() as embedder, local_cloudflare(tmp_path, embedder=embedder) as running:
        started = descendants(running.process_id)
        assert len(started) > 1
        assert httpx.get(running.url).status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.url)
    assert not started & parents().keys()

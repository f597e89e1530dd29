"""Vectorize in the local Cloudflare is played: late, in namespaces, within its limits."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.workers.calls import result, upsert
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio


@pytest.fixture
async def index(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """A new Vectorize index of two dimensions."""
    name = f"index-{uuid4().hex}"
    config = {"dimensions": 2, "metric": "cosine"}
    await result(client, "vectorize/v2/indexes", {"name": name, "config": config})
    yield name
    await client.delete(f"vectorize/v2/indexes/{name}")


async def found(client: httpx.AsyncClient, index: str, **body: object) -> list[str]:
    path = f"vectorize/v2/indexes/{index}/query"
    answer = await result(client, path, {"vector": [1, 0], **body})
    return [match["id"] for match in answer["matches"]]


async def test_a_vector_is_found_once_its_mutation_counts(
    client: httpx.AsyncClient, cloudflare: LocalCloudflare, index: str
) -> None:
    cloudflare.delay_mutations(index, 3_600_000)
    mutation = await upsert(client, index, {"id": "a", "values": [1, 0]})
    assert await found(client, index) == []
    info = (await client.get(f"vectorize/v2/indexes/{index}/info")).json()["result"]
    assert info == {"vectorCount": 0, "dimensions": 2}
    cloudflare.delay_mutations(index, 0)
    assert await found(client, index) == ["a"]
    info = (await client.get(f"vectorize/v2/indexes/{index}/info")).json()["result"]
    assert (info["vectorCount"], info["processedUpToMutation"]) == (1, mutation)


async def test_vectors_are_ranked_by_cosine_in_their_namespace(
    client: httpx.AsyncClient, index: str
) -> None:
    angles = {"far": [0, 3], "near": [3, 1], "opposite": [-1, 0], "exact": [0.5, 0]}
    await upsert(
        client,
        index,
        *({"id": id, "values": values, "namespace": "u"} for id, values in angles.items()),
        {"id": "other", "values": [1, 0], "namespace": "v"},
    )
    assert await found(client, index, namespace="u") == ["exact", "near", "far", "opposite"]
    assert await found(client, index, namespace="u", topK=2) == ["exact", "near"]
    assert await found(client, index, namespace="w") == []


async def test_a_filter_sees_only_vectors_that_came_after_its_index(
    client: httpx.AsyncClient, index: str
) -> None:
    def vector(name: str) -> dict[str, object]:
        return {"id": name, "values": [1, 0], "metadata": {"kind": "note", "day": 5}}

    await upsert(client, index, vector("before"))
    for name, kind in (("kind", "string"), ("day", "number")):
        body = {"propertyName": name, "indexType": kind}
        await result(client, f"vectorize/v2/indexes/{index}/metadata_index/create", body)
    await upsert(client, index, vector("after"))
    for matching in ({"kind": "note"}, {"kind": {"$in": ["note"]}}, {"day": {"$gte": 5, "$lt": 6}}):
        assert await found(client, index, filter=matching) == ["after"], matching
    for other in ({"kind": {"$ne": "note"}}, {"day": {"$gt": 5}}, {"unknown": 1}):
        assert await found(client, index, filter=other) == [], other


@pytest.mark.parametrize(
    "body",
    [
        {"vector": [1, 0, 0]},
        {"vector": [1, 0], "topK": 101},
        {"vector": [1, 0], "topK": 51, "returnMetadata": "all"},
        {"vector": [1, 0], "filter": {"kind": ["note"]}},
        {"vector": [1, 0], "filter": {"day": {"$gt": 1, "$gte": 2}}},
        {"vector": [1, 0], "filter": {"kind": "x" * 2048}},
        {"vector": [1, 0], "filter": {}},
    ],
)
async def test_a_query_beyond_the_limits_is_refused(
    client: httpx.AsyncClient, index: str, body: object
) -> None:
    response = await client.post(f"vectorize/v2/indexes/{index}/query", json=body)
    assert response.status_code == 400
    assert response.json()["success"] is False


async def test_more_than_a_hundred_ids_cannot_be_deleted_at_once(
    client: httpx.AsyncClient, index: str
) -> None:
    await upsert(client, index, {"id": "0", "values": [1, 0]})
    path = f"vectorize/v2/indexes/{index}/delete_by_ids"
    refused = await client.post(path, json={"ids": [str(number) for number in range(101)]})
    assert refused.json()["errors"][0]["code"] == 40007
    assert await found(client, index) == ["0"]
    await result(client, path, {"ids": [str(number) for number in range(100)]})
    assert await found(client, index) == []


async def test_an_insert_keeps_what_is_there_and_an_upsert_replaces_it(
    client: httpx.AsyncClient, index: str
) -> None:
    path = f"vectorize/v2/indexes/{index}/get_by_ids"
    first = {"id": "a", "values": [1, 0], "namespace": "u", "metadata": {"n": 1}}
    await upsert(client, index, first)
    await upsert(client, index, {"id": "a", "values": [0, 1]}, verb="insert")
    assert await result(client, path, {"ids": ["a", "missing"]}) == [first]
    await upsert(client, index, {"id": "a", "values": [0, 1]})
    assert await result(client, path, {"ids": ["a"]}) == [
        {"id": "a", "values": [0, 1], "metadata": {}}
    ]


async def test_a_text_is_indexed_by_its_first_64_bytes(
    client: httpx.AsyncClient, index: str
) -> None:
    body = {"propertyName": "kind", "indexType": "string"}
    await result(client, f"vectorize/v2/indexes/{index}/metadata_index/create", body)
    await upsert(client, index, {"id": "a", "values": [1, 0], "metadata": {"kind": "é" * 33}})
    assert await found(client, index, filter={"kind": "é" * 33}) == []
    assert await found(client, index, filter={"kind": "é" * 32}) == ["a"]


async def test_all_ids_are_listed_page_by_page(client: httpx.AsyncClient, index: str) -> None:
    await upsert(client, index, *({"id": name, "values": [1, 0]} for name in "abc"))
    path = f"vectorize/v2/indexes/{index}/list"
    first = (await client.get(path, params={"count": 2})).json()["result"]
    assert (first["vectors"], first["isTruncated"]) == ([{"id": "a"}, {"id": "b"}], True)
    rest = {"count": 2, "cursor": first["nextCursor"]}
    second = (await client.get(path, params=rest)).json()["result"]
    assert (second["vectors"], second["isTruncated"]) == ([{"id": "c"}], False)


@pytest.mark.parametrize(
    "vector",
    [
        {"id": "a", "values": [1, 0, 0]},
        {"id": "a" * 65, "values": [1, 0]},
        {"id": "a", "values": [1, 0], "namespace": "n" * 65},
        {"id": "a", "values": [1, 0], "metadata": {"$kind": "note"}},
        {"id": "a", "values": [1, 0], "metadata": {"text": "x" * 10_240}},
    ],
)
async def test_a_vector_beyond_the_limits_is_refused(
    client: httpx.AsyncClient, index: str, vector: object
) -> None:
    path = f"vectorize/v2/indexes/{index}/upsert"
    assert (await client.post(path, content=json.dumps(vector))).status_code == 400
    assert await found(client, index) == []

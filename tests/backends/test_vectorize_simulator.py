"""The simulated Vectorize keeps to what is documented, and answers as the official SDK reads it."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx
import pytest
from cloudflare import AsyncCloudflare, BadRequestError, NotFoundError
from cloudflare.types.vectorize import IndexUpsertResponse

from tests.simulators.cloudflare.account import ACCOUNT_ID, SimulatedAccount
from tests.simulators.cloudflare.vectorize import (
    INDEX_NAME,
    MAX_DELETED_IDS,
    MAX_FILTER_BYTES,
    MAX_TOP_K,
    MAX_TOP_K_WITH_VALUES,
    VectorizeSimulator,
)
from tests.simulators.cloudflare.vectorize_index import INDEXED_BYTES, SimulatedIndex

pytestmark = pytest.mark.anyio

T = TypeVar("T")
DELAY = 30.0
ONE = {"id": "one", "values": [1.0, 0.0], "namespace": "ada", "metadata": {"kind": "note"}}
TWO = {"id": "two", "values": [0.0, 1.0], "namespace": "ada", "metadata": {"kind": "file"}}


@pytest.fixture
def simulator() -> VectorizeSimulator:
    return VectorizeSimulator(DELAY)


@pytest.fixture
async def sdk(simulator: VectorizeSimulator) -> AsyncIterator[AsyncCloudflare]:
    """The official client, which refuses an answer of another form."""
    account = SimulatedAccount()
    account.register("vectorize", simulator)
    async with AsyncCloudflare(
        api_token=account.token,
        base_url=account.base_url,
        http_client=httpx.AsyncClient(transport=account.transport),
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def there(value: T | None) -> T:
    """A value that the SDK's models allow to be absent."""
    assert value is not None
    return value


def kept(simulator: VectorizeSimulator) -> SimulatedIndex:
    return simulator.indexes[INDEX_NAME]


async def created(sdk: AsyncCloudflare, dimensions: int = 2) -> None:
    await sdk.vectorize.indexes.create(
        account_id=ACCOUNT_ID,
        name=INDEX_NAME,
        config={"dimensions": dimensions, "metric": "cosine"},
    )


async def write(sdk: AsyncCloudflare, *lines: Mapping[str, Any], operation: str = "upsert") -> str:
    """Writes vectors and returns the mutation's id.

    Not by the SDK's own method: it has no form of the body that arrives as NDJSON and without a
    warning (5.9.0).
    """
    response = await sdk.post(
        f"/accounts/{ACCOUNT_ID}/vectorize/v2/indexes/{INDEX_NAME}/{operation}",
        content="\n".join(map(json.dumps, lines)).encode(),
        options={"headers": {"Content-Type": "application/x-ndjson"}},
        cast_to=httpx.Response,
    )
    written = IndexUpsertResponse.model_validate(response.json()["result"])
    assert written.mutation_id
    return written.mutation_id


async def asked(sdk: AsyncCloudflare, vector: list[float], **also: Any) -> list[str]:
    namespace = also.pop("namespace", None)
    answer = await sdk.vectorize.indexes.query(
        INDEX_NAME,
        account_id=ACCOUNT_ID,
        vector=vector,
        extra_body={"namespace": namespace} if namespace else None,
        **also,
    )
    return [there(match.id) for match in there(there(answer).matches)]


async def test_a_write_takes_effect_after_its_delay_and_is_then_named(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    mutation = await write(sdk, ONE, TWO)
    info = there(await sdk.vectorize.indexes.info(INDEX_NAME, account_id=ACCOUNT_ID))
    assert (info.processed_up_to_mutation, info.processed_up_to_datetime) == (None, None)
    assert await asked(sdk, [1.0, 0.0]) == []
    simulator.advance(DELAY)
    info = there(await sdk.vectorize.indexes.info(INDEX_NAME, account_id=ACCOUNT_ID))
    assert (info.processed_up_to_mutation, info.vector_count) == (mutation, 2)
    assert await asked(sdk, [1.0, 0.1]) == ["one", "two"]


async def test_an_insert_keeps_what_is_there_and_an_upsert_replaces_all_of_it(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    await write(sdk, ONE)
    await write(sdk, {"id": "one", "values": [0.0, 1.0]}, operation="insert")
    simulator.advance(DELAY)
    assert kept(simulator).vectors["one"].namespace == "ada"
    await write(sdk, {"id": "one", "values": [0.0, 1.0]})
    simulator.advance(DELAY)
    replaced = kept(simulator).vectors["one"]
    assert (list(replaced.values), replaced.namespace, replaced.metadata) == ([0.0, 1.0], "", {})


async def test_a_namespace_is_searched_alone(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    await write(sdk, ONE, {**TWO, "namespace": "bob"})
    simulator.advance(DELAY)
    assert await asked(sdk, [1.0, 1.0], namespace="bob") == ["two"]


async def test_a_metadata_index_finds_only_vectors_that_came_after_it(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    await write(sdk, ONE)
    metadata = sdk.vectorize.indexes.metadata_index
    await metadata.create(
        INDEX_NAME, account_id=ACCOUNT_ID, property_name="kind", index_type="string"
    )
    await write(sdk, {**ONE, "id": "later"})
    simulator.advance(DELAY)
    listed = there(await metadata.list(INDEX_NAME, account_id=ACCOUNT_ID))
    assert [each.property_name for each in there(listed.metadata_indexes)] == ["kind"]
    assert await asked(sdk, [1.0, 0.0], filter={"kind": "note"}) == ["later"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (3, ["c3"]),
        ({"$ne": 3}, ["c2", "c4"]),
        ({"$in": [2, 4]}, ["c2", "c4"]),
        ({"$nin": [2, 4]}, ["c3"]),
        ({"$gt": 2, "$lte": 4}, ["c3", "c4"]),
        ({"$lt": 3}, ["c2"]),
    ],
)
async def test_a_filter_lets_through_what_it_says(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator, condition: object, expected: list[str]
) -> None:
    await created(sdk)
    kept(simulator).metadata_indexes["day"] = "number"
    await write(
        sdk, *({"id": f"c{n}", "values": [1.0, n / 100], "metadata": {"day": n}} for n in (2, 3, 4))
    )
    simulator.advance(DELAY)
    assert await asked(sdk, [1.0, 0.0], filter={"day": condition}) == expected


async def test_only_the_first_bytes_of_a_text_are_compared(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    kept(simulator).metadata_indexes["context"] = "string"
    alike = "x" * INDEXED_BYTES
    await write(sdk, {"id": "a", "values": [1.0, 0.0], "metadata": {"context": f"{alike}a"}})
    simulator.advance(DELAY)
    assert await asked(sdk, [1.0, 0.0], filter={"context": f"{alike}b"}) == ["a"]


@pytest.mark.parametrize(
    "question",
    [
        {"top_k": MAX_TOP_K + 1},
        {"top_k": MAX_TOP_K_WITH_VALUES + 1, "return_values": True},
        {"top_k": MAX_TOP_K_WITH_VALUES + 1, "return_metadata": "all"},
        {"vector": [1.0]},
        {"filter": {"kind": ["note"]}},
        {"filter": {"kind": {"$eq": "a", "$ne": "b"}}},
        {"filter": {"kind": "x" * MAX_FILTER_BYTES}},
    ],
)
async def test_a_question_beyond_the_limits_is_refused(
    sdk: AsyncCloudflare, question: dict[str, Any]
) -> None:
    await created(sdk)
    with pytest.raises(BadRequestError):
        await asked(sdk, **{"vector": [1.0, 0.0], **question})


async def test_one_wrong_vector_has_all_refused(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    with pytest.raises(BadRequestError):
        await write(sdk, ONE, {"id": "odd", "values": [1.0]})
    simulator.advance(DELAY)
    assert kept(simulator).vectors == {}


async def test_too_many_ids_to_delete_are_refused_together(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    await write(sdk, ONE)
    simulator.advance(DELAY)
    ids = ["one", *map(str, range(MAX_DELETED_IDS))]
    with pytest.raises(BadRequestError, match="max id count is 100"):
        await sdk.vectorize.indexes.delete_by_ids(INDEX_NAME, account_id=ACCOUNT_ID, ids=ids)
    simulator.advance(DELAY)
    assert set(kept(simulator).vectors) == {"one"}
    await sdk.vectorize.indexes.delete_by_ids(
        INDEX_NAME, account_id=ACCOUNT_ID, ids=["one", "never"]
    )
    simulator.advance(DELAY)
    assert kept(simulator).vectors == {}


async def test_all_ids_are_listed_page_by_page(
    sdk: AsyncCloudflare, simulator: VectorizeSimulator
) -> None:
    await created(sdk)
    await write(sdk, ONE, TWO)
    simulator.advance(DELAY)
    listing = sdk.vectorize.indexes.list_vectors
    first = there(await listing(INDEX_NAME, account_id=ACCOUNT_ID, count=1))
    second = there(
        await listing(INDEX_NAME, account_id=ACCOUNT_ID, count=1, cursor=there(first.next_cursor))
    )
    assert [each.id for each in (*there(first.vectors), *there(second.vectors))] == ["one", "two"]
    assert (first.is_truncated, second.is_truncated) == (True, False)


async def test_an_index_that_is_not_there_is_not_found(sdk: AsyncCloudflare) -> None:
    with pytest.raises(NotFoundError):
        await sdk.vectorize.indexes.info("other", account_id=ACCOUNT_ID)

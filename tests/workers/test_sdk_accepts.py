"""Cloudflare's own client takes the local Cloudflare's answers for the service's."""

from collections.abc import AsyncIterator

import httpx
import pytest
from cloudflare import AsyncCloudflare

from tests.workers.calls import upsert
from tests.workers.local_cloudflare.running import ACCOUNT_ID, QUEUES, TOKEN, LocalCloudflare

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sdk(cloudflare: LocalCloudflare) -> AsyncIterator[AsyncCloudflare]:
    """A client that refuses an answer of another form than its models'."""
    async with AsyncCloudflare(
        api_token=TOKEN,
        base_url=cloudflare.account.base_url,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


async def test_d1_answers_as_the_sdk_expects(
    sdk: AsyncCloudflare, cloudflare: LocalCloudflare
) -> None:
    database_id = cloudflare.lend_database()
    databases = sdk.d1.database
    sql, params = "SELECT ?1 AS a", ["x"]
    answer = await databases.query(database_id, account_id=ACCOUNT_ID, sql=sql, params=params)
    objects = answer.result
    assert [each.results for each in objects] == [[{"a": "x"}]]
    raw = (await databases.raw(database_id, account_id=ACCOUNT_ID, sql=sql, params=params)).result
    (results,) = [each.results for each in raw]
    assert results is not None
    assert (results.columns, results.rows) == (["a"], [["x"]])
    assert (await databases.get(database_id, account_id=ACCOUNT_ID)).uuid == database_id


async def test_r2_answers_as_the_sdk_expects(
    sdk: AsyncCloudflare, cloudflare: LocalCloudflare
) -> None:
    name = cloudflare.lend_bucket()
    assert (await sdk.r2.buckets.get(name, account_id=ACCOUNT_ID)).name == name
    stored = await sdk.r2.buckets.objects.upload(
        "a", b"text", account_id=ACCOUNT_ID, bucket_name=name
    )
    assert (stored.key, stored.size) == ("a", "4")


async def test_queues_answer_as_the_sdk_expects(sdk: AsyncCloudflare) -> None:
    pulled = await sdk.queues.messages.pull(QUEUES[0], account_id=ACCOUNT_ID, batch_size=1)
    assert pulled is not None
    assert pulled.messages == []
    settled = await sdk.queues.messages.ack(
        QUEUES[0], account_id=ACCOUNT_ID, acks=[{"lease_id": "unknown"}]
    )
    assert settled is not None
    assert (settled.ack_count, settled.retry_count) == (0, 0)


async def test_vectorize_answers_as_the_sdk_expects(
    sdk: AsyncCloudflare, client: httpx.AsyncClient
) -> None:
    name = "index-for-the-sdk"
    indexes = sdk.vectorize.indexes
    made = await indexes.create(
        account_id=ACCOUNT_ID, config={"dimensions": 2, "metric": "cosine"}, name=name
    )
    assert made is not None
    assert made.name == name
    await upsert(client, name, {"id": "a", "values": [1, 0]})
    found = await indexes.query(name, account_id=ACCOUNT_ID, vector=[1, 0], top_k=1)
    assert found is not None
    assert [match.id for match in found.matches or ()] == ["a"]
    info = await indexes.info(name, account_id=ACCOUNT_ID)
    assert info is not None
    assert (info.dimensions, info.vector_count) == (2, 1)
    await indexes.delete(name, account_id=ACCOUNT_ID)

"""Resources of an account are found by name, made once, and removed for good."""

from collections.abc import AsyncIterator

import pytest
from cloudflare.types.ai_gateway import AIGatewayCreateResponse
from cloudflare.types.d1 import D1
from cloudflare.types.queues import Queue, QueueGetMetricsResponse
from cloudflare.types.r2 import Bucket
from cloudflare.types.vectorize import CreateIndex, IndexInfoResponse

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.measuring import measure
from dome_mcp.backends.cloudflare.provisioning import (
    Kind,
    Wanted,
    create,
    delete,
    find,
    index_metadata,
    tables,
)
from dome_mcp.core.errors import BackendError, BackendRejected, BackendUnavailable
from tests.simulators.cloudflare.account import SimulatedAccount, failure
from tests.simulators.cloudflare.provisioning import Resources

pytestmark = pytest.mark.anyio

KINDS: tuple[Kind, ...] = ("database", "index", "bucket", "queue", "gateway")
OFFICIAL = {
    "database": D1,
    "index": CreateIndex,
    "bucket": Bucket,
    "queue": Queue,
    "gateway": AIGatewayCreateResponse,
}
"""What the vendor's own library reads of each kind."""
MEASURED = {"database": D1, "index": IndexInfoResponse, "queue": QueueGetMetricsResponse}


async def _no_wait(_seconds: float) -> None:
    """Time does not pass here."""


@pytest.fixture
def account() -> SimulatedAccount:
    return SimulatedAccount()


@pytest.fixture
async def resources(account: SimulatedAccount) -> AsyncIterator[Resources]:
    made = Resources()
    made.serve(account)
    yield made
    made.close()


@pytest.fixture
async def api(account: SimulatedAccount, resources: Resources) -> AsyncIterator[CloudflareApi]:
    del resources
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=_no_wait
    ) as opened:
        yield opened


def wanted(kind: Kind, name: str = "dome") -> Wanted:
    return Wanted(kind, name, dimensions=384 if kind == "index" else 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_made_is_found_by_its_name_alone(api: CloudflareApi, kind: Kind) -> None:
    assert await find(api, kind, "dome") is None
    made = await create(api, wanted(kind))
    await create(api, wanted(kind, "dome-2"))
    found = await find(api, kind, "dome")
    assert found is not None
    assert (found.kind, found.name, found.key) == (kind, "dome", made.key)
    assert await find(api, kind, "dom") is None


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_simulator_answers_is_what_the_vendors_library_reads(
    api: CloudflareApi, kind: Kind
) -> None:
    made = await create(api, wanted(kind))
    if kind != "gateway":  # Its library wants fields that the interface leaves out.
        OFFICIAL[kind].model_validate(made.facts)
    size = await measure(api, made)
    if kind in MEASURED:
        MEASURED[kind].model_validate(size)
    else:
        assert size == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_one_that_was_made_although_the_answer_was_lost_is_not_made_again(
    api: CloudflareApi, account: SimulatedAccount, resources: Resources, kind: Kind
) -> None:
    account.fail_next("POST ", 500, is_after_the_work=True)
    made = await create(api, wanted(kind))
    assert made.name == "dome"
    assert resources.names[kind] == ["dome"]
    assert sum(asked.startswith("POST ") for asked in account.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_one_that_is_there_is_given_by_whoever_makes_it_a_second_time(
    api: CloudflareApi, kind: Kind
) -> None:
    first = await create(api, wanted(kind))
    assert (await create(api, wanted(kind))).key == first.key


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_to_make_one_is_told(
    api: CloudflareApi, account: SimulatedAccount, kind: Kind
) -> None:
    account.fail_next("POST ", 403, failure(10000, "Authentication error"))
    with pytest.raises(BackendRejected):
        await create(api, wanted(kind))


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
async def test_one_that_is_removed_is_gone_even_where_the_answer_was_lost(
    api: CloudflareApi, account: SimulatedAccount, kind: Kind, is_after: bool
) -> None:
    made = await create(api, wanted(kind))
    account.fail_next("DELETE ", 502, is_after_the_work=is_after)
    await delete(api, made)
    assert await find(api, kind, "dome") is None


async def test_a_bucket_that_is_not_empty_stays(api: CloudflareApi, resources: Resources) -> None:
    made = await create(api, wanted("bucket"))
    resources.buckets.objects = {"cat.jpg": b""}
    with pytest.raises(BackendError):
        await delete(api, made)
    assert resources.names["bucket"] == ["dome"]


async def test_a_queue_far_down_the_list_is_found(api: CloudflareApi) -> None:
    for number in range(250):
        await create(api, wanted("queue", f"queue-{number:03d}"))
    found = await find(api, "queue", "queue-249")
    assert found is not None
    assert found.name == "queue-249"
    assert await find(api, "queue", "queue-250") is None


async def test_a_list_without_pages_is_asked_for_no_longer_than_it_brings_something_new(
    api: CloudflareApi, account: SimulatedAccount, resources: Resources
) -> None:
    for number in range(120):
        resources.vectorize.create(4, name=f"index-{number}")
    assert await find(api, "index", "dome") is None
    assert len(account.calls) == 2


async def test_only_the_metadata_indexes_that_are_missing_are_made_and_waited_for(
    api: CloudflareApi, account: SimulatedAccount, resources: Resources
) -> None:
    async def wait(seconds: float) -> None:
        resources.vectorize.advance(seconds)

    index = await create(api, wanted("index"))
    assert await index_metadata(api, index, {"day": "number"}, sleep=wait) == ["day"]
    both = {"day": "number", "context": "string"}
    assert await index_metadata(api, index, both, sleep=wait) == ["context"]
    assert set(resources.vectorize.indexes["dome"].metadata_indexes) == set(both)
    before = len(account.calls)
    assert await index_metadata(api, index, both, sleep=wait) == []
    assert len(account.calls) == before + 1


async def test_metadata_indexes_that_do_not_come_are_told(api: CloudflareApi) -> None:
    index = await create(api, wanted("index"))
    with pytest.raises(BackendUnavailable):
        await index_metadata(api, index, {"day": "number"}, sleep=_no_wait)


async def test_a_metadata_index_that_is_refused_as_there_already_is_waited_for(
    api: CloudflareApi, account: SimulatedAccount, resources: Resources
) -> None:
    async def wait(seconds: float) -> None:
        resources.vectorize.advance(seconds)

    index = await create(api, wanted("index"))
    refusal = failure(40000, "it exists")
    account.fail_next("metadata_index/create", 409, refusal, is_after_the_work=True)
    assert await index_metadata(api, index, {"day": "number"}, sleep=wait) == ["day"]


async def test_a_new_database_has_no_tables(api: CloudflareApi) -> None:
    assert await tables(api, await create(api, wanted("database"))) == []


async def test_a_new_gateway_keeps_no_log_of_prompts(
    api: CloudflareApi, resources: Resources
) -> None:
    await create(api, wanted("gateway"))
    assert resources.gateways.made["dome"]["collect_logs"] is False


async def test_an_account_that_does_not_answer_is_not_taken_for_an_empty_one(
    api: CloudflareApi, account: SimulatedAccount
) -> None:
    account.fail_next("GET ", 503, times=9)
    with pytest.raises(BackendUnavailable):
        await find(api, "queue", "dome")

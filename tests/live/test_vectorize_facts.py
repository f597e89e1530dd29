"""What DOME takes for granted of Vectorize's REST interface.

Source: https://developers.cloudflare.com/vectorize/reference/client-api/,
https://developers.cloudflare.com/vectorize/reference/metadata-filtering/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio
import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Resource, index_metadata
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.core.errors import BackendRejected
from tests.live.account import Answer, PlainCalls
from tests.live.marks import LIVE
from tests.live.resources import made

pytestmark = LIVE

DIMENSIONS = 8
PATIENCE_SECONDS = 300
"""99 of 100 mutations take effect within two minutes (changelog of 2026-06-30)."""
TOO_MANY_IDS = 40007
EAST = [1.0] + [0.0] * 7
NORTH_EAST = [1.0, 0.5] + [0.0] * 6
NORTH = [0.0, 1.0] + [0.0] * 6
VECTORS = [
    {"id": "east", "values": EAST, "namespace": "ada", "metadata": {"context": "a", "free": "x"}},
    {"id": "north-east", "values": NORTH_EAST, "namespace": "ada", "metadata": {"context": "b"}},
    {"id": "north", "values": NORTH, "namespace": "bob", "metadata": {"context": "a"}},
]


class Index:
    """An index, asked without a driver."""

    def __init__(self, ask: PlainCalls, name: str) -> None:
        self._ask = ask
        self._path = f"/vectorize/v2/indexes/{name}"

    async def info(self) -> Answer:
        return await self._ask("GET", f"{self._path}/info")

    async def post(self, verb: str, **body: object) -> Answer:
        return await self._ask("POST", f"{self._path}/{verb}", json=body)

    async def upsert(self, *vectors: object) -> Answer:
        headers = {"Content-Type": "application/x-ndjson"}
        lines = "\n".join(map(json.dumps, vectors))
        return await self._ask("POST", f"{self._path}/upsert", content=lines, headers=headers)

    async def found(self, **question: object) -> list[str]:
        """The ids of the matches, best first."""
        return [each["id"] for each in (await self.post("query", **question)).result["matches"]]

    async def processed(self, mutation_id: str) -> None:
        """Waits until a mutation counts."""
        sent_at = datetime.now(UTC)
        with anyio.fail_after(PATIENCE_SECONDS):
            while not _has_come_to((await self.info()).result, mutation_id, sent_at):  # noqa: ASYNC110 - an index rings no bell
                await anyio.sleep(1)


def _has_come_to(info: dict[str, str], mutation_id: str, sent_at: datetime) -> bool:
    """Whether an index has this mutation, or one that came later than it."""
    until = info.get("processedUpToDatetime")
    is_past = bool(until) and datetime.fromisoformat(str(until)) > sent_at
    return info.get("processedUpToMutation") == mutation_id or is_past


@pytest.fixture
async def new_index(api: CloudflareApi, ask: PlainCalls) -> AsyncIterator[Index]:
    async with made(api, "index", dimensions=DIMENSIONS) as resource:
        yield Index(ask, resource.name)


@pytest.fixture(scope="module")
async def resource(api: CloudflareApi) -> AsyncIterator[Resource]:
    async with made(api, "index", dimensions=DIMENSIONS) as made_index:
        await index_metadata(api, made_index, METADATA_INDEXES)
        yield made_index


@pytest.fixture(scope="module")
async def index(ask: PlainCalls, resource: Resource) -> Index:
    """An index with METADATA_INDEXES and VECTORS, which have taken effect."""
    filled = Index(ask, resource.name)
    await filled.processed((await filled.upsert(*VECTORS)).result["mutationId"])
    return filled


async def test_a_new_index_has_processed_no_mutation(new_index: Index) -> None:
    answer = await new_index.info()
    assert (answer.result["dimensions"], answer.result["vectorCount"]) == (DIMENSIONS, 0), answer
    assert not answer.result.get("processedUpToMutation"), answer
    assert not answer.result.get("processedUpToDatetime"), answer


async def test_an_upsert_takes_effect_and_is_counted(index: Index) -> None:
    answer = await index.info()
    assert answer.result["vectorCount"] == len(VECTORS), answer
    assert answer.result["processedUpToMutation"], answer


async def test_a_query_finds_the_vectors_of_its_namespace_alone(index: Index) -> None:
    assert await index.found(vector=NORTH, namespace="ada") == ["north-east", "east"]
    assert await index.found(vector=NORTH, namespace="bob") == ["north"]
    assert await index.found(vector=NORTH, namespace="nobody") == []


async def test_a_query_may_name_a_stored_vector_instead_of_giving_one(index: Index) -> None:
    found = await index.found(vectorId="east", namespace="ada")
    assert set(found) - {"east"} == {"north-east"}


async def test_a_filter_on_an_indexed_property_is_kept_to(index: Index) -> None:
    assert await index.found(vector=NORTH, filter={"context": "a"}) == ["north", "east"]


async def test_a_filter_on_a_property_without_an_index_lets_nothing_through(index: Index) -> None:
    answer = await index.post("query", vector=EAST, filter={"free": "x"})
    assert answer.is_refused or answer.result["matches"] == [], answer


async def test_a_filter_cannot_be_a_list(index: Index) -> None:
    answer = await index.post("query", vector=EAST, filter={"context": ["a"]})
    assert answer.is_refused, answer


async def test_a_hundred_matches_may_be_asked_for_and_not_one_more(index: Index) -> None:
    assert (await index.post("query", vector=EAST, topK=100)).result["count"] > 0
    answer = await index.post("query", vector=EAST, topK=101)
    assert answer.is_refused, answer


async def test_fifty_matches_may_be_asked_for_with_their_values_and_not_one_more(
    index: Index,
) -> None:
    assert (await index.post("query", vector=EAST, topK=50, returnValues=True)).result["count"] > 0
    answer = await index.post("query", vector=EAST, topK=51, returnValues=True)
    assert answer.is_refused, answer


async def test_twenty_vectors_are_fetched_at_once_and_not_one_more(index: Index) -> None:
    """No page has the number; it is what other clients keep to."""
    ids = ["east", "north", *(f"missing-{number}" for number in range(19))]
    fetched = (await index.post("get_by_ids", ids=ids[:20])).result
    assert {each["id"]: each["values"] for each in fetched} == {"east": EAST, "north": NORTH}
    answer = await index.post("get_by_ids", ids=ids)
    assert answer.is_refused, answer


async def test_a_hundred_vectors_are_deleted_at_once_and_not_one_more(index: Index) -> None:
    """No page has the number; code and words are as https://github.com/wevm/vocs/pull/577 has
    them (2026-07)."""
    ids = [f"missing-{number}" for number in range(101)]
    assert (await index.post("delete_by_ids", ids=ids[:100])).result["mutationId"]
    answer = await index.post("delete_by_ids", ids=ids)
    assert (answer.status, answer.code) == (400, TOO_MANY_IDS), answer


async def test_a_vector_of_other_dimensions_is_refused_with_a_word_about_them(
    index: Index,
) -> None:
    answer = await index.upsert({"id": "short", "values": EAST[:4]})
    assert answer.status == 400, answer
    assert "dimension" in repr(answer).lower(), answer


async def test_a_question_of_other_dimensions_is_an_error_that_says_what_to_do(
    api: CloudflareApi, resource: Resource
) -> None:
    with pytest.raises(BackendRejected, match="other dimensions"):
        await VectorizeIndex(api, resource.name).nearest(EAST[:4], namespace="ada")

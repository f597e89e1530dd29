"""Search where database and index are at Cloudflare: what it costs, and what it says in trouble."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.core.errors import BackendRejected, BackendUnavailable, InvalidInput
from dome_mcp.core.model import Match, NoteFilter, SearchMode, SearchResult
from dome_mcp.core.ports import Database, Ports, Row, Statement, Vector
from dome_mcp.services.indexing import SETTLED_CHUNKS, index_step
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.opening import open_d1
from tests.simulators.cloudflare.vectorize import (
    INDEX_NAME,
    MEDIAN_DELAY_SECONDS,
    VectorizeSimulator,
)

pytestmark = pytest.mark.anyio

QUERY = "POST /vectorize/v2/indexes/dome/query"
NO_RETRY_WAIT = {"Retry-After": "0"}


@dataclass(frozen=True)
class FailingLookup:
    """A lookup whose further requests get no answer."""

    statement: Statement
    chunk_ids: Sequence[str] = ()

    async def matches(self, rows: Sequence[Row]) -> Sequence[Match]:
        raise BackendUnavailable("vectorize", "query", f"No answer after {len(rows)} rows.")


class LateFailures(VectorizeVectors):
    """An index that fails when a search has already been begun."""

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> FailingLookup:
        begun = await super().look_up(user_id, vector, limit=limit, among=among)
        assert begun.statement is not None
        return FailingLookup(begun.statement)


@dataclass
class Cloud:
    """A DOME on a simulated account, and the account's own view of it."""

    account: SimulatedAccount
    vectorize: VectorizeSimulator
    embedder: WordEmbedder
    api: CloudflareApi
    database: Database
    ports: Ports = field(init=False)

    async def store(self, *texts: str, context: str | None = None) -> None:
        """Notes with their vectors, staged and sent but not taken in yet."""
        drafts = [draft(text, context=context) for text in texts]
        await ingest_many(drafts, self.ports, user_id=USER, now=NOW)
        while (await index_step(self.ports, user_id=USER, holder="a", now=NOW)).left:
            pass

    def index(self, kind: type[VectorizeVectors] = VectorizeVectors) -> VectorizeVectors:
        return kind(
            VectorizeIndex(self.api, INDEX_NAME),
            self.database,
            ledger=vector_ledger,
            score=matrix_scores,
            model=self.embedder.model,
            dimensions=self.embedder.dimensions,
        )

    async def settle_in_time(self) -> None:
        assert self.ports.vectors is not None
        self.vectorize.advance(MEDIAN_DELAY_SECONDS)
        assert await self.ports.vectors.settle() == 0

    async def search(self, request: SearchRequest) -> tuple[SearchResult, list[str]]:
        """What is found, and the requests it took, as `D1` or what was asked of Vectorize."""
        before = len(self.account.calls)
        result = await search(request, self.ports, user_id=USER)
        asked = self.account.asked[before:]
        return result, ["D1" if each.startswith("POST /d1/") else each for each in asked]


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    account, simulator, embedder = SimulatedAccount(), VectorizeSimulator(), WordEmbedder()
    simulator.create(embedder.dimensions).metadata_indexes.update(METADATA_INDEXES)
    account.register("vectorize", simulator)
    async with (
        open_d1(account, D1Simulator()) as database,
        CloudflareApi.open(account.account, transport=account.transport, sleep=at_once) as api,
    ):
        await migrate(database)
        cloud = Cloud(account, simulator, embedder, api, database)
        cloud.ports = Ports(database, cloud.index(), FileBlobs(tmp_path), embedder)
        yield cloud


async def at_once(_seconds: float) -> None:
    """Waits for no time at all."""


def texts_of(result: SearchResult) -> list[str]:
    return [passage.text for passage in result.passages]


@pytest.mark.parametrize("mode", ["hybrid", "semantic"])
@pytest.mark.parametrize("is_settled", [False, True], ids=["staged", "settled"])
async def test_a_search_is_one_question_to_the_index_and_one_to_the_database(
    cloud: Cloud, mode: SearchMode, is_settled: bool
):
    await cloud.store("The boiler leaks.", "The roof holds.")
    if is_settled:
        await cloud.settle_in_time()
    found, asked = await cloud.search(SearchRequest("boiler", mode=mode))
    assert texts_of(found)[0] == "The boiler leaks."
    assert asked == [QUERY, "D1"]


async def test_a_keyword_search_is_one_question_to_the_database(cloud: Cloud):
    await cloud.store("The boiler leaks.")
    found, asked = await cloud.search(SearchRequest("boiler", mode="keyword"))
    assert (texts_of(found), asked) == (["The boiler leaks."], ["D1"])


async def test_a_search_among_few_notes_is_two_questions_to_the_database(cloud: Cloud):
    await cloud.store("The boiler leaks.")
    await cloud.store("The boiler room is locked.", context="office")
    request = SearchRequest("boiler", mode="semantic", among=NoteFilter(context="office"))
    found, asked = await cloud.search(request)
    assert (texts_of(found), asked) == (["The boiler room is locked."], ["D1", "D1"])


async def test_what_is_staged_ranks_as_it_does_when_it_is_settled(cloud: Cloud):
    await cloud.store(*(f"thing number{n} of kind{n % 7}" for n in range(90)))
    request = SearchRequest("thing of kind3", limit=50)
    staged, _ = await cloud.search(request)
    await cloud.settle_in_time()
    settled, _ = await cloud.search(request)
    assert staged.passages == settled.passages
    assert len(settled.passages) == 50


async def test_the_oldest_of_many_staged_notes_is_found_with_its_text(cloud: Cloud):
    others = (f"thing number{n}" for n in range(vector_ledger.STAGED_LIMIT + 20))
    await cloud.store("The boiler leaks.")
    await cloud.store(*others)
    found, _ = await cloud.search(SearchRequest("boiler leaks", mode="semantic"))
    assert texts_of(found)[0] == "The boiler leaks."


async def test_an_outage_of_the_index_leaves_the_keywords_and_says_so(cloud: Cloud):
    await cloud.store("The boiler leaks.")
    cloud.account.fail_next("/query", 503, times=6, headers=NO_RETRY_WAIT)
    found, _ = await cloud.search(SearchRequest("boiler"))
    assert texts_of(found) == ["The boiler leaks."]
    assert "Search by meaning failed (Cloudflare failed or was too slow" in (found.index.note or "")
    with pytest.raises(BackendUnavailable):
        await cloud.search(SearchRequest("boiler", mode="semantic"))


async def test_a_failure_after_the_beginning_leaves_the_keywords_too(cloud: Cloud):
    await cloud.store("The boiler leaks.", "The roof holds.")
    cloud.ports = replace(cloud.ports, vectors=cloud.index(LateFailures))
    found, _ = await cloud.search(SearchRequest("boiler"))
    assert texts_of(found) == ["The boiler leaks."]
    assert "No answer after 2 rows" in (found.index.note or "")
    with pytest.raises(BackendUnavailable):
        await cloud.search(SearchRequest("boiler", mode="semantic"))


async def test_a_missing_index_leaves_the_keywords_and_is_named(cloud: Cloud):
    await cloud.store("The boiler leaks.")
    cloud.vectorize.indexes.clear()
    found, _ = await cloud.search(SearchRequest("boiler"))
    assert texts_of(found) == ["The boiler leaks."]
    assert "no Vectorize index 'dome'" in (found.index.note or "")
    with pytest.raises(BackendRejected, match="dome-mcp reindex"):
        await cloud.search(SearchRequest("boiler", mode="semantic"))


async def test_an_index_of_another_model_is_told_whatever_vectorize_says(cloud: Cloud):
    await cloud.store("The boiler leaks.")
    cloud.embedder.model = "other/1"
    cloud.account.fail_next("/query", 400, times=2)
    found, _ = await cloud.search(SearchRequest("boiler"))
    assert "reindex" in (found.index.note or "")
    with pytest.raises(InvalidInput, match="reindex"):
        await cloud.search(SearchRequest("boiler", mode="semantic"))


async def test_what_was_read_along_is_not_taken_for_found(cloud: Cloud):
    await cloud.store("The boiler leaks.", "The roof holds.")
    cloud.embedder.model = "other/1"
    found, _ = await cloud.search(SearchRequest("boiler"))
    assert texts_of(found) == ["The boiler leaks."]


async def test_notes_get_their_vectors_while_the_index_is_away(cloud: Cloud):
    cloud.account.fail_next("/upsert", 503, times=3, headers=NO_RETRY_WAIT)
    await cloud.store("The boiler leaks.")
    found, _ = await cloud.search(SearchRequest("boiler", mode="semantic"))
    assert texts_of(found) == ["The boiler leaks."]
    assert cloud.ports.vectors is not None
    assert await cloud.ports.vectors.settle() == 1


async def test_many_vectors_are_sent_together(cloud: Cloud):
    await cloud.store(*(f"thing number{n}" for n in range(SETTLED_CHUNKS + 64)))
    assert sum(each.endswith("/upsert") for each in cloud.account.asked) == 2

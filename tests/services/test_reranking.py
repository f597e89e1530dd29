"""What a reranker changes in what is found, and what it leaves as it is."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import SearchResult
from dome_mcp.core.ports import Ports
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.reranking import RERANKED
from dome_mcp.services.search import SearchRequest, search
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.notes_for_tests import NOW, USER, draft

pytestmark = pytest.mark.anyio


@dataclass
class Shortest:
    """A reranker that takes the shortest text for the best."""

    model: str = "shortest/1"
    is_away: bool = False
    asked: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        self.asked.append((query, texts))
        if self.is_away:
            raise BackendUnavailable("reranker", "rerank", "The reranker is away.")
        return [-float(len(text)) for text in texts]


@pytest.fixture
def reranker() -> Shortest:
    return Shortest()


@pytest.fixture
async def ports(tmp_path: Path, reranker: Shortest) -> AsyncIterator[Ports]:
    async with SqliteDatabase.open(None) as database:
        plain = await make_ports(database, tmp_path, WordEmbedder())
        yield replace(plain, reranker=reranker)


async def store(ports: Ports, *texts: str, title: str | None = None) -> None:
    await ingest_many([draft(text, title=title) for text in texts], ports, user_id=USER, now=NOW)


def texts_of(found: SearchResult) -> list[str]:
    return [passage.text for passage in found.passages]


BOILERS = ("boiler boiler boiler", "The boiler is in the cellar.", "A boiler.")


async def test_the_reranker_decides_the_order_and_scores_stay_those_of_the_search(
    ports: Ports, reranker: Shortest
) -> None:
    await store(ports, *BOILERS)
    usual = await search(SearchRequest("boiler"), replace(ports, reranker=None), user_id=USER)
    found = await search(SearchRequest("boiler"), ports, user_id=USER)
    assert texts_of(found) == sorted(BOILERS, key=len) != texts_of(usual)
    assert set(found.passages) == set(usual.passages)
    ((query, texts),) = reranker.asked
    assert (query, list(texts)) == ("boiler", texts_of(usual))


async def test_an_answer_is_made_from_passages_in_the_order_of_the_reranker(ports: Ports) -> None:
    await store(ports, *BOILERS)
    made = await answer(Question("Where is the boiler?"), ports, user_id=USER, now=NOW)
    assert [passage.text for passage in made.passages] == sorted(BOILERS, key=len)


async def test_a_passage_is_read_with_its_title(ports: Ports, reranker: Shortest) -> None:
    await store(ports, "It was serviced in May.", "It leaks.", title="The boiler")
    await search(SearchRequest("boiler"), ports, user_id=USER)
    ((_, texts),) = reranker.asked
    assert sorted(texts) == ["The boiler\nIt leaks.", "The boiler\nIt was serviced in May."]


async def test_a_reranker_that_fails_leaves_the_usual_order_and_says_so_beside_other_notes(
    ports: Ports, reranker: Shortest
) -> None:
    await store(ports, *BOILERS)
    usual = await search(SearchRequest("boiler"), replace(ports, reranker=None), user_id=USER)
    reranker.is_away = True
    found = await search(SearchRequest("boiler"), ports, user_id=USER)
    assert found.passages == usual.passages
    assert usual.index.note == "3 chunks are not indexed for meaning yet."
    failed = "Reranking failed (The reranker is away.); these results are in the usual order."
    assert found.index.note == f"{usual.index.note} {failed}"


async def test_what_was_found_by_keyword_alone_is_reranked_too(ports: Ports) -> None:
    await store(ports, *BOILERS)
    without = replace(ports, embedder=None, vectors=None)
    found = await search(SearchRequest("boiler"), without, user_id=USER)
    assert texts_of(found) == sorted(BOILERS, key=len)


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest("boiler", mode="keyword"),
        SearchRequest("boiler", mode="semantic"),
        SearchRequest('"the boiler"'),
        SearchRequest("boiler_1"),
        SearchRequest("boiler", offset=RERANKED),
    ],
)
async def test_where_an_order_by_meaning_is_not_wanted_nothing_is_asked(
    ports: Ports, reranker: Shortest, request_: SearchRequest
) -> None:
    await store(ports, *BOILERS)
    await search(request_, ports, user_id=USER)
    assert reranker.asked == []


async def test_the_pages_of_a_list_share_the_order_and_what_is_past_the_best_stays(
    ports: Ports,
) -> None:
    await store(ports, *(f"thing {'x' * number}" for number in range(RERANKED + 6)))
    plain = replace(ports, reranker=None)
    usual = texts_of(await search(SearchRequest("thing", limit=50), plain, user_id=USER))
    pages: list[str] = []
    offset: int | None = 0
    while offset is not None:
        request = SearchRequest("thing", limit=7, offset=offset)
        found = await search(request, ports, user_id=USER)
        pages += texts_of(found)
        offset = found.next_offset
    assert pages == sorted(usual[:RERANKED], key=len) + usual[RERANKED:]

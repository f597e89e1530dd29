"""What a search answers when a part of it is missing, and which words it counts."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dome_mcp.core.errors import BackendUnavailable, InvalidInput
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Ports, Vector
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.search import MAX_LIMIT, SearchRequest, search
from dome_mcp.store import passages
from tests.services.conftest import WordEmbedder
from tests.services.notes_for_tests import NOW, USER, draft

pytestmark = pytest.mark.anyio

RANK = "bm25(1.0, 1.0, 1.0)"


class BrokenEmbedder(WordEmbedder):
    async def embed_query(self, text: str) -> Vector:
        raise BackendUnavailable("words", "embed", "The model is away.")


async def store(ports: Ports, *texts: str, context: str | None = None) -> None:
    await ingest_many(
        [draft(text, context=context) for text in texts], ports, user_id=USER, now=NOW
    )


async def matched(ports: Ports, *terms: str, among: NoteFilter | None = None, **limits: int):
    """The texts of the keyword matches, best first, under other limits than the product's."""
    statement = passages.candidates(
        USER, among or NoteFilter(), terms=[f'"{term}"' for term in terms], rank=RANK,
        keyword_limit=100, chunk_ids=(), **limits,
    )  # fmt: skip
    rows: Sequence = await ports.database.query(statement)
    return [row["text"] for row in sorted(rows, key=lambda row: -float(row["keyword"]))]


async def test_a_hybrid_search_answers_by_keyword_and_says_so_when_meaning_fails(ports: Ports):
    await store(ports, "The boiler.")
    broken = replace(ports, embedder=BrokenEmbedder())
    found = await search(SearchRequest("boiler"), broken, user_id=USER)
    assert [passage.text for passage in found.passages] == ["The boiler."]
    assert "The model is away." in (found.index.note or "")


async def test_a_semantic_search_fails_rather_than_find_nothing(ports: Ports):
    await store(ports, "The boiler.")
    broken = replace(ports, embedder=BrokenEmbedder())
    with pytest.raises(BackendUnavailable):
        await search(SearchRequest("boiler", mode="semantic"), broken, user_id=USER)


async def test_without_a_model_semantic_mode_says_what_to_use(ports: Ports):
    without = replace(ports, embedder=None, vectors=None)
    await store(without, "The boiler.")
    with pytest.raises(InvalidInput, match="mode keyword"):
        await search(SearchRequest("boiler", mode="semantic"), without, user_id=USER)
    found = await search(SearchRequest("boiler"), without, user_id=USER)
    assert len(found.passages) == 1
    assert "No embedding model" in (found.index.note or "")


async def test_while_the_model_loads_keywords_answer(ports: Ports, embedder: WordEmbedder):
    await store(ports, "The boiler.")
    embedder.is_ready = False
    found = await search(SearchRequest("boiler"), ports, user_id=USER)
    assert len(found.passages) == 1
    assert "loading" in (found.index.note or "")


async def test_pages_follow_each_other_without_gap_or_repetition(ports: Ports):
    await store(ports, *(f"thing number{n}" for n in range(7)))
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        request = SearchRequest("thing", limit=3, offset=offset)
        found = await search(request, ports, user_id=USER)
        seen += [passage.text for passage in found.passages]
        offset = found.next_offset
    assert sorted(seen) == sorted(f"thing number{n}" for n in range(7))


@pytest.mark.parametrize(
    "request_", [SearchRequest(" "), SearchRequest("a", limit=0), SearchRequest("a", limit=51)]
)
async def test_a_request_that_cannot_work_is_refused(ports: Ports, request_: SearchRequest):
    assert MAX_LIMIT == 50
    with pytest.raises(InvalidInput):
        await search(request_, ports, user_id=USER)


async def test_the_rarest_words_count_first_while_the_budget_lasts(ports: Ports):
    await store(ports, "common rare", "common one", "common two", "common three")
    assert len(await matched(ports, "common", "rare", few_notes=0, scored_chunks=5)) == 4
    assert await matched(ports, "common", "rare", few_notes=0, scored_chunks=4) == ["common rare"]


async def test_a_word_that_is_beyond_the_budget_counts_where_it_is_the_only_one(ports: Ports):
    await store(ports, "common one", "common two")
    assert len(await matched(ports, "common", "absent", few_notes=0, scored_chunks=1)) == 2


async def test_among_few_notes_every_word_counts_whatever_the_budget(ports: Ports):
    await store(ports, "common rare", "common two", "common three")
    await store(ports, "common here", context="house")
    house = NoteFilter(context="house")
    limits = {"scored_chunks": 1, "few_notes": 1}
    assert await matched(ports, "common", "rare", among=house, **limits) == ["common here"]
    assert await matched(ports, "common", "rare", **limits) == ["common rare"]


async def test_a_word_of_the_query_in_any_script_is_found(ports: Ports):
    for text in ("東京で会議があります", "Das Café öffnet früh", "किताब पढ़ना"):
        await ingest(draft(text), ports, user_id=USER, now=NOW)
    for query, text in (("会議", "東京で"), ("cafe", "Das"), ("किताब", "किताब")):
        found = await search(SearchRequest(query, mode="keyword"), ports, user_id=USER)
        assert found.passages[0].text.startswith(text), query

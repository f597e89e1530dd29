"""Vectorize may say nothing, something old or something foreign of how far it is, or be erased."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Statement
from dome_mcp.services.search import SearchRequest, search
from tests.services.clouds import (
    LAG_SECONDS,
    Process,
    SimulatedSite,
    process_at,
    simulated_site,
)
from tests.services.notes_for_tests import USER
from tests.services.test_lag_on_cloudflare import BOILER, ROOF, found, store
from tests.simulators.cloudflare.vectorize import INDEX_NAME

pytestmark = pytest.mark.anyio

FERNS = "Ferns need shade."


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    async with simulated_site() as made:
        yield made


@pytest.fixture
async def process(site: SimulatedSite) -> AsyncIterator[Process]:
    async with process_at(site.place) as opened:
        yield opened


async def check_all_found(process: Process, *texts: str) -> None:
    for text in texts:
        assert (await found(process, text))[0] == text


async def test_progress_that_is_not_told_leaves_all_in_the_ledger_and_found(
    site: SimulatedSite, process: Process
):
    await store(process, BOILER)
    site.vectorize.advance(LAG_SECONDS)
    index = site.vectorize.indexes[INDEX_NAME]
    told, index.processed = index.processed, None
    assert await process.vectors.settle() == 1
    await check_all_found(process, BOILER)
    index.processed = told
    assert await process.vectors.settle() == 0
    await check_all_found(process, BOILER)


@pytest.mark.parametrize("age", ["older", "foreign"])
async def test_progress_that_is_older_or_not_ours_settles_nothing_that_is_not_there(
    site: SimulatedSite, process: Process, age: str
):
    index = site.vectorize.indexes[INDEX_NAME]
    await store(process, BOILER)
    site.vectorize.advance(LAG_SECONDS)
    first = index.processed
    await store(process, ROOF)
    site.vectorize.advance(LAG_SECONDS)
    second, index.processed = index.processed, first if age == "older" else "of-somebody-else"
    await store(process, FERNS)
    assert await process.vectors.settle() == 2
    await check_all_found(process, BOILER, ROOF, FERNS)
    index.processed = second
    # After progress that nobody knows the last change was sent again, and is on its way.
    left = 1 if age == "older" else 2
    assert await process.vectors.settle() == left
    index.processed = first  # a replica that is behind answers
    assert await process.vectors.settle() == left
    await check_all_found(process, BOILER, ROOF, FERNS)
    site.let_the_lag_pass()
    await process.settled()
    assert len(await process.held()) == 3
    await check_all_found(process, BOILER, ROOF, FERNS)


async def test_a_last_mutation_whose_answer_was_lost_holds_nothing_up(
    site: SimulatedSite, process: Process
):
    await store(process, BOILER)
    site.vectorize.advance(LAG_SECONDS)
    site.vectorize.indexes[INDEX_NAME].processed = "the-one-that-nobody-recorded"
    site.let_the_lag_pass()
    await process.settled()
    await check_all_found(process, BOILER)


async def test_a_note_stored_while_the_index_is_gone_is_kept_and_found_by_its_words(
    site: SimulatedSite, process: Process
):
    await store(process, BOILER)
    del site.vectorize.indexes[INDEX_NAME]
    await store(process, ROOF)
    result = await search(SearchRequest("roof of tin"), process.ports, user_id=USER)
    assert [passage.text for passage in result.passages] == [ROOF]
    assert "no Vectorize index" in (result.index.note or "")
    with pytest.raises(BackendRejected, match="no Vectorize index"):
        await found(process, "roof of tin")


@pytest.mark.parametrize("is_settled", [True, False], ids=["settled", "sent"])
async def test_an_index_erased_while_it_lagged_is_filled_anew_from_the_ledger(
    site: SimulatedSite, process: Process, is_settled: bool
):
    await store(process, BOILER)
    if is_settled:
        site.vectorize.advance(LAG_SECONDS)
        assert await process.vectors.settle() == 0
    await store(process, ROOF)  # sent, and lost with the index before it was taken in
    del site.vectorize.indexes[INDEX_NAME]
    site.vectorize.delay_seconds = 0.0  # `restore` waits for the metadata indexes
    await process.vectors.restore()
    site.lag_again()
    await store(process, FERNS)
    site.let_the_lag_pass()
    await process.settled()
    rows = await process.ports.database.query(Statement("SELECT chunk_id FROM chunks"))
    assert await process.held() == {row["chunk_id"] for row in rows}
    await check_all_found(process, BOILER, ROOF, FERNS)

"""A search over Vectorize: what is found while it lags, through filters, and in trouble."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Statement, VectorEntry
from tests.backends.vectorize_bench import GARDEN, LATER, Bench, store_many, vectorize_bench
from tests.conformance.vector_suite import (
    DIMENSIONS,
    EVERYTHING,
    NEW_YEAR,
    found,
    note,
    store,
    toward,
)
from tests.simulators.cloudflare.vectorize import INDEX_NAME, MAX_NAME_BYTES

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with vectorize_bench() as opened:
        yield opened


async def test_a_vector_is_found_while_the_index_has_not_taken_it_in(bench: Bench) -> None:
    await store(bench.database, bench.vectors, there=0)
    assert await bench.vectors.settle() == 1
    assert bench.simulated.vectors == {}
    assert await found(bench.vectors, 0) == ["there"]
    bench.simulator.advance(LATER)
    assert await bench.vectors.settle() == 0
    assert await found(bench.vectors, 0) == ["there"]


async def test_an_unstaged_vector_is_not_found_while_the_index_still_has_it(bench: Bench) -> None:
    await store(bench.database, bench.vectors, goes=0, stays=1)
    await bench.settle_in_time()
    await bench.database.batch(bench.vectors.unstage(["goes"]))
    assert "goes" in bench.simulated.vectors
    assert await found(bench.vectors, 0) == ["stays"]
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"stays"}


async def test_more_staged_vectors_than_are_read_along_are_found(bench: Bench) -> None:
    await store(bench.database, bench.vectors, first=0)
    await store_many(bench, "later", 1_300, degrees=90)
    assert (await found(bench.vectors, 0))[0] == "first"


async def test_scores_are_exact_whatever_the_index_says(bench: Bench) -> None:
    await store(bench.database, bench.vectors, moves=0, stays=20)
    await bench.settle_in_time()
    await bench.database.batch(bench.vectors.stage([VectorEntry("moves", toward(60))]))
    assert await found(bench.vectors, 0) == ["stays", "moves"]


async def test_a_user_whose_id_is_too_long_for_a_namespace_is_served(bench: Bench) -> None:
    user_id = "u" * (MAX_NAME_BYTES + 1)
    other = f"{user_id}v"
    entries = [VectorEntry("hers", toward(0)), VectorEntry("theirs", toward(0))]
    notes = [*note("hers", user_id=user_id), *note("theirs", user_id=other)]
    await bench.database.batch([*notes, *bench.vectors.stage(entries)])
    await bench.settle_in_time()
    assert await found(bench.vectors, 0, user_id=user_id) == ["hers"]


async def test_a_note_that_moves_is_found_by_its_new_context(bench: Bench) -> None:
    await store_many(bench, "rose", 1_100, degrees=90, context="garden")
    await bench.database.batch(
        [*note("seed", context="shed"), *bench.vectors.stage([VectorEntry("seed", toward(0))])]
    )
    await bench.settle_in_time()
    move = "UPDATE notes SET context = 'garden' WHERE note_id = 'seed'"
    await bench.database.query(Statement(move))
    assert (await found(bench.vectors, 0, among=GARDEN))[0] == "seed"
    await bench.settle_in_time()
    assert (await found(bench.vectors, 0, among=GARDEN))[0] == "seed"
    metadata = [bench.simulated.vectors[name].metadata["context"] for name in ("seed", "rose0")]
    assert metadata[0] == metadata[1]


@pytest.mark.parametrize(
    "among",
    [GARDEN, NoteFilter(since=NEW_YEAR), NoteFilter(until=NEW_YEAR + timedelta(hours=1))],
    ids=["context", "since", "until"],
)
async def test_vectorize_filters_by_context_and_day_where_many_notes_pass(
    bench: Bench, among: NoteFilter
) -> None:
    await store_many(bench, "rose", 1_100, degrees=60, context="garden")
    beside = NEW_YEAR + timedelta(days=1 if among.until else -1)
    await store_many(bench, "nail", 150, degrees=0, context="shed", created_at=beside)
    await bench.settle_in_time()
    before = bench.database.queries
    assert await found(bench.vectors, 0, limit=3, among=among) == ["rose0", "rose1", "rose2"]
    assert bench.database.queries == before + 2  # nothing had to be compared one by one
    assert bench.asked("query") == 1


async def test_a_filter_that_vectorize_knows_nothing_of_finds_the_nearest_of_many(
    bench: Bench,
) -> None:
    await store_many(bench, "red", 1_100, degrees=60, tag="red")
    await store_many(bench, "near", 150, degrees=0)
    await bench.settle_in_time()
    red = NoteFilter(tags=("red",))
    assert await found(bench.vectors, 0, limit=3, among=red) == ["red0", "red1", "red2"]


async def test_without_its_metadata_indexes_a_filter_is_still_exact(bench: Bench) -> None:
    bench.simulated.metadata_indexes.clear()
    await store_many(bench, "rose", 1_100, degrees=60, context="garden")
    await bench.settle_in_time()
    assert await found(bench.vectors, 0, limit=2, among=GARDEN) == ["rose0", "rose1"]


async def test_few_notes_are_compared_without_vectorize(bench: Bench) -> None:
    await store(bench.database, bench.vectors, near=0)
    await bench.database.batch(
        [
            *note("rose", context="garden", created_at=datetime(2025, 5, 1, tzinfo=UTC)),
            *bench.vectors.stage([VectorEntry("rose", toward(30))]),
        ]
    )
    assert await found(bench.vectors, 0, among=GARDEN) == ["rose"]
    assert bench.asked("query") == 0


async def test_more_than_vectorize_names_are_found_when_they_are_asked_for(bench: Bench) -> None:
    await store_many(bench, "c", 450, degrees=0)
    await bench.settle_in_time()
    assert len(await found(bench.vectors, 0, limit=400)) == 400


async def test_an_index_that_is_missing_is_named(bench: Bench) -> None:
    del bench.simulator.indexes[INDEX_NAME]
    with pytest.raises(BackendRejected, match=r"no Vectorize index 'dome'.*dome-mcp reindex"):
        await bench.vectors.search("ada", toward(0), limit=1, among=EVERYTHING)


async def test_an_index_of_other_dimensions_is_told_from_a_wrong_question(bench: Bench) -> None:
    del bench.simulator.indexes[INDEX_NAME]
    bench.simulator.create(DIMENSIONS + 1)
    with pytest.raises(BackendRejected, match=r"other dimensions.*reindex"):
        await bench.vectors.search("ada", toward(0), limit=1, among=EVERYTHING)


async def test_a_vector_of_the_wrong_length_is_refused_before_anything_is_sent(
    bench: Bench,
) -> None:
    with pytest.raises(BackendRejected, match="3 dimensions"):
        bench.vectors.stage([VectorEntry("odd", [1.0, 0.0, 0.0])])
    with pytest.raises(BackendRejected, match="3 dimensions"):
        await bench.vectors.search("ada", [1.0, 0.0, 0.0], limit=1, among=EVERYTHING)
    assert bench.api.calls == 0


async def test_vectors_are_read_back_for_another_index(bench: Bench) -> None:
    await store(bench.database, bench.vectors, one=30, two=60)
    entries = await bench.vectors.read(["two", "never", "one"])
    assert [entry.chunk_id for entry in entries] == ["two", "one"]
    assert list(entries[0].vector) == pytest.approx(list(toward(60)), abs=1e-3)

"""Vectorize comes to hold what the ledger says, whoever is cut off and whatever overtakes what."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.ports import Statement, VectorEntry
from dome_mcp.store import vector_ledger
from tests.backends.vectorize_bench import LATER, Bench, Cut, store_many, vectorize_bench
from tests.conformance.vector_suite import (
    EVERYTHING,
    found,
    store,
    toward,
)
from tests.simulators.cloudflare.vectorize import MAX_DELETED_IDS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with vectorize_bench() as opened:
        yield opened


async def test_a_vector_goes_with_its_chunk_whoever_deletes_it(bench: Bench) -> None:
    await store(bench.database, bench.vectors, goes=0, stays=1)
    await bench.settle_in_time()
    await bench.database.query(Statement("DELETE FROM chunks WHERE chunk_id = 'goes'"))
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"stays"}
    rows = await bench.database.query(Statement("SELECT chunk_id FROM vector_ledger"))
    assert [row["chunk_id"] for row in rows] == ["stays"]


async def test_removals_go_in_parts_that_are_taken(bench: Bench) -> None:
    await store_many(bench, "c", 250, degrees=0)
    await bench.settle_in_time()
    gone = [f"c{number}" for number in range(250)]
    await bench.database.batch(bench.vectors.unstage(gone))
    await bench.settle_in_time()
    assert bench.simulated.vectors == {}
    assert bench.asked("delete_by_ids") == -(-len(gone) // MAX_DELETED_IDS)


async def test_what_was_settled_leaves_no_mutations_behind(bench: Bench) -> None:
    for name in ("one", "two", "three"):
        await store(bench.database, bench.vectors, **{name: 0})
        await bench.settle_in_time()
    rows = await bench.database.query(Statement("SELECT * FROM vector_mutations"))
    assert len(rows) == 1


async def test_settling_with_nothing_to_do_asks_vectorize_nothing(bench: Bench) -> None:
    await store(bench.database, bench.vectors, there=0)
    await bench.settle_in_time()
    before = bench.api.calls
    assert await bench.vectors.settle() == 0
    assert bench.api.calls == before


@pytest.mark.parametrize("batches", range(5))
async def test_a_settling_that_is_cut_off_anywhere_is_made_good_by_the_next(
    bench: Bench, batches: int
) -> None:
    await store(bench.database, bench.vectors, there=0, goes=1)
    await bench.vectors.settle()
    bench.simulator.advance(LATER)
    await bench.database.batch(bench.vectors.unstage(["goes"]))
    await store(bench.database, bench.vectors, late=2)
    bench.database.left = batches
    with pytest.raises(Cut):
        await bench.settle_in_time()
    bench.database.left = 10_000
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"there", "late"}
    assert await found(bench.vectors, 0) == ["there", "late"]


async def test_an_older_version_that_arrives_late_does_not_stay(bench: Bench) -> None:
    await store(bench.database, bench.vectors, moves=0)

    async def another_process() -> None:
        await bench.database.batch(bench.vectors.stage([VectorEntry("moves", toward(90))]))
        await bench.settle_in_time()

    bench.index.meanwhile = another_process
    await bench.settle_in_time()
    assert bench.values("moves") == pytest.approx(list(toward(90)), abs=1e-3)


async def test_what_was_removed_while_it_was_sent_does_not_stay(bench: Bench) -> None:
    await store(bench.database, bench.vectors, goes=0)

    async def another_process() -> None:
        await bench.database.batch(bench.vectors.unstage(["goes"]))
        await bench.settle_in_time()

    bench.index.meanwhile = another_process
    await bench.settle_in_time()
    assert bench.simulated.vectors == {}


async def test_a_mutation_of_unknown_order_is_sent_again(bench: Bench) -> None:
    await store(bench.database, bench.vectors, one=0)

    async def another_process() -> None:
        await store(bench.database, bench.vectors, two=1)
        await bench.vectors.settle()

    bench.index.meanwhile = another_process
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"one", "two"}
    rows = await bench.database.query(Statement("SELECT is_settled FROM vector_ledger"))
    assert [row["is_settled"] for row in rows] == [1, 1]


async def test_an_outage_is_no_empty_list_and_loses_nothing(bench: Bench) -> None:
    await store(bench.database, bench.vectors, there=0)
    bench.account.fail_next("/upsert", 503, times=3, headers={"Retry-After": "0"})
    bench.account.fail_next("/query", 503, times=3, headers={"Retry-After": "0"})
    with pytest.raises(BackendUnavailable):
        await bench.vectors.settle()
    with pytest.raises(BackendUnavailable):
        await bench.vectors.search("ada", toward(0), limit=1, among=EVERYTHING)
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"there"}


async def test_an_index_that_was_lost_is_filled_again_from_the_ledger(bench: Bench) -> None:
    await store(bench.database, bench.vectors, there=0)
    await bench.settle_in_time()
    bench.simulated.vectors.clear()
    await bench.database.query(vector_ledger.stage_again())
    await bench.settle_in_time()
    assert set(bench.simulated.vectors) == {"there"}


async def test_a_check_up_tells_lost_vectors_and_vectors_of_lost_chunks(bench: Bench) -> None:
    await store(bench.database, bench.vectors, there=0, lost=1, orphan=2)
    await bench.settle_in_time()
    mark = Statement("UPDATE chunks SET embedded_with = 'test-model/fp32'")
    await bench.database.query(mark)
    assert await bench.vectors.damage() == ([], 0)
    for sql in (
        "DELETE FROM vector_ledger WHERE chunk_id = 'lost'",
        "DROP TRIGGER vector_ledger_chunk_deleted",
        "DELETE FROM chunks WHERE chunk_id = 'orphan'",
    ):
        await bench.database.query(Statement(sql))
    assert await bench.vectors.damage() == (["lost"], 1)
    await bench.database.query(vector_ledger.stage_again())
    await bench.settle_in_time()
    assert "orphan" not in bench.simulated.vectors
    await bench.database.batch(bench.vectors.remove_orphans())
    await bench.settle_in_time()
    assert await bench.vectors.damage() == (["lost"], 0)
    assert "orphan" not in bench.simulated.vectors

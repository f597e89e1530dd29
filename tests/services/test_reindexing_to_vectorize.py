"""From one embedding model to another where the vectors are in Vectorize: an index of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import anyio
import pytest

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.next_vectors import VectorizeNextVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import IndexState, NoteChanges
from dome_mcp.core.ports import Embedder, Ports, Row, Statement, Vector
from dome_mcp.services.indexing import index_step, semantics
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.reindexing import (
    NextModel,
    begin_move,
    end_move,
    finish_move,
    is_moved,
    move_step,
)
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store import meta, vector_indexes, vector_ledger
from tests.services.clouds import (
    CUTS,
    MODEL,
    Cut,
    Process,
    SimulatedSite,
    process_at,
    simulated_site,
)
from tests.services.crashing import Crash
from tests.services.notes_for_tests import NOW, USER, draft, later
from tests.simulators.cloudflare.vectorize import INDEX_NAME

pytestmark = pytest.mark.anyio

NEXT = embedding_model("@cf/baai/bge-m3")
THIRD = embedding_model("@cf/qwen/qwen3-embedding-0.6b")
TOMATOES, BOILER = "Tomatoes need sun.", "The boiler is old."


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """A simulated account whose new indexes have no lag."""
    async with simulated_site() as made:
        made.vectorize.delay_seconds = 0.0
        yield made


@pytest.fixture
async def process(site: SimulatedSite) -> AsyncIterator[Process]:
    """A process of a DOME with two notes, which Vectorize has taken in."""
    async with process_at(site.place) as opened:
        await store(opened, site)
        yield opened


async def store(process: Process, site: SimulatedSite) -> None:
    for text in (TOMATOES, BOILER):
        await ingest(draft(text), process.ports, user_id=USER, now=NOW)
    await process.vectors.settle()
    site.let_the_lag_pass()
    await process.settled()


def next_model(process: Process, model: str = NEXT.name) -> NextModel:
    embedder = workers_ai_embedder(process.api, embedding_model(model))
    vectors = VectorizeNextVectors(
        process.api,
        process.ports.database,
        ledger=vector_ledger,
        register=vector_indexes,
        first=process.place.index,
        model=embedder.model,
        dimensions=embedder.dimensions,
    )
    return NextModel(embedder, vectors, model)


def after_move(process: Process, target: NextModel) -> Ports:
    assert isinstance(target.vectors, VectorizeNextVectors)
    return replace(process.ports, embedder=target.embedder, vectors=target.vectors.index)


def embedder_of(process: Process) -> Embedder:
    assert process.ports.embedder is not None
    return process.ports.embedder


async def move_all(process: Process, target: NextModel) -> None:
    """What `reindex --to` does: all of it, or what an earlier one left."""
    if not await is_moved(process.ports, target):
        await begin_move(process.ports, target)
        await move_chunks(process, target)
        with anyio.fail_after(10):
            while not await finish_move(process.ports, target):
                await move_chunks(process, target)
    await end_move(process.ports, target)


async def move_chunks(process: Process, target: NextModel) -> None:
    after = 0
    while (step := await move_step(process.ports, target, after=after)).done:
        after = step.after


@dataclass
class Late:
    """Another process's embedder, during whose first work something happens `meanwhile`."""

    inner: Embedder
    meanwhile: Callable[[], Awaitable[None]] | None

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    @property
    def max_batch(self) -> int:
        return self.inner.max_batch

    @property
    def is_ready(self) -> bool:
        return True

    async def warm_up(self) -> None:
        """There is nothing to load."""

    async def embed_query(self, text: str) -> Vector:
        return await self.inner.embed_query(text)

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await self.inner.embed_passages(texts)


async def found(ports: Ports, query: str) -> list[str]:
    result = await search(SearchRequest(query, mode="semantic", limit=1), ports, user_id=USER)
    return [passage.text for passage in result.passages]


async def rows(process: Process, sql: str) -> list[Row]:
    return list(await process.ports.database.query(Statement(sql)))


async def check_moved(process: Process, site: SimulatedSite, target: NextModel) -> None:
    """All is in the new index, the old one is gone, and nothing tells of the move."""
    moved = after_move(process, target)
    assert await found(moved, "tomatoes") == [TOMATOES]
    assert (await semantics(moved, user_id=USER)).state == IndexState()
    (index,) = site.vectorize.indexes.values()
    assert index.name != INDEX_NAME
    assert (index.dimensions, index.metadata_indexes) == (NEXT.dimensions, METADATA_INDEXES)
    assert len(index.vectors) == 2
    assert await meta.fact(process.ports.database, meta.VECTOR_INDEX) == index.name
    named = await rows(process, "SELECT DISTINCT index_name FROM vector_ledger")
    assert [row["index_name"] for row in named] == [index.name]
    kept = await rows(process, "SELECT index_name FROM vector_indexes")
    assert [row["index_name"] for row in kept] == [index.name]
    assert not await rows(process, "SELECT 1 FROM sqlite_master WHERE name = 'moved_chunks'")


async def test_the_old_index_is_searched_until_the_new_one_is_whole_and_is_removed_then(
    process: Process, site: SimulatedSite
) -> None:
    target = next_model(process)
    assert await begin_move(process.ports, target) == 2
    (other,) = (each for each in site.vectorize.indexes.values() if each.name != INDEX_NAME)
    assert (other.metadata_indexes, other.vectors) == (METADATA_INDEXES, {})
    await move_chunks(process, target)
    assert await found(process.ports, "tomatoes") == [TOMATOES]
    while not await finish_move(process.ports, target):
        assert await found(process.ports, "tomatoes") == [TOMATOES]
    assert set(site.vectorize.indexes) == {INDEX_NAME, other.name}
    assert await found(after_move(process, target), "tomatoes") == [TOMATOES]
    await end_move(process.ports, target)
    await check_moved(process, site, target)


async def test_there_is_no_switch_before_the_new_index_has_taken_everything_in(
    process: Process, site: SimulatedSite
) -> None:
    target = next_model(process)
    await begin_move(process.ports, target)
    site.lag_again()
    await move_chunks(process, target)
    for _ in range(3):
        assert not await finish_move(process.ports, target)
    site.let_the_lag_pass()
    assert await finish_move(process.ports, target)


async def test_a_search_after_the_switch_is_three_requests_and_reads_what_is_on_its_way(
    process: Process, site: SimulatedSite
) -> None:
    target = next_model(process)
    await move_all(process, target)
    moved = after_move(process, target)
    site.lag_again()
    await ingest(draft("Beans need rain."), moved, user_id=USER, now=NOW)
    before = process.wire.sent
    assert await found(moved, "beans rain") == ["Beans need rain."]
    assert process.wire.sent - before == 3


async def test_what_changes_meanwhile_is_in_the_new_index_as_it_is_now(
    process: Process, site: SimulatedSite
) -> None:
    target = next_model(process)
    await begin_move(process.ports, target)
    await move_chunks(process, target)
    late = await ingest(draft("Beans need rain."), process.ports, user_id=USER, now=NOW)
    gone = await ingest(draft("Peas are gone."), process.ports, user_id=USER, now=NOW)
    await move_chunks(process, target)
    note_id = late.note.note_id
    changes = NoteChanges(context="garden")
    await update_note(note_id, changes, process.ports, user_id=USER, now=later(1))
    await delete_note(gone.note.note_id, process.ports, user_id=USER, now=later(1))
    await move_all(process, target)
    await index_step(after_move(process, target), user_id=USER, holder="b", now=NOW)
    assert isinstance(target.vectors, VectorizeNextVectors)
    while await target.vectors.settle():
        pass
    (index,) = site.vectorize.indexes.values()
    assert len(index.vectors) == 3
    assert await found(after_move(process, target), "beans rain") == ["Beans need rain."]
    contexts = {"context" in stored.metadata for stored in index.vectors.values()}
    assert contexts == {True}


async def test_who_has_not_heard_of_the_move_searches_by_keyword_and_spoils_nothing(
    process: Process, site: SimulatedSite
) -> None:
    async with process_at(site.place) as unaware:
        target = next_model(process)
        embedder = Late(embedder_of(unaware), meanwhile=lambda: move_all(process, target))
        late = replace(unaware.ports, embedder=embedder)
        await ingest(draft("Beans need rain."), late, user_id=USER, now=NOW)
        assert embedder.meanwhile is None
        result = await search(SearchRequest("boiler"), unaware.ports, user_id=USER)
        assert [passage.text for passage in result.passages] == [BOILER]
        assert "dome-mcp reindex" in (result.index.note or "")
        with pytest.raises(BackendError):
            await unaware.vectors.settle()
    moved = after_move(process, target)
    assert (await semantics(moved, user_id=USER)).state.pending_chunks == 1
    await index_step(moved, user_id=USER, holder="b", now=NOW)
    assert await found(moved, "beans rain") == ["Beans need rain."]
    while await target.vectors.settle():
        pass
    (index,) = site.vectorize.indexes.values()
    assert len(index.vectors) == 3


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
async def test_a_move_cut_off_at_any_request_leaves_one_model_whole_and_is_made_good_by_the_next(
    cut: Cut,
) -> None:
    at = requests = 0
    while at <= requests:
        async with simulated_site() as site:
            site.vectorize.delay_seconds = 0.0
            async with process_at(site.place) as process:
                await store(process, site)
                process.wire.cut_off(at, cut)
                is_whole = True
                try:
                    await move_all(process, next_model(process))
                except (Crash, BackendError):
                    is_whole = False
                requests = max(requests, process.wire.sent if is_whole else at + 1)
            async with process_at(site.place) as other:
                target = next_model(other)
                is_over = await is_moved(other.ports, target)
                present = after_move(other, target) if is_over else other.ports
                assert await found(present, "tomatoes") == [TOMATOES], at
                await move_all(other, target)
                await check_moved(other, site, target)
        at += 1
    assert requests > 20


async def test_an_index_of_another_model_that_was_left_half_way_is_removed_in_the_end(
    process: Process, site: SimulatedSite
) -> None:
    left = next_model(process, THIRD.name)
    await begin_move(process.ports, left)
    await move_chunks(process, left)
    target = next_model(process)
    await move_all(process, target)
    await check_moved(process, site, target)


async def test_an_index_that_vanished_half_way_is_made_and_filled_again(
    process: Process, site: SimulatedSite
) -> None:
    target = next_model(process)
    await begin_move(process.ports, target)
    await move_chunks(process, target)
    while await target.vectors.settle():
        pass
    for name in set(site.vectorize.indexes) - {INDEX_NAME}:
        del site.vectorize.indexes[name]
    await move_all(process, target)
    await check_moved(process, site, target)


async def test_a_second_move_leaves_the_first_ones_index_and_names_its_own_after_the_first(
    process: Process, site: SimulatedSite
) -> None:
    first = next_model(process, THIRD.name)
    await move_all(process, first)
    (name,) = site.vectorize.indexes
    moved = replace(process, ports=after_move(process, first))
    target = next_model(moved)
    await move_all(moved, target)
    await check_moved(moved, site, target)
    assert name not in site.vectorize.indexes


async def test_the_present_model_can_be_moved_to_where_its_index_has_other_dimensions(
    site: SimulatedSite,
) -> None:
    site.vectorize.create(64).metadata_indexes.update(METADATA_INDEXES)
    async with process_at(site.place) as process:
        await ingest(draft(TOMATOES), process.ports, user_id=USER, now=NOW)
        target = next_model(process, MODEL.name)
        assert not await is_moved(process.ports, target)
        await move_all(process, target)
        assert await is_moved(process.ports, target)
        assert await found(after_move(process, target), "tomatoes") == [TOMATOES]

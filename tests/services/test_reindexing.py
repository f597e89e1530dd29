"""From one embedding model to another: the old is searched until the new one is whole."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from dome_mcp.backends.embedded.next_vectors import SqliteNextVectors
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import SqliteVectors, WatchedDatabase
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.model import IndexState, NoteChanges
from dome_mcp.core.ports import Ports, Row, Statement, Vector
from dome_mcp.services.indexing import index_step, semantics
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.notes import delete_note
from dome_mcp.services.reindexing import (
    NextModel,
    adopt_model,
    begin_move,
    end_move,
    finish_move,
    move_step,
)
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store import meta
from dome_mcp.store.notes import eligible_notes
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document

pytestmark = pytest.mark.anyio

HERE = "embedded"
OTHER_USER = "zelda"


def next_model(ports: Ports, name: str = "other/1", *, dimensions: int = 32) -> NextModel:
    embedder = WordEmbedder(model=name, dimensions=dimensions)
    vectors = SqliteNextVectors(ports.database, model=name, dimensions=dimensions)
    return NextModel(embedder, vectors, name.upper())


def after_move(ports: Ports, target: NextModel) -> Ports:
    vectors = SqliteVectors(
        cast("WatchedDatabase", ports.database),
        model=target.model,
        dimensions=target.embedder.dimensions,
        eligible=eligible_notes,
    )
    return replace(ports, embedder=target.embedder, vectors=vectors)


async def store(ports: Ports) -> None:
    """Notes of two users, long and short, all with vectors of the present model."""
    for user_id in (USER, OTHER_USER):
        made = draft_note(long_document(3), Labels(), user_id=user_id, now=NOW)
        await ingest(made, ports, user_id=user_id, now=NOW)
        texts = [f"{user_id} paints it red", f"{user_id} grows tomatoes"]
        await ingest_many(
            [draft(text, user_id=user_id) for text in texts], ports, user_id=user_id, now=NOW
        )
        await index_step(ports, user_id=user_id, holder="a", now=NOW)


async def move_all(ports: Ports, target: NextModel) -> None:
    """What `reindex --to` does: all of it, or what an earlier one left."""
    if await meta.fact(ports.database, meta.EMBEDDING_MODEL) != target.model:
        await begin_move(ports, target)
        after = 0
        while (step := await move_step(ports, target, after=after)).done:
            after = step.after
        assert await finish_move(ports, target)
    await end_move(ports, target)


async def found(ports: Ports, query: str, *, user_id: str = USER) -> list[str]:
    result = await search(SearchRequest(query, mode="semantic", limit=1), ports, user_id=user_id)
    return [passage.text for passage in result.passages]


async def rows(ports: Ports, sql: str) -> list[Row]:
    return list(await ports.database.query(Statement(sql)))


async def embedded_with(ports: Ports) -> set[object]:
    return {row["model"] for row in await rows(ports, "SELECT embedded_with AS model FROM chunks")}


async def test_the_old_model_is_searched_until_the_new_one_has_every_vector(ports: Ports) -> None:
    await store(ports)
    target = next_model(ports)
    count = await begin_move(ports, target)
    assert (await move_step(ports, target, after=0)).done == count
    assert await found(ports, "tomatoes") == [f"{USER} grows tomatoes"]
    assert await embedded_with(ports) == {"words/1"}

    assert await finish_move(ports, target)
    assert await embedded_with(ports) == {"other/1"}
    moved = after_move(ports, target)
    for user_id in (USER, OTHER_USER):
        assert (await semantics(moved, user_id=user_id)).state == IndexState()
        assert await found(moved, "tomatoes", user_id=user_id) == [f"{user_id} grows tomatoes"]
    assert "other/1" in ((await semantics(ports, user_id=USER)).problem or "")


async def test_the_database_remembers_the_model_its_shape_and_the_setting_that_names_it(
    ports: Ports,
) -> None:
    await store(ports)
    await move_all(ports, next_model(ports))
    facts = {
        name: await meta.fact(ports.database, name)
        for name in (meta.EMBEDDING_MODEL, meta.EMBEDDING_SHAPE, meta.EMBEDDING_NAME)
    }
    assert list(facts.values()) == ["other/1", "32", "OTHER/1"]


async def test_nothing_of_the_move_stays(ports: Ports) -> None:
    sql = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    await store(ports)
    before = await rows(ports, sql)
    await move_all(ports, next_model(ports))
    assert await rows(ports, sql) == before


async def test_a_note_that_changes_meanwhile_is_embedded_as_it_is_now(ports: Ports) -> None:
    await store(ports)
    target = next_model(ports)
    await begin_move(ports, target)
    await move_step(ports, target, after=0)
    note = (await ingest(draft("the fence"), ports, user_id=USER, now=NOW)).note
    step = await move_step(ports, target, after=0)
    assert step.done == 1
    await update_note(note.note_id, NoteChanges(title="Gate"), ports, user_id=USER, now=later(1))
    assert (await move_step(ports, target, after=0)).done == 1
    embedder = target.embedder
    assert isinstance(embedder, WordEmbedder)
    assert "Gate" in embedder.embedded[-1]


async def test_a_note_that_changes_while_it_is_embedded_is_embedded_again(ports: Ports) -> None:
    note = (await ingest(draft("the fence"), ports, user_id=USER, now=NOW)).note
    target = next_model(ports)

    class Meanwhile(WordEmbedder):
        async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
            if not self.embedded:
                changes = NoteChanges(title="Gate")
                await update_note(note.note_id, changes, ports, user_id=USER, now=later(1))
            return await super().embed_passages(texts)

    target = replace(target, embedder=Meanwhile(model="other/1", dimensions=32))
    await begin_move(ports, target)
    await move_step(ports, target, after=0)
    assert (await move_step(ports, target, after=0)).done == 1
    assert (await move_step(ports, target, after=0)).done == 0


async def test_what_comes_in_behind_the_last_step_waits_for_its_vector(ports: Ports) -> None:
    await store(ports)
    target = next_model(ports)
    await begin_move(ports, target)
    await move_step(ports, target, after=0)
    await ingest(draft("a late note"), ports, user_id=USER, now=NOW)
    assert await finish_move(ports, target)
    moved = after_move(ports, target)
    assert (await semantics(moved, user_id=USER)).state.pending_chunks == 1
    await index_step(moved, user_id=USER, holder="b", now=NOW)
    assert await found(moved, "late") == ["a late note"]


async def test_chunks_that_wait_already_are_left_to_the_new_model(ports: Ports) -> None:
    await ingest_many([draft("not embedded yet")], ports, user_id=USER, now=NOW)
    target = next_model(ports)
    assert await begin_move(ports, target) == 0
    await move_all(ports, target)
    moved = after_move(ports, target)
    assert (await semantics(moved, user_id=USER)).state.pending_chunks == 1


async def test_a_note_that_is_deleted_meanwhile_leaves_no_vector(ports: Ports) -> None:
    note = (await ingest(draft("the fence"), ports, user_id=USER, now=NOW)).note
    target = next_model(ports)
    await begin_move(ports, target)
    await move_step(ports, target, after=0)
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    await finish_move(ports, target)
    await end_move(ports, target)
    assert await rows(ports, "SELECT vector_key FROM vectors") == []


async def test_a_chunk_that_the_new_model_refuses_is_found_by_keyword(ports: Ports) -> None:
    await store(ports)
    target = next_model(ports)
    embedder = target.embedder
    assert isinstance(embedder, WordEmbedder)
    embedder.refused = "tomatoes"
    await move_all(ports, target)
    assert await embedded_with(ports) == {"other/1", ""}
    result = await search(SearchRequest("tomatoes", mode="keyword"), ports, user_id=USER)
    assert len(result.passages) == 1


async def test_two_moves_at_once_never_mix_their_vectors(ports: Ports) -> None:
    await store(ports)
    one, other = next_model(ports, "one/1"), next_model(ports, "two/1", dimensions=16)
    await begin_move(ports, one)
    await begin_move(ports, other)
    await move_step(ports, one, after=0)
    await move_step(ports, other, after=0)
    assert await finish_move(ports, other)
    assert await embedded_with(ports) == {"two/1"}
    lengths = await rows(ports, "SELECT DISTINCT length(embedding) AS bytes FROM vectors")
    assert [row["bytes"] for row in lengths] == [32]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_at_any_port_call_leaves_one_model_whole_and_is_made_good_by_the_next(
    moment: Moment, tmp_path: Path
) -> None:
    calls = 1
    call = 0
    while call < calls:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, tmp_path / f"{moment}{call}", WordEmbedder())
            await store(ports)
            if call == 0:
                fuse = Fuse()
                await move_all(with_fuse(ports, fuse), next_model(with_fuse(ports, fuse)))
                calls = fuse.calls
                assert calls > 5
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, tmp_path / f"{moment}{call}x", WordEmbedder())
            await store(ports)
            cut_off = with_fuse(ports, Fuse(call, moment))
            with pytest.raises(Crash):
                await move_all(cut_off, next_model(cut_off))
            target = next_model(ports)
            moved = after_move(ports, target)
            is_over = await meta.fact(database, meta.EMBEDDING_MODEL) == target.model
            present = moved if is_over else ports
            assert await found(present, "tomatoes") == [f"{USER} grows tomatoes"]
            await move_all(ports, target)
            assert await embedded_with(ports) == {target.model}
            assert await found(moved, "tomatoes") == [f"{USER} grows tomatoes"]
            assert (await semantics(moved, user_id=USER)).state == IndexState()
        call += 1


async def test_a_move_that_was_cut_off_goes_on_where_it_was(ports: Ports) -> None:
    await store(ports)
    first = next_model(ports)
    count = await begin_move(ports, first)
    small = WordEmbedder(model="other/1", dimensions=32, max_batch=3)
    await move_step(ports, replace(first, embedder=small), after=0)
    again = next_model(ports)
    assert await begin_move(ports, again) == count - 3
    await move_all(ports, again)
    assert isinstance(again.embedder, WordEmbedder)
    assert len(again.embedder.embedded) == count - 3


async def test_a_model_that_is_adopted_at_once_has_all_to_embed(
    ports: Ports, embedder: WordEmbedder
) -> None:
    await store(ports)
    embedder.model = "other/1"
    await adopt_model(ports, place=HERE)
    state = await semantics(ports, user_id=USER)
    assert (state.problem, state.state.pending_chunks) == (None, 5)
    assert await rows(ports, "SELECT vector_key FROM vectors") == []


async def test_adopting_the_present_model_again_changes_nothing(ports: Ports) -> None:
    await store(ports)
    await adopt_model(ports, place=HERE)
    assert await embedded_with(ports) == {"words/1"}


async def test_vectors_of_another_shape_are_not_adopted(
    ports: Ports, embedder: WordEmbedder
) -> None:
    await store(ports)
    await adopt_model(ports, place=HERE)
    embedder.dimensions = 16
    assert "64" in ((await semantics(ports, user_id=USER)).problem or "")
    await adopt_model(ports, place=HERE)
    assert await embedded_with(ports) == {None}
    assert (await semantics(ports, user_id=USER)).problem is None


async def test_vectors_in_another_place_are_not_adopted(ports: Ports) -> None:
    await store(ports)
    await adopt_model(ports, place=HERE)
    await adopt_model(ports, place="vectorize/dome")
    assert await embedded_with(ports) == {None}
    assert await meta.fact(ports.database, meta.VECTOR_PLACE) == "vectorize/dome"

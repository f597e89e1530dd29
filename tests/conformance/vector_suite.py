"""What every `VectorIndex` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixtures `database`, with
the tables of store/schema.py, and `index`, an empty index in it for vectors of DIMENSIONS. Notes
and chunks are written around the index, straight into the tables.
"""

import math
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Database, Statement, VectorEntry, VectorIndex
from dome_mcp.core.timestamps import to_ms

pytestmark = pytest.mark.anyio

DIMENSIONS = 8
USER = "ada"
EVERYTHING = NoteFilter()
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

_NOTE = """
INSERT INTO notes (note_id, user_id, title, context, content_type, content_hash, characters,
  created_at_ms, updated_at_ms, revision)
VALUES (?1, ?2, '', ?3, 'text/plain', ?1, 0, ?4, ?4, 1)"""

_CHUNK = """
INSERT INTO chunks (chunk_id, note_key, user_id, ordinal, start_offset, end_offset, text,
  content_hash)
SELECT ?1, note_key, user_id, 0, 0, 0, '', '' FROM notes WHERE note_id = ?2"""

_TAG = """
INSERT INTO note_tags (user_id, name, note_key)
SELECT user_id, ?2, note_key FROM notes WHERE note_id = ?1"""


def toward(degrees: float) -> "array[float]":
    """A unit vector at that angle from the first axis, in the plane of the first two."""
    radians = math.radians(degrees)
    return array("f", [math.cos(radians), math.sin(radians)] + [0.0] * (DIMENSIONS - 2))


def note(
    name: str,
    *,
    user_id: str = USER,
    context: str = "",
    tags: Sequence[str] = (),
    created_at: datetime = NEW_YEAR,
) -> list[Statement]:
    """A note and its only chunk, both of that id."""
    return [
        Statement(_NOTE, (name, user_id, context, to_ms(created_at))),
        Statement(_CHUNK, (name, name)),
        *(Statement(_TAG, (name, tag)) for tag in tags),
    ]


async def found(
    index: VectorIndex,
    degrees: float,
    *,
    user_id: str = USER,
    limit: int = 10,
    among: NoteFilter = EVERYTHING,
) -> list[str]:
    matches = await index.search(user_id, toward(degrees), limit=limit, among=among)
    return [match.chunk_id for match in matches]


async def store(database: Database, index: VectorIndex, **angles: float) -> None:
    """Notes by name, each with its vector, in one batch."""
    entries = [VectorEntry(name, toward(degrees)) for name, degrees in angles.items()]
    notes = [statement for name in angles for statement in note(name)]
    await database.batch([*notes, *index.stage(entries)])


async def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert await found(index, 0) == []


async def test_staged_vectors_are_found_best_first_with_their_cosine(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, far=80, near=10, opposite=180, exact=0)
    matches = await index.search(USER, toward(0), limit=10, among=EVERYTHING)
    assert [match.chunk_id for match in matches] == ["exact", "near", "far", "opposite"]
    expected = [1.0, math.cos(math.radians(10)), math.cos(math.radians(80)), -1.0]
    assert [match.score for match in matches] == pytest.approx(expected, abs=2e-3)


async def test_a_search_gives_at_most_its_limit(database: Database, index: VectorIndex) -> None:
    await store(database, index, **{f"c{angle}": angle for angle in range(30)})
    assert await found(index, 0, limit=3) == ["c0", "c1", "c2"]
    assert len(await found(index, 0, limit=100)) == 30


async def test_a_vector_written_after_a_search_is_found_by_the_next(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, first=0)
    assert await found(index, 0) == ["first"]
    await store(database, index, second=1)
    assert await found(index, 0) == ["first", "second"]


async def test_staging_an_id_again_replaces_its_vector(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, moves=0, stays=45)
    assert await found(index, 0) == ["moves", "stays"]
    await database.batch(index.stage([VectorEntry("moves", toward(90))]))
    matches = await index.search(USER, toward(90), limit=10, among=EVERYTHING)
    assert [match.chunk_id for match in matches] == ["moves", "stays"]
    assert matches[0].score == pytest.approx(1.0, abs=2e-3)


async def test_of_two_entries_of_one_id_the_last_counts(
    database: Database, index: VectorIndex
) -> None:
    entries = [VectorEntry("twice", toward(90)), VectorEntry("twice", toward(0))]
    await database.batch([*note("twice"), *index.stage(entries)])
    matches = await index.search(USER, toward(0), limit=10, among=EVERYTHING)
    assert [(match.chunk_id, round(match.score, 2)) for match in matches] == [("twice", 1.0)]


async def test_an_unstaged_vector_is_not_found(database: Database, index: VectorIndex) -> None:
    await store(database, index, goes=0, stays=1)
    assert await found(index, 0) == ["goes", "stays"]
    await database.batch(index.unstage(["goes"]))
    assert await found(index, 0) == ["stays"]


async def test_unstaging_what_is_not_there_is_no_error(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, stays=0)
    await database.batch(index.unstage(["never", "'; DROP TABLE vectors; --"]))
    await database.batch(index.unstage([]))
    assert await found(index, 0) == ["stays"]


async def test_a_vector_without_a_chunk_is_not_kept(database: Database, index: VectorIndex) -> None:
    await database.batch(index.stage([VectorEntry("late", toward(0))]))
    await database.batch(note("late"))
    assert await found(index, 0) == []


async def test_staging_nothing_changes_nothing(database: Database, index: VectorIndex) -> None:
    await store(database, index, stays=0)
    await database.batch(index.stage([]))
    assert await found(index, 0) == ["stays"]


async def test_a_batch_that_fails_leaves_no_vector(database: Database, index: VectorIndex) -> None:
    await store(database, index, there=0)
    entry = VectorEntry("new", toward(0))
    with pytest.raises(BackendRejected):
        await database.batch([*note("new"), *index.stage([entry]), Statement("not even SQL")])
    assert await found(index, 0) == ["there"]


async def test_a_user_finds_only_their_own_chunks(database: Database, index: VectorIndex) -> None:
    entries = [VectorEntry(name, toward(0)) for name in ("hers", "his")]
    await database.batch(
        [*note("hers"), *note("his", user_id="bob"), *index.stage(entries)],
    )
    assert await found(index, 0) == ["hers"]
    assert await found(index, 0, user_id="bob") == ["his"]
    assert await found(index, 0, user_id="nobody") == []


async def test_a_filter_finds_the_nearest_of_its_notes_only(
    database: Database, index: VectorIndex
) -> None:
    entries = [VectorEntry(name, toward(angle)) for angle, name in enumerate(("a", "b", "c", "d"))]
    await database.batch(
        [
            *note("a"),
            *note("b", tags=["red", "round"], created_at=datetime(2026, 2, 1, tzinfo=UTC)),
            *note("c", tags=["red"], context="garden"),
            *note("d", tags=["round"], created_at=datetime(2026, 3, 1, tzinfo=UTC)),
            *index.stage(entries),
        ]
    )
    february = datetime(2026, 2, 1, tzinfo=UTC)
    march = datetime(2026, 3, 1, tzinfo=UTC)
    expected = {
        NoteFilter(tags=("red",)): ["b", "c"],
        NoteFilter(tags=("red", "round")): ["b"],
        NoteFilter(context="garden"): ["c"],
        NoteFilter(note_ids=("d", "a")): ["a", "d"],
        NoteFilter(since=february): ["b", "d"],
        NoteFilter(since=february, until=march): ["b"],
        NoteFilter(tags=("blue",)): [],
    }
    for among, names in expected.items():
        assert await found(index, 0, among=among) == names, among


async def test_a_filter_reaches_past_any_number_of_nearer_notes(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, **{f"near{number}": 0 for number in range(300)})
    await database.batch(
        [*note("far", tags=["rare"]), *index.stage([VectorEntry("far", toward(170))])]
    )
    assert await found(index, 0, among=NoteFilter(tags=("rare",))) == ["far"]


async def test_settling_can_be_repeated_and_leaves_nothing_in_the_end(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, there=0, goes=1)
    await database.batch(index.unstage(["goes"]))
    left = [await index.settle() for _ in range(4)]
    assert left[-2:] == [0, 0]
    assert await found(index, 0) == ["there"]


async def test_what_changes_after_settling_is_found_as_it_is(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, moves=0, goes=10, stays=45)
    await index.settle()
    await index.settle()
    await database.batch([*index.stage([VectorEntry("moves", toward(90))])])
    await database.batch(index.unstage(["goes"]))
    assert await found(index, 90) == ["moves", "stays"]
    await index.settle()
    assert await found(index, 90) == ["moves", "stays"]


async def test_a_lookup_is_completed_by_a_batch_of_the_caller(
    database: Database, index: VectorIndex
) -> None:
    await store(database, index, far=80, near=10)
    lookup = await index.look_up(USER, toward(0), limit=10, among=EVERYTHING)
    rows = (await database.batch([lookup.statement]))[0] if lookup.statement else ()
    matches = await lookup.matches(rows)
    assert [match.chunk_id for match in matches] == ["near", "far"]
    assert list(matches) == list(await index.search(USER, toward(0), limit=10, among=EVERYTHING))


async def test_an_index_names_its_model(index: VectorIndex) -> None:
    assert index.model == "test-model/fp32"

"""What moves from one DOME to another arrives as it was, whenever the move was cut off."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.services.ingest import ingest, ingest_many
from dome_mcp.services.moving import FILES, NOTES, Sides, move_user
from dome_mcp.services.moving_check import verify_user
from dome_mcp.services.notes import delete_note, get_note, list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.store import meta
from tests.services import agenda_for_tests as agenda
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.services.moving_for_tests import (
    LONG_TEXT,
    content,
    contradictions,
    reader,
    stock,
    world,
)
from tests.services.notes_for_tests import NOW, USER, draft, later

pytestmark = pytest.mark.anyio


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[Ports]:
    async with world(tmp_path / "source") as opened:
        await stock(opened)
        yield opened


async def move(source: Ports, target: Ports) -> dict[str, tuple[int, int]]:
    moves = await move_user(Sides(source, target, USER, reader(source), notes_at_once=2))
    return {kind: (each.moved, each.unchanged) for kind, each in moves.items()}


async def test_everything_a_user_has_arrives_as_it_was(source: Ports, ports: Ports) -> None:
    """On a target that binds numbers as they are, as REAL, and as text."""
    before = await content(source)
    moved = await move(source, ports)
    assert moved[NOTES] == (4, 0)
    assert moved[FILES] == (2, 0)
    assert await content(ports) == before == await content(source)
    assert await contradictions(ports) == []


async def test_what_was_moved_is_found_by_words_and_by_meaning(source: Ports, ports: Ports) -> None:
    await move(source, ports)
    for mode in ("keyword", "semantic"):
        found = await search(SearchRequest("red paint", mode=mode), ports, user_id=USER)
        assert found.passages[0].text == "Paint it red."
    sushi = await search(SearchRequest("寿司", mode="keyword"), ports, user_id=USER)
    assert [passage.title for passage in sushi.passages] == ['He said: "no"']


async def test_a_second_move_changes_nothing(source: Ports, ports: Ports) -> None:
    await move(source, ports)
    after = await content(ports)
    moved = await move(source, ports)
    assert moved[NOTES] == (0, 4)
    assert all(count == 0 for count, _ in moved.values())
    assert await content(ports) == after


async def test_vectors_of_another_model_are_left_to_be_made_anew(
    source: Ports, tmp_path: Path
) -> None:
    async with world(tmp_path / "target") as ports:
        target = replace(ports, vectors=_OtherModel(ports))
        await move_user(Sides(source, target, USER, reader(source)))
        rows = (await content(ports))["chunks"]
    assert {row["embedded_with"] for row in rows} == {None}


class _OtherModel:
    """An index of a model that no vector of the source is of."""

    model = "another/1"

    def __init__(self, ports: Ports) -> None:
        assert ports.vectors is not None
        self.unstaged: list[str] = []
        self._inner = ports.vectors
        self.stage = ports.vectors.stage
        self.settle = ports.vectors.settle

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        self.unstaged += chunk_ids
        return self._inner.unstage(chunk_ids)


async def test_the_newer_of_two_states_stays(source: Ports, ports: Ports) -> None:
    await move(source, ports)
    edited, kept, *_ = await _ids(source)
    changes = NoteChanges(title="Newer here", tags=("x",))
    await update_note(edited, changes, source, user_id=USER, now=later(60))
    await update_note(kept, NoteChanges(title="Newer there"), ports, user_id=USER, now=later(60))
    moves = await move_user(Sides(source, ports, USER, reader(source)))
    assert (moves[NOTES].moved, moves[NOTES].kept) == (1, 1)
    note = await get_note(edited, ports, user_id=USER)
    assert (note.title, note.tags) == ("Newer here", ("x",))
    assert (await get_note(kept, ports, user_id=USER)).title == "Newer there"
    assert await contradictions(ports) == []
    assert (await verify_user(Sides(source, ports, USER))).is_equal


async def test_what_only_the_target_has_stays_and_what_it_deleted_stays_deleted(
    source: Ports, ports: Ports
) -> None:
    await move(source, ports)
    await ingest(draft("Only there."), ports, user_id=USER, now=NOW)
    gone, *_ = await _ids(source)
    await delete_note(gone, ports, user_id=USER, now=later(60))
    moves = await move_user(Sides(source, ports, USER, reader(source)))
    assert moves[NOTES].kept == 1
    assert gone not in await _ids(ports)
    assert len(await _ids(ports)) == 4


async def test_a_text_that_the_target_has_under_another_id_is_not_there_twice(
    source: Ports, ports: Ports
) -> None:
    await ingest(draft(LONG_TEXT, now=later(9)), ports, user_id=USER, now=later(9))
    moves = await move_user(Sides(source, ports, USER, reader(source)))
    assert (moves[NOTES].moved, moves[NOTES].twins) == (3, 1)
    assert len(await _ids(ports)) == 4
    assert (await verify_user(Sides(source, ports, USER))).is_equal


async def test_an_acknowledged_firing_stays_acknowledged_on_both_sides(
    source: Ports, ports: Ports
) -> None:
    await move(source, ports)
    open_ones = [row for row in (await content(source))["firings"] if not row["acknowledged_at_ms"]]
    assert open_ones
    reminder_id = str(open_ones[0]["reminder_id"])
    await agenda.act(ports, reminder_id, "acknowledge", now=agenda.later(hours=26))
    await move(source, ports)
    rows = (await content(ports))["firings"]
    assert all(row["acknowledged_at_ms"] for row in rows if row["reminder_id"] == reminder_id)


async def test_a_notice_that_went_out_on_the_target_is_not_to_go_out_again(
    source: Ports, ports: Ports
) -> None:
    await move(source, ports)
    sent = "UPDATE deliveries SET state = 'SENT', settled_at_ms = 7, receipt = 'ok'"
    await ports.database.query(Statement(sent))
    await move(source, ports)
    rows = (await content(ports))["deliveries"]
    assert rows
    assert {(row["state"], row["receipt"]) for row in rows} == {("SENT", "ok")}
    assert (await verify_user(Sides(source, ports, USER))).is_equal


async def test_the_tags_of_a_task_that_changed_are_those_it_has_now(
    source: Ports, ports: Ports
) -> None:
    await move(source, ports)
    tagged = (await content(source))["task_tags"]
    assert {row["name"] for row in tagged} == {"a", "b"}
    (key,) = {str(row["task_id"]) for row in (await content(source))["tasks"] if row["rule"]}
    await agenda.change_task(source, key, tags=("c",), now=agenda.later(hours=30))
    await move(source, ports)
    assert {row["name"] for row in (await content(ports))["task_tags"]} == {"c"}


async def test_a_task_id_that_another_user_has_is_left_to_them(source: Ports, ports: Ports) -> None:
    await move(source, ports)
    theirs = "UPDATE tasks SET user_id = 'you', description = 'Theirs', updated_at_ms = 0"
    await ports.database.query(Statement(theirs))
    await move(source, ports)
    rows = (await content(ports))["tasks"]
    assert {(row["user_id"], row["description"]) for row in rows} == {("you", "Theirs")}
    assert list((await verify_user(Sides(source, ports, USER))).differing) == ["tasks"]


async def test_the_vectors_of_a_note_that_is_replaced_are_taken_out_first(
    source: Ports, ports: Ports
) -> None:
    await move(source, ports)
    edited, *_ = await _ids(source)
    await update_note(edited, NoteChanges(title="Newer"), source, user_id=USER, now=later(60))
    index = _OtherModel(ports)
    await move(source, replace(ports, vectors=index))
    rows = (await content(source))["chunks"]
    assert index.unstaged == [
        row["chunk_id"] for row in rows if str(row["chunk_id"]).startswith(edited)
    ]


async def test_the_model_of_the_vectors_that_came_along_is_written_down(
    source: Ports, ports: Ports
) -> None:
    assert await meta.fact(ports.database, meta.EMBEDDING_MODEL) is None
    await move(source, ports)
    assert await meta.fact(ports.database, meta.EMBEDDING_MODEL) == reader(source).model


async def test_another_users_data_is_neither_moved_nor_overwritten(
    source: Ports, ports: Ports
) -> None:
    await ingest(draft("Mine", user_id="you"), source, user_id="you", now=NOW)
    await move(source, ports)
    assert await _ids(ports, user_id="you") == []
    (taken, *_) = await _ids(source)
    key = "SELECT note_key FROM notes WHERE note_id = ?1"
    for table in ("chunks", "note_tags", "notes"):
        sql = f"UPDATE {table} SET user_id = 'you' WHERE note_key = ({key})"  # noqa: S608  names of this test
        await ports.database.query(Statement(sql, (taken,)))
    verdict = await verify_user(Sides(source, ports, USER))
    assert verdict.differing == {NOTES: [taken]}
    await move(source, ports)
    assert (await get_note(taken, ports, user_id="you")).user_id == "you"
    assert (await verify_user(Sides(source, ports, USER))).differing == {NOTES: [taken]}


DAMAGE: dict[str, tuple[str, str]] = {
    "a text": ("UPDATE notes SET body = 'other' WHERE body = 'Paint it red.'", "notes"),
    "a tag": ("DELETE FROM note_tags WHERE name = 'paint'", "notes"),
    "a chunk": ("UPDATE chunks SET end_offset = end_offset + 1", "notes"),
    "a task": ("UPDATE tasks SET updated_at_ms = 0", "tasks"),
    "a reminder": ("DELETE FROM reminders", "reminders"),
    "a firing": ("DELETE FROM firings", "firings"),
    "a delivery": ("DELETE FROM deliveries", "deliveries"),
    "a channel": ("UPDATE channels SET address = ''", "channels"),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_what_did_not_arrive_is_named(source: Ports, tmp_path: Path, name: str) -> None:
    sql, kind = DAMAGE[name]
    async with world(tmp_path / "target") as ports:
        await move(source, ports)
        assert (await verify_user(Sides(source, ports, USER))).is_equal
        await ports.database.query(Statement(sql))
        verdict = await verify_user(Sides(source, ports, USER))
    assert list(verdict.differing) == [kind]


async def test_a_missing_file_is_named(source: Ports, ports: Ports) -> None:
    await move(source, ports)
    key = (await ports.blobs.keys())[0]
    await ports.blobs.delete(key)
    assert (await verify_user(Sides(source, ports, USER))).differing == {FILES: [key]}


async def test_a_file_that_the_source_lost_or_damaged_is_told_and_stops_nothing(
    source: Ports, ports: Ports
) -> None:
    lost, damaged = await source.blobs.keys()
    await source.blobs.delete(lost)
    await source.blobs.put(damaged, b"other bytes")
    moves = await move_user(Sides(source, ports, USER, reader(source)))
    assert sorted(moves[FILES].lost) == [lost, damaged]
    assert moves[NOTES].moved == 4
    assert await ports.blobs.keys() == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_move_that_died_anywhere_and_goes_on_ends_as_one_that_did_not(
    source: Ports, tmp_path: Path, moment: Moment, side: str
) -> None:
    async with world(tmp_path / "whole") as whole:
        fuse = Fuse()
        await _fused(side, fuse)(source, whole)
        expected = await content(whole)
    assert fuse.calls > 10
    for call in range(fuse.calls):
        async with world(tmp_path / f"{call}") as target:
            with pytest.raises(Crash):
                await _fused(side, Fuse(call, moment))(source, target)
            assert await contradictions(target) == []
            await move(source, target)
            assert await content(target) == expected, f"cut off {moment} call {call}"
            assert await contradictions(target) == []
            assert (await verify_user(Sides(source, target, USER))).is_equal


def _fused(side: str, fuse: Fuse) -> Callable[[Ports, Ports], Awaitable[None]]:
    async def run(source: Ports, target: Ports) -> None:
        if side == "source":
            await move(with_fuse(source, fuse), target)
        else:
            await move(source, with_fuse(target, fuse))

    return run


async def test_a_note_stored_meanwhile_under_another_id_stops_nothing(
    source: Ports, ports: Ports
) -> None:
    rival = _Rival(ports)
    moves = await move_user(Sides(source, rival.ports, USER, notes_at_once=4))
    assert rival.has_struck
    assert moves[NOTES].moved == 3
    assert (await verify_user(Sides(source, ports, USER))).is_equal


class _Rival:
    """Stores a text of the source on the target just before the first note is written there."""

    def __init__(self, ports: Ports) -> None:
        self.has_struck = False
        self._inner = ports
        self.ports = replace(ports, database=self)

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self._inner.database.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        if not self.has_struck and any("INSERT INTO notes" in each.sql for each in statements):
            self.has_struck = True
            await ingest(draft(LONG_TEXT, now=later(9)), self._inner, user_id=USER, now=later(9))
        return await self._inner.database.batch(statements)


async def test_a_refusal_that_has_another_reason_is_told(source: Ports, ports: Ports) -> None:
    await ports.database.query(Statement("DROP TABLE note_tags"))
    with pytest.raises(BackendRejected):
        await move(source, ports)


async def test_ten_thousand_notes_take_fewer_than_two_hundred_requests(tmp_path: Path) -> None:
    async with world(tmp_path / "source") as source, world(tmp_path / "target") as target:
        for start in range(0, 10_000, 1_000):
            drafts = [
                draft(f"Item {number}. " + "It is about the house. " * 40)
                for number in range(start, start + 1_000)
            ]
            await ingest_many(drafts, replace(source, vectors=None), user_id=USER, now=NOW)
        requests = Fuse()
        sides = Sides(source, with_fuse(target, requests), USER)
        moves = await move_user(sides)
        verdict = await verify_user(sides)
    assert moves[NOTES].moved == 10_000
    assert verdict.is_equal
    assert requests.calls < 200


async def _ids(ports: Ports, *, user_id: str = USER) -> list[str]:
    page = await list_notes(NoteFilter(), ports, user_id=user_id, limit=100)
    return sorted(note.note_id for note in page.notes)

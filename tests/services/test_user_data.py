"""A user is deleted with everything they have, whatever comes in between, and nobody else is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import NotFound
from dome_mcp.core.identifiers import user_prefix
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.access import authenticate
from dome_mcp.services.ingest import ingest
from dome_mcp.services.integrity import examine
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.services.user_data import Deletion, delete_user, user_data_counts
from dome_mcp.services.users import add_user, list_users
from dome_mcp.store.user_data import COUNTED_TABLES, NOBODY_ANY_MORE
from tests.services.conftest import WordEmbedder, make_ports
from tests.services.crashing import Crash, Fuse, Moment, with_fuse
from tests.services.intrusion import intruding
from tests.services.notes_for_tests import NOW, draft, later, long_document
from tests.services.users_for_tests import (
    Uploads,
    all_tables,
    fill,
    rows_of,
    tables_of_users,
    token_of,
)

pytestmark = pytest.mark.anyio

GOING = "zelda"
STAYING = "mario"
TELLING = ("zelda", "xylophon")
"""What stands in much of what the user who goes has, a stem in the full-text index, and in nothing
of anybody else."""


async def delete(ports: Ports, uploads: Uploads) -> Deletion:
    return await delete_user(ports, user_id=GOING, now=later(120), drop_upload=uploads.drop)


async def traces(ports: Ports) -> list[str]:
    """The tables, those behind the full-text index included, in which a telling word stands."""
    found: list[str] = []
    for table in await all_tables(ports):
        for row in await ports.database.query(Statement(f"SELECT * FROM {table}")):  # noqa: S608  names of the schema
            held = b" ".join(
                value if isinstance(value, bytes) else str(value).encode() for value in row.values()
            )
            found += [table for word in TELLING if word.encode() in held]
    return found


async def test_every_table_has_something_of_the_user_beforehand(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    assert {name for name, rows in (await rows_of(ports, GOING)).items() if not rows} == set()
    links = await ports.database.query(Statement("SELECT * FROM used_links"))
    leases = await ports.database.query(Statement("SELECT name FROM leases"))
    assert (len(links), [row["name"] for row in leases]) == (1, [f"index:{GOING}"])
    assert {"chunks", "chunks_fts_data", "leases", "users", "audit"} <= set(await traces(ports))


async def test_after_a_deletion_nothing_of_the_user_is_left_anywhere(ports: Ports) -> None:
    uploads = Uploads()
    await fill(ports, GOING, word="xylophone", uploads=uploads)
    blob_keys = await ports.blobs.keys(user_prefix(GOING))
    assert uploads.ids
    assert len(blob_keys) == 2
    deletion = await delete(ports, uploads)
    assert deletion.is_complete
    assert deletion.had["notes"] == 3
    assert deletion.had["blobs"] == 2
    assert {name for name, rows in (await rows_of(ports, GOING)).items() if rows} == set()
    for table in ("used_links", "leases", "chunks_fts", "vectors"):
        assert not await ports.database.query(Statement(f"SELECT * FROM {table}"))  # noqa: S608  names of this line
    assert await traces(ports) == []
    assert await ports.blobs.keys() == []
    assert uploads.ids == set()
    assert await list_users(ports, now=later(121)) == ()


async def test_the_tables_that_are_counted_are_all_there_are(ports: Ports) -> None:
    # vectors go with their chunks, and the row of users is what ends the deletion.
    assert {*COUNTED_TABLES, "vectors", "users"} == set(await tables_of_users(ports))


async def test_what_others_have_is_not_touched(ports: Ports) -> None:
    uploads = Uploads()
    await fill(ports, STAYING, word="accordion", uploads=uploads)
    before, kept = await rows_of(ports, STAYING), set(uploads.ids)
    blobs = await ports.blobs.keys(user_prefix(STAYING))
    await fill(ports, GOING, word="xylophone", uploads=uploads)
    found = await search(SearchRequest("accordion"), ports, user_id=STAYING)
    await delete(ports, uploads)
    assert await rows_of(ports, STAYING) == before
    assert await ports.blobs.keys() == blobs
    assert uploads.ids == kept
    assert await traces(ports) == []
    again = await search(SearchRequest("accordion"), ports, user_id=STAYING)
    assert [each.chunk_id for each in again.passages] == [each.chunk_id for each in found.passages]
    links = await ports.database.query(Statement("SELECT * FROM used_links"))
    leases = await ports.database.query(Statement("SELECT name FROM leases"))
    assert (len(links), [row["name"] for row in leases]) == (1, [f"index:{STAYING}"])
    assert await authenticate(token_of(STAYING), ports, now=later(121))
    damage = await examine(ports)
    assert damage.is_sound


async def test_no_word_of_the_user_stays_in_the_index_of_those_who_have_much_more(
    ports: Ports,
) -> None:
    # Where little is deleted of much, the full-text index only marks it as deleted.
    much = draft_note(long_document(300), Labels(), user_id=STAYING, now=NOW)
    await ingest(much, ports, user_id=STAYING, now=NOW)
    await ingest(draft("A xylophone.", user_id=GOING), ports, user_id=GOING, now=NOW)
    assert "chunks_fts_data" in await traces(ports)
    await delete(ports, Uploads())
    assert await traces(ports) == []


async def test_what_was_done_stays_in_the_log_as_nobodys(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    await delete(ports, Uploads())
    rows = await ports.database.query(Statement("SELECT * FROM audit"))
    kept = [(row["user_id"], row["action"], row["outcome"]) for row in rows]
    assert kept == [(NOBODY_ANY_MORE, "GET /api", "ok")] * 2
    assert {row[name] for row in rows for name in ("credential", "source", "target")} == {""}


async def test_a_user_who_is_not_there_cannot_be_deleted(ports: Ports) -> None:
    with pytest.raises(NotFound):
        await delete(ports, Uploads())
    assert await list_users(ports, now=NOW) == ()


async def test_an_owner_who_was_never_added_can_be_deleted(ports: Ports) -> None:
    await ingest(draft("Mine.", user_id=GOING), ports, user_id=GOING, now=NOW)
    assert (await delete(ports, Uploads())).is_complete
    assert await user_data_counts(ports, user_id=GOING) == {}


async def test_a_deleted_user_can_be_added_again_and_has_nothing(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    await delete(ports, Uploads())
    await add_user(GOING, ports, now=later(121))
    assert await user_data_counts(ports, user_id=GOING) == {}
    # The same note under the same id: its tombstone is gone, too.
    note = await ingest(draft("No xylophone.", user_id=GOING), ports, user_id=GOING, now=NOW)
    assert not note.duplicate


async def write_a_note(ports: Ports) -> None:
    rows = await ports.database.query(Statement("SELECT count(*) AS notes FROM notes"))
    text = f"Note {rows[0]['notes']} in between, {'long ' * 8000}"
    await ingest(draft(text, user_id=GOING), ports, user_id=GOING, now=later(120))


async def test_what_is_written_during_a_deletion_is_deleted_as_well(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    busy = intruding(
        ports, on="DELETE FROM users", by=lambda: write_a_note(ports), reaches_queries=True
    )
    assert (await delete(busy, Uploads())).is_complete
    assert await user_data_counts(ports, user_id=GOING) == {}
    assert await ports.blobs.keys() == []


async def test_what_a_request_writes_that_was_under_way_is_deleted_as_well(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())

    async def let_finish() -> None:
        assert await authenticate(token_of(GOING), ports, now=later(120)) is None
        assert set(await user_data_counts(ports, user_id=GOING)) == set()
        await write_a_note(ports)

    deletion = await delete_user(
        ports,
        user_id=GOING,
        now=later(120),
        drop_upload=Uploads().drop,
        let_finish=let_finish,
    )
    assert deletion.is_complete
    assert await user_data_counts(ports, user_id=GOING) == {}
    assert await ports.blobs.keys() == []


async def test_nobody_is_waited_for_where_nobody_ever_came_over_the_network(ports: Ports) -> None:
    await ingest(draft("Mine.", user_id=GOING), ports, user_id=GOING, now=NOW)

    async def let_finish() -> None:
        raise AssertionError

    deletion = await delete_user(
        ports,
        user_id=GOING,
        now=later(120),
        drop_upload=Uploads().drop,
        let_finish=let_finish,
    )
    assert deletion.is_complete


async def test_a_writer_who_does_not_stop_is_not_passed_over_in_silence(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    busy = intruding(
        ports,
        on="DELETE FROM users",
        by=lambda: write_a_note(ports),
        times=99,
        reaches_queries=True,
    )
    deletion = await delete(busy, Uploads())
    assert not deletion.is_complete
    assert deletion.left["notes"] == 1
    # The mark is there: nobody comes in, and a repetition finishes.
    assert [each.user.is_leaving for each in await list_users(ports, now=NOW)] == [True]
    assert (await delete(ports, Uploads())).is_complete
    assert await list_users(ports, now=NOW) == ()


async def test_a_chunk_written_between_two_steps_does_not_stop_the_deletion(ports: Ports) -> None:
    await fill(ports, GOING, word="xylophone", uploads=Uploads())
    busy = intruding(
        ports, on="DELETE FROM notes", by=lambda: write_a_note(ports), reaches_queries=True
    )
    assert (await delete(busy, Uploads())).is_complete


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_deletion_cut_off_anywhere_is_finished_by_another(
    moment: Moment, tmp_path: Path
) -> None:
    async with world(tmp_path / "whole") as (ports, uploads):
        fuse = Fuse()
        await delete(with_fuse(ports, fuse), uploads)
    assert fuse.calls > 20
    for at in range(fuse.calls):
        async with world(tmp_path / f"{moment}{at}") as (ports, uploads):
            with pytest.raises(Crash):
                await delete(with_fuse(ports, Fuse(at, moment)), uploads)
            is_begun = await authenticate(token_of(GOING), ports, now=later(121)) is None
            left = await user_data_counts(ports, user_id=GOING)
            if is_begun and (left or await list_users(ports, now=NOW)):
                assert (await delete(ports, uploads)).is_complete
            elif not is_begun:
                assert left["notes"] == 3
                continue
            assert await traces(ports) == [], at
            assert await ports.blobs.keys() == []
            assert uploads.ids == set()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[Ports, Uploads]]:
    """A database in memory with a user who has everything."""
    async with SqliteDatabase.open(None) as database:
        ports, uploads = await make_ports(database, folder, WordEmbedder()), Uploads()
        await fill(ports, GOING, word="xylophone", uploads=uploads)
        yield ports, uploads

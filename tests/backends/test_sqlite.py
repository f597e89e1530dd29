"""The SQLite driver, beyond the suite every database passes: the file, values, a full disk."""

import os
import stat
from pathlib import Path

import anyio
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendError, BackendRejected, QuotaExhausted
from dome_mcp.core.ports import Statement, Value
from tests.backends.sqlite_items import (
    COUNT,
    CREATE,
    SLOW_READ,
    count,
    insert,
    make,
    names,
    rows_by_batch,
)

pytestmark = pytest.mark.anyio


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_sqlite_library_may_be_shared_by_processes(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        # Earlier versions can corrupt a WAL file that several processes use.
        assert tuple(map(int, database.version.split("."))) >= (3, 51, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)
        assert names(path.parent) == ["dome.db", "dome.db-shm", "dome.db-wal"]
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == 0o700


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 500)
    with pytest.raises(BackendRejected, match="doctor"):
        async with SqliteDatabase.open(path):
            pass
    assert path.read_text() == "shopping list\n" * 500


async def test_a_path_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "dome.db"):
        with pytest.raises(BackendRejected, match="DOME_HOME"):
            async with SqliteDatabase.open(path):
                pass


async def test_a_closed_database_is_an_error_and_leaves_one_file(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.query(CREATE)
    with pytest.raises(BackendError):
        await database.query(COUNT)
    with pytest.raises(BackendError):
        await database.batch([insert(1)])
    assert names(tmp_path) == ["dome.db"]


async def test_what_was_written_is_there_when_opened_again(tmp_path: Path) -> None:
    await make(tmp_path / "dome.db")
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.batch([insert(1), insert(2)])
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        assert await count(database) == 2


async def test_two_databases_in_memory_share_nothing() -> None:
    async with SqliteDatabase.open(None) as one, SqliteDatabase.open(None) as other:
        await one.query(CREATE)
        with pytest.raises(BackendRejected):
            await other.query(COUNT)


async def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    async def open_and_write() -> None:
        async with SqliteDatabase.open(tmp_path / "dome.db") as database:
            await database.batch([CREATE, insert(1)])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(open_and_write)
    assert rows_by_batch(tmp_path / "dome.db") == {1: 8}


async def test_the_data_version_changes_with_every_commit_and_not_with_a_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dome.db"
    async with SqliteDatabase.open(path) as database, SqliteDatabase.open(path) as other:
        await database.query(CREATE)
        seen = [await database.data_version()]
        for writer in (database, other, database):
            await writer.batch([insert(1)])
            seen.append(await database.data_version())
        assert len(set(seen)) == 4
        await count(database)
        with pytest.raises(BackendRejected):
            await database.batch([insert(1), Statement("not even SQL")])
        assert await database.data_version() == seen[-1]


async def test_more_reads_at_once_than_connections_are_all_answered(tmp_path: Path) -> None:
    highest: list[Value] = []

    async def read() -> None:
        highest.append((await database.query(SLOW_READ))[0]["highest"])

    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for _ in range(12):
                    tasks.start_soon(read)
    assert highest == [50_000] * 12


async def test_a_commit_reaches_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        settings = await database.batch([Statement("PRAGMA synchronous")])
        full = 2
        assert settings == [[{"synchronous": full}]]


async def test_a_full_disk_leaves_what_was_there_and_passes_with_the_space(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.query(CREATE)
        await database.batch([insert(1, "kept")])
        await database.batch([Statement("PRAGMA max_page_count = 20")])
        with pytest.raises(QuotaExhausted, match="space"):
            await database.batch([insert(2), insert(2, "x" * 200_000)])
        assert await count(database) == 1
        await database.batch([insert(3)])
        await database.batch([Statement("PRAGMA max_page_count = 1000000")])
        await database.batch([insert(2), insert(2, "x" * 200_000)])
        assert await count(database) == 4
        assert await database.integrity() == []


@pytest.mark.parametrize("value", ["broken \ud800 text", 2**63])
async def test_a_value_that_sqlite_cannot_hold_is_rejected(tmp_path: Path, value: Value) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.query(CREATE)
        with pytest.raises(BackendRejected):
            await database.batch(
                [insert(1), Statement("INSERT INTO items VALUES (2, ?1)", (value,))]
            )
        assert await count(database) == 0

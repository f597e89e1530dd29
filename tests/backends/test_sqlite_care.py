"""What keeps a SQLite file well: the integrity check, the backup, the checkpoint."""

import os
import stat
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Statement
from tests.backends.sqlite_items import CREATE, insert, names, rows_by_batch

pytestmark = pytest.mark.anyio


async def test_integrity_finds_nothing_in_a_sound_file(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.query(Statement("CREATE VIRTUAL TABLE words USING fts5 (text)"))
        await database.query(Statement("INSERT INTO words VALUES ('sound')"))
        assert await database.integrity() == []


async def test_integrity_finds_a_damaged_full_text_index(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.query(Statement("CREATE VIRTUAL TABLE words USING fts5 (text)"))
        await database.query(Statement("INSERT INTO words VALUES ('lost')"))
        await database.query(Statement("DELETE FROM words_data WHERE id > 10"))
        assert any("words" in problem for problem in await database.integrity())


async def test_integrity_finds_a_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)
        await database.batch([insert(number, "x" * 1000) for number in range(100)])
    with path.open("r+b") as file:
        file.seek(4096 * 10)
        file.write(b"\xff" * 4096 * 5)
    async with SqliteDatabase.open(path) as database:
        assert await database.integrity() != []
        with pytest.raises(BackendRejected, match="doctor --repair"):
            await database.query(Statement("SELECT * FROM items"))


async def test_integrity_finds_a_row_whose_parent_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(Statement("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        await database.query(Statement("CREATE TABLE children (parent REFERENCES parents (id))"))
        with closing(apsw.Connection(str(path))) as careless:
            careless.execute("INSERT INTO children VALUES (7)")
        assert await database.integrity() == ["children 1: no such parents"]


async def test_a_backup_is_one_whole_file_while_others_write(tmp_path: Path) -> None:
    path, copy = tmp_path / "dome.db", tmp_path / "copies" / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)
        await database.batch([insert(1), insert(1)])
        with closing(apsw.Connection(str(path))) as other, other:
            other.execute("INSERT INTO items VALUES (2, '')")
            await database.backup(copy)
        await database.backup(copy)  # replaces the first
    assert names(copy.parent) == ["dome.db"]
    in_rollback_mode = b"\x01\x01"  # the two version bytes; 2 says that a WAL belongs to the file
    assert copy.read_bytes()[18:20] == in_rollback_mode
    assert rows_by_batch(copy) == {1: 2, 2: 1}
    if os.name != "nt":
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        with pytest.raises(BackendRejected):
            await database.backup(tmp_path / "copy")
    assert names(tmp_path) == ["copy", "dome.db"]


async def test_a_checkpoint_empties_the_log(tmp_path: Path) -> None:
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        await database.batch([CREATE, insert(1)])
        log = tmp_path / "dome.db-wal"
        assert log.stat().st_size > 0
        await database.checkpoint()
        assert log.stat().st_size == 0
        assert await database.query(Statement("SELECT batch FROM items")) == [{"batch": 1}]


async def test_after_compacting_nothing_of_what_was_deleted_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dome.db"
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)
        await database.batch([insert(number, "telltale" * 500) for number in range(20)])
        await database.query(insert(99, "kept"))
        await database.query(Statement("DELETE FROM items WHERE batch < 99"))
        await database.checkpoint()
        assert b"telltale" in path.read_bytes()
        before = await database.data_version()
        await database.compact()
        held = b"".join((tmp_path / name).read_bytes() for name in names(tmp_path))
        assert b"telltale" not in held
        assert b"kept" in held
        assert await database.query(Statement("SELECT batch FROM items")) == [{"batch": 99}]
        assert await database.data_version() != before
        await database.query(insert(100))

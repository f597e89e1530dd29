"""Migrations: once, whole, and whoever applies them."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Row, Statement
from dome_mcp.store import schema
from dome_mcp.store.schema import MIGRATIONS, migrate, missing

pytestmark = pytest.mark.anyio

NAMES = [name for name, _ in MIGRATIONS]


async def tables(database: Database) -> set[str]:
    rows = await database.query(Statement("SELECT name FROM sqlite_schema WHERE type = 'table'"))
    return {str(row["name"]) for row in rows}


async def recorded(database: Database) -> list[str]:
    rows = await database.query(Statement("SELECT name FROM d1_migrations ORDER BY id"))
    return [str(row["name"]) for row in rows]


async def test_an_empty_database_gets_every_migration_in_order() -> None:
    async with SqliteDatabase.open(None) as database:
        assert await migrate(database) == NAMES
        assert await recorded(database) == NAMES
        assert {"notes", "note_tags", "chunks", "chunks_fts", "meta", "leases"} <= await tables(
            database
        )


async def test_migrating_again_changes_nothing() -> None:
    async with SqliteDatabase.open(None) as database:
        await migrate(database)
        before = await tables(database)
        assert await migrate(database) == []
        assert await recorded(database) == NAMES
        assert await tables(database) == before


async def test_of_several_at_once_each_migration_is_applied_by_one(tmp_path: Path) -> None:
    applied: list[str] = []

    async def open_and_migrate() -> None:
        async with SqliteDatabase.open(tmp_path / "dome.db") as database:
            applied.extend(await migrate(database))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(open_and_migrate)
    assert sorted(applied) == sorted(NAMES)
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        assert await recorded(database) == NAMES


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ("9999_broken.sql", ("CREATE TABLE half_done (a)", "not even SQL"))
    async with SqliteDatabase.open(None) as database:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, broken))
            with pytest.raises(BackendRejected):
                await migrate(database)
        assert await recorded(database) == NAMES
        assert "half_done" not in await tables(database)
        assert await migrate(database) == []


async def test_a_migration_that_wrangler_applied_is_not_applied_again() -> None:
    async with SqliteDatabase.open(None) as database:
        await migrate(database)
        later = "9999_by_wrangler.sql"
        await database.query(Statement("INSERT INTO d1_migrations (name) VALUES (?1)", (later,)))
        assert await migrate(database) == []
        assert await recorded(database) == [*NAMES, later]


async def test_what_is_missing_is_told_and_nothing_is_written() -> None:
    async with SqliteDatabase.open(None) as database:
        assert await missing(database) == NAMES
        assert await tables(database) == set()
        await migrate(database)
        assert await missing(database) == []
        await database.query(Statement("DELETE FROM d1_migrations WHERE name = ?1", (NAMES[-1],)))
        assert await missing(database) == NAMES[-1:]


async def test_a_start_with_nothing_to_apply_asks_once() -> None:
    class Counting:
        asked = 0

        async def query(self, statement: Statement) -> Sequence[Row]:
            self.asked += 1
            return await database.query(statement)

        async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
            raise NotImplementedError

    async with SqliteDatabase.open(None) as database:
        await migrate(database)
        counting = Counting()
        assert await migrate(counting) == []
        assert counting.asked == 1

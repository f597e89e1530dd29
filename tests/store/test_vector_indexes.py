"""The migration to a ledger of several indexes keeps what the ledger of one had."""

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Database, Row, Statement
from dome_mcp.store import schema, vector_indexes, vector_ledger
from dome_mcp.store.migrations import vector_indexes as migration
from dome_mcp.store.schema import MIGRATIONS, migrate
from tests.conformance.vector_suite import note

pytestmark = pytest.mark.anyio

_LEDGER = "SELECT ledger_key, chunk_id, embedding, mutation_key, is_settled FROM vector_ledger"
_BEFORE = (
    "INSERT INTO vector_mutations (mutation_id, sent_after) VALUES ('m1', 0)",
    """
    INSERT INTO vector_ledger (ledger_key, chunk_id, embedding, mutation_key, is_settled)
    VALUES (7, 'goes', 'AAA=', 1, 1), (9, 'stays', 'AAE=', 1, 0), (12, 'gone', NULL, NULL, 0)""",
)


async def rows(database: Database, sql: str) -> list[Row]:
    return list(await database.query(Statement(sql)))


async def test_rows_keep_their_versions_and_still_follow_their_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = [name for name, _ in MIGRATIONS].index(migration.NAME)
    async with SqliteDatabase.open(None) as database:
        monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS[:at])
        await migrate(database)
        await database.batch([*note("goes"), *note("stays"), *map(Statement, _BEFORE)])
        before = await rows(database, _LEDGER)
        monkeypatch.undo()
        assert (await migrate(database))[0] == migration.NAME
        assert await rows(database, _LEDGER) == before
        first = await rows(database, "SELECT DISTINCT index_name AS name FROM vector_ledger")
        assert [row["name"] for row in first] == [vector_ledger.FIRST]

        await database.batch(vector_ledger.stage([("goes", "AAI=")], index="dome-2"))
        await database.query(Statement("DELETE FROM chunks WHERE chunk_id = 'goes'"))
        left = await rows(database, f"{_LEDGER} WHERE chunk_id = 'goes'")
        assert [row["embedding"] for row in left] == [None, None]
        assert min(int(str(row["ledger_key"])) for row in left) > 12


async def test_only_indexes_that_are_not_searched_are_to_be_removed() -> None:
    async with SqliteDatabase.open(None) as database:
        await migrate(database)

        async def others() -> list[object]:
            found = await database.query(vector_indexes.other_indexes(first="dome"))
            return [row["index_name"] for row in found]

        await database.query(vector_indexes.note_index("dome-2"))
        assert await others() == ["dome-2"]
        await database.batch(vector_indexes.search_index("dome-2", first="dome"))
        assert await others() == ["dome"]
        await database.batch(vector_indexes.search_index("dome-3", first="dome"))
        assert await others() == ["dome", "dome-2"]
        await database.query(vector_indexes.forget_index("dome"))
        assert await others() == ["dome-2"]

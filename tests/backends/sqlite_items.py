"""The table that the tests of the SQLite driver write to."""

from contextlib import closing
from pathlib import Path

import apsw

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.ports import Statement, Value

CREATE = Statement("CREATE TABLE IF NOT EXISTS items (batch INTEGER NOT NULL, text TEXT)")
COUNT = Statement("SELECT count(*) AS n FROM items")
SLOW_READ = Statement(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 50000)"
    " SELECT max(x) AS highest FROM n"
)


def insert(batch: int, text: str = "") -> Statement:
    return Statement("INSERT INTO items VALUES (?1, ?2)", (batch, text))


async def count(database: SqliteDatabase) -> Value:
    return (await database.query(COUNT))[0]["n"]


async def make(path: Path) -> None:
    async with SqliteDatabase.open(path) as database:
        await database.query(CREATE)


def rows_by_batch(path: Path) -> dict[int, int]:
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.pragma("integrity_check") == "ok"
        return dict(connection.execute("SELECT batch, count(*) FROM items GROUP BY batch"))


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())

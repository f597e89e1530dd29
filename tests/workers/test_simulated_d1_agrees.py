"""What the simulator of D1 takes, gives and refuses is what the real one does.

Not compared are the limits on a value and on a function's arguments, which are lower in production
(and in the simulator) than in the local engine, and several statements in one.
"""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Statement
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.opening import open_d1
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio


def union(terms: int) -> str:
    return " UNION ALL ".join(["SELECT 1 AS a"] * terms)


def arguments(count: int) -> str:
    return f"SELECT max({', '.join(['1'] * count)}) AS a"


def table(columns: int) -> str:
    return f"CREATE TABLE wide ({', '.join(f'c{number}' for number in range(columns))})"


def nested(depth: int) -> str:
    return f"SELECT {'1+' * depth}1 AS a"


PREPARED = (
    Statement("CREATE TABLE kinds (i INTEGER, t TEXT, r REAL, b BLOB, n)"),
    Statement("CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1)"),
    Statement("INSERT INTO words (rowid, text) VALUES (1, 'running water')"),
    Statement("INSERT INTO kinds VALUES (?1, ?1, ?1, ?1, ?1)", (7,)),
)

TRIED = (
    Statement("SELECT *, typeof(i), typeof(t), typeof(r), typeof(b), typeof(n) FROM kinds"),
    Statement("SELECT typeof(?1) AS t", (True,)),
    Statement("SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d", (1.5, None, b"\x00\xff", "é")),
    Statement("SELECT 9007199254740993 AS large, 9007199254740993.0 AS real"),
    Statement("SELECT 1e999 AS infinite"),
    Statement("SELECT 1 AS a, 2 AS a"),
    Statement("SELECT a FROM (SELECT 1 AS a) LIMIT ?1 OFFSET ?2", (1, 0)),
    Statement("SELECT value FROM json_each(?1)", ('[1, "x", null, 1.5]',)),
    Statement("SELECT '{\"a\": [1]}' ->> '$.a[0]' AS a"),
    Statement("SELECT rank() OVER (ORDER BY i) AS place FROM kinds"),
    Statement("SELECT rowid AS id, bm25(words) < 0 AS b FROM words WHERE words MATCH 'water'"),
    Statement("SELECT rowid FROM words WHERE words MATCH ?1", ('"',)),
    Statement("INSERT INTO kinds (i) VALUES (1) RETURNING i, n"),
    Statement("UPDATE kinds SET i = 3 WHERE 0 RETURNING i"),
    Statement("SELECT sqlite_version() AS v"),
    Statement("PRAGMA journal_mode = WAL"),
    Statement("PRAGMA user_version"),
    Statement("PRAGMA integrity_check"),
    Statement("PRAGMA quick_check"),
    Statement("PRAGMA foreign_keys"),
    Statement("PRAGMA table_info(kinds)"),
    Statement("VACUUM"),
    Statement("ANALYZE"),
    Statement("ATTACH ':memory:' AS other"),
    *(Statement(word) for word in ("BEGIN", "COMMIT", "ROLLBACK", "END")),
    *(Statement(nothing) for nothing in ("", "-- nothing", ";")),
    Statement("DELETE FROM words_data"),
    Statement("SAVEPOINT here"),
    Statement("CREATE TEMP TABLE short_lived (a)"),
    Statement("CREATE TABLE _cf_mine (a)"),
    Statement("SELECT * FROM _cf_KV"),
    Statement("SELECT count(*) > 0 AS some FROM words_data"),
    Statement("INSERT INTO words (words) VALUES ('integrity-check')"),
    Statement("INSERT INTO words (words) VALUES ('optimize')"),
    Statement("SELECT 1 WHERE 'a' LIKE ?1", ("%" * 51,)),
    Statement("SELECT 1 AS a WHERE 'a' LIKE ?1", ("%" * 50,)),
    Statement("SELECT ?1 AS a", ("one", "too many")),
    Statement("SELECT ?1 || ?2 AS a", ("one too few",)),
    Statement("SELECT length(zeroblob(1999000)) AS a"),
    *(Statement(union(terms)) for terms in (5, 6)),
    Statement(arguments(32)),
    *(Statement(table(columns)) for columns in (101, 100)),
    *(Statement(nested(depth)) for depth in (90, 101)),
)


@pytest.fixture
def real(cloudflare: LocalCloudflare, api: CloudflareApi) -> D1Database:
    return D1Database(api, cloudflare.lend_database())


@pytest.fixture
async def simulated() -> AsyncIterator[D1Database]:
    async with open_d1(SimulatedAccount(), D1Simulator()) as database:
        yield database


async def outcome(database: D1Database, statement: Statement) -> object:
    """The rows, or the kind of error."""
    try:
        return [list(row.items()) for row in await database.query(statement)]
    except BackendError as error:
        return type(error)


async def test_the_simulator_answers_as_d1_does(real: D1Database, simulated: D1Database) -> None:
    await real.batch(PREPARED)
    await simulated.batch(PREPARED)
    differing = {
        statement.sql[:60]: (simulation, truth)
        for statement in TRIED
        if (simulation := await outcome(simulated, statement))
        != (truth := await outcome(real, statement))
    }
    assert differing == {}

"""What every `Database` driver keeps, whatever it binds a number as.

A test module takes the tests in with `from … import *` and provides the fixture `database`, an
empty one. Numbers go through INTEGER and REAL columns, as the port asks its callers to do.
"""

import anyio
import pytest

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Database, Statement, Value

pytestmark = pytest.mark.anyio


def insert(name: str, number: int = 0) -> Statement:
    return Statement("INSERT INTO items (name, number) VALUES (?1, ?2)", (name, number))


async def create_items(database: Database) -> None:
    await database.query(
        Statement("CREATE TABLE items (name TEXT NOT NULL UNIQUE, number INTEGER NOT NULL)")
    )


async def names(database: Database) -> list[Value]:
    rows = await database.query(Statement("SELECT name FROM items ORDER BY name"))
    return [row["name"] for row in rows]


async def round_trip(database: Database, column_type: str, value: Value) -> Value:
    """The value as it comes back from a column."""
    await database.query(Statement(f"CREATE TABLE kept (value {column_type})"))
    await database.query(Statement("INSERT INTO kept (value) VALUES (?1)", (value,)))
    return (await database.query(Statement("SELECT value FROM kept")))[0]["value"]


async def test_a_row_has_the_columns_in_the_order_they_were_selected(database: Database) -> None:
    rows = await database.query(Statement("SELECT 'x' AS b, NULL AS a, 'y' AS c"))
    assert [list(row.items()) for row in rows] == [[("b", "x"), ("a", None), ("c", "y")]]


async def test_a_statement_without_rows_gives_an_empty_sequence(database: Database) -> None:
    await create_items(database)
    assert list(await database.query(Statement("SELECT name FROM items"))) == []
    assert list(await database.query(insert("a"))) == []


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("TEXT", ""),
        ("TEXT", "naïve ﷽ 日本語 👩‍👩‍👧 é"),
        ("TEXT", "'; DROP TABLE kept; --"),
        ("TEXT", "1.0"),
        ("TEXT", None),
        ("INTEGER", 0),
        ("INTEGER", -1),
        ("INTEGER", 1_767_225_600_000),
        ("INTEGER", 2**53 - 1),
        ("REAL", 0.1),
        ("BLOB", b""),
        ("BLOB", bytes(range(256))),
    ],
)
async def test_a_value_comes_back_as_it_was_stored(
    database: Database, column_type: str, value: Value
) -> None:
    returned = await round_trip(database, column_type, value)
    assert returned == value
    assert type(returned) is type(value)


async def test_a_large_text_comes_back_whole(database: Database) -> None:
    text = "größe " * 50_000
    assert await round_trip(database, "TEXT", text) == text


async def test_a_parameter_can_be_used_twice_and_in_any_order(database: Database) -> None:
    rows = await database.query(Statement("SELECT ?2 || ?1 || ?2 AS joined", ("a", "b")))
    assert rows[0]["joined"] == "bab"


async def test_a_hundred_parameters_are_taken_and_one_more_is_rejected(database: Database) -> None:
    def joined(count: int) -> Statement:
        placeholders = " || ".join(f"?{n}" for n in range(1, count + 1))
        return Statement(f"SELECT {placeholders} AS joined", ("x",) * count)

    assert (await database.query(joined(100)))[0]["joined"] == "x" * 100
    with pytest.raises(BackendRejected):
        await database.query(joined(101))


async def test_a_list_goes_in_as_one_json_parameter(database: Database) -> None:
    await create_items(database)
    await database.batch([insert("a", 1), insert("b", 2), insert("c", 3)])
    wanted = (
        "SELECT name FROM items WHERE number IN (SELECT value FROM json_each(?1)) ORDER BY name"
    )
    rows = await database.query(Statement(wanted, ("[1, 3]",)))
    assert [row["name"] for row in rows] == ["a", "c"]


async def test_a_number_limits_and_compares_as_a_number(database: Database) -> None:
    await create_items(database)
    await database.batch([insert("two", 2), insert("ten", 10), insert("nine", 9)])
    above = "SELECT name FROM items WHERE number > ?1 ORDER BY number, name LIMIT ?2"
    rows = await database.query(Statement(above, (2, 1)))
    assert [row["name"] for row in rows] == ["nine"]


async def test_a_query_may_write_and_return_what_it_wrote(database: Database) -> None:
    await create_items(database)
    await database.query(insert("a", 1))
    changed = "UPDATE items SET number = number + ?2 WHERE name = ?1 RETURNING name, number"
    rows = await database.query(Statement(changed, ("a", 41)))
    assert [dict(row) for row in rows] == [{"name": "a", "number": 42}]
    assert await names(database) == ["a"]


async def test_a_write_that_returns_rows_is_done_whole(database: Database) -> None:
    await create_items(database)
    await database.batch([insert(name) for name in "abc"])
    rows = await database.query(Statement("DELETE FROM items RETURNING name"))
    assert sorted(str(row["name"]) for row in rows) == ["a", "b", "c"]
    assert await names(database) == []


async def test_a_compare_and_set_that_loses_returns_no_row(database: Database) -> None:
    await create_items(database)
    await database.query(insert("a", 1))
    claim = Statement(
        "UPDATE items SET number = 2 WHERE name = ?1 AND number = 1 RETURNING 1", ("a",)
    )
    assert [len(await database.query(claim)) for _ in range(2)] == [1, 0]


async def test_a_batch_gives_the_rows_of_each_statement_in_order(database: Database) -> None:
    await create_items(database)
    results = await database.batch(
        [
            insert("b"),
            Statement("INSERT INTO items (name, number) VALUES ('a', 7) RETURNING number"),
            Statement("SELECT name FROM items ORDER BY name"),
            Statement("DELETE FROM items WHERE name = 'a'"),
            Statement("SELECT name FROM items ORDER BY name"),
        ]
    )
    assert [[dict(row) for row in rows] for rows in results] == [
        [],
        [{"number": 7}],
        [{"name": "a"}, {"name": "b"}],
        [],
        [{"name": "b"}],
    ]


async def test_an_empty_batch_does_nothing(database: Database) -> None:
    assert list(await database.batch([])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        insert("taken"),
        Statement("INSERT INTO items (name, number) VALUES (NULL, 0)"),
        Statement("INSERT INTO nowhere VALUES (1)"),
        Statement("not even SQL"),
        Statement("SELECT ?1 || ?2", ("one too few",)),
    ],
    ids=["unique", "not null", "no table", "syntax", "parameters"],
)
async def test_a_batch_with_a_wrong_statement_leaves_nothing(
    database: Database, wrong: Statement
) -> None:
    await create_items(database)
    await database.query(insert("taken"))
    with pytest.raises(BackendRejected):
        await database.batch([insert("new"), wrong, insert("newer")])
    assert await names(database) == ["taken"]
    await database.batch([insert("new"), insert("newer")])
    assert await names(database) == ["new", "newer", "taken"]


async def test_a_table_made_in_a_failed_batch_is_not_there(database: Database) -> None:
    with pytest.raises(BackendRejected):
        await database.batch([Statement("CREATE TABLE half (a)"), Statement("not even SQL")])
    with pytest.raises(BackendRejected):
        await database.query(Statement("SELECT * FROM half"))


async def test_a_statement_cannot_begin_a_transaction(database: Database) -> None:
    with pytest.raises(BackendRejected):
        await database.query(Statement("BEGIN"))
    with pytest.raises(BackendRejected):
        await database.batch([Statement("BEGIN")])


async def test_a_reference_to_a_missing_row_is_rejected(database: Database) -> None:
    await database.batch(
        [
            Statement("CREATE TABLE parents (id INTEGER PRIMARY KEY)"),
            Statement("CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents (id))"),
        ]
    )
    with pytest.raises(BackendRejected):
        await database.query(Statement("INSERT INTO children VALUES (1)"))


async def test_an_error_does_not_quote_what_was_sent(database: Database) -> None:
    await create_items(database)
    await database.query(Statement("CREATE VIRTUAL TABLE words USING fts5 (text)"))
    private = "horse"
    match = Statement("SELECT * FROM words WHERE words MATCH ?1", (f"{private} : x",))
    await database.query(insert(private))
    for statement in (insert(private), match):
        with pytest.raises(BackendRejected) as caught:
            await database.query(statement)
        assert private not in str(caught.value)


async def test_full_text_is_searched_as_the_schema_needs_it(database: Database) -> None:
    columns = "text, content = '', contentless_delete = 1, tokenize = 'porter unicode61'"
    await database.batch(
        [
            Statement(f"CREATE VIRTUAL TABLE words USING fts5 ({columns})"),
            Statement("INSERT INTO words (rowid, text) VALUES (?1, ?2)", (1, "running water")),
            Statement("INSERT INTO words (rowid, text) VALUES (?1, ?2)", (2, "still water")),
            Statement("DELETE FROM words WHERE rowid = ?1", (2,)),
        ]
    )
    found = "SELECT rowid AS id, bm25(words) AS score FROM words WHERE words MATCH ?1"
    rows = await database.query(Statement(found, ('"run" "water"',)))
    assert [row["id"] for row in rows] == [1]
    assert isinstance(rows[0]["score"], float)


async def test_writers_at_once_lose_no_increment(database: Database) -> None:
    await create_items(database)
    await database.query(insert("counter"))
    increase = "UPDATE items SET number = number + 1 WHERE name = 'counter' RETURNING number"
    seen: set[Value] = set()

    async def increment() -> None:
        seen.add((await database.query(Statement(increase)))[0]["number"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(32):
                tasks.start_soon(increment)
    assert seen == set(range(1, 33))


async def test_a_reader_sees_a_batch_whole_or_not_at_all(database: Database) -> None:
    await database.query(Statement("CREATE TABLE entries (account TEXT, cents INTEGER)"))
    totals: list[Value] = []
    transfer = [
        Statement("INSERT INTO entries VALUES ('a', -1)"),
        Statement("INSERT INTO entries VALUES ('b', 1)"),
    ]
    done = anyio.Event()

    async def read() -> None:
        while not done.is_set():
            rows = await database.query(Statement("SELECT total(cents) AS total FROM entries"))
            totals.append(rows[0]["total"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for _ in range(30):
                await database.batch(transfer)
            done.set()
    assert set(totals) == {0.0}


async def test_what_a_batch_wrote_is_read_by_the_next_query(database: Database) -> None:
    await create_items(database)
    for number in range(20):
        await database.batch([insert(f"item {number:02}", number)])
        assert (await names(database))[-1] == f"item {number:02}"


async def test_a_cancelled_batch_is_whole_or_absent(database: Database) -> None:
    await create_items(database)

    async def write(number: int) -> None:
        await database.batch([insert(f"{number} {half}") for half in ("first", "second")])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(write, number)
            await database.query(insert("marker"))  # by now some batches are done, some wait
            tasks.cancel_scope.cancel()
    written = [str(name).split()[0] for name in await names(database)]
    written.remove("marker")
    assert all(written.count(number) == 2 for number in written)
    await write(100)
    assert "100 second" in await names(database)

"""D1 in the local Cloudflare is the real one, with what it refuses."""

import httpx
import pytest

from tests.workers.calls import result, rows
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio


async def test_d1_gives_rows_as_objects_and_raw(client: httpx.AsyncClient, d1_path: str) -> None:
    statement = {"sql": "SELECT ?1 AS b, 2 AS a, 'x' AS a", "params": ["one"]}
    (objects,) = await result(client, f"{d1_path}/query", statement)
    assert objects["results"] == [{"b": "one", "a": "x"}]
    (raw,) = await result(client, f"{d1_path}/raw", statement)
    assert raw["results"] == {"columns": ["b", "a", "a"], "rows": [["one", 2, "x"]]}
    assert raw["success"] is True
    assert raw["meta"]["changes"] == 0


async def test_d1_names_the_columns_of_an_empty_result(
    client: httpx.AsyncClient, d1_path: str
) -> None:
    (raw,) = await result(client, f"{d1_path}/raw", {"sql": "SELECT 1 AS a WHERE 0"})
    assert raw["results"] == {"columns": ["a"], "rows": []}


async def test_d1_binds_a_number_as_real_and_a_list_as_bytes(
    client: httpx.AsyncClient, d1_path: str
) -> None:
    kinds = "SELECT typeof(?1), typeof(?2), typeof(?3), typeof(?4), ?4"
    assert await rows(client, d1_path, kinds, 1, "1", None, [1, 255]) == [
        ["real", "text", "null", "blob", [1, 255]]
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nowhere", "no such table"),
        ("", "No SQL statements"),
        ("BEGIN", "transaction"),
        ("COMMIT", "transaction"),
        (" UNION ".join(["SELECT 1"] * 6), "too many terms in compound SELECT"),
        ("ATTACH 'x' AS y", "not authorized"),
        ("SELECT sqlite_version()", "not authorized"),
        ("SELECT 1 WHERE 'a' LIKE '" + "a" * 51 + "'", "pattern too complex"),
    ],
)
async def test_d1_refuses_with_the_words_of_sqlite(
    client: httpx.AsyncClient, d1_path: str, sql: str, message: str
) -> None:
    response = await client.post(f"{d1_path}/raw", json={"sql": sql})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (400, 7500)
    assert message in error["message"]


@pytest.mark.parametrize("param", [True, {"a": 1}, ["text"]])
async def test_d1_refuses_a_parameter_that_is_no_value(
    client: httpx.AsyncClient, d1_path: str, param: object
) -> None:
    body = {"sql": "SELECT ?1", "params": [param]}
    assert (await client.post(f"{d1_path}/raw", json=body)).status_code == 400


async def test_a_d1_batch_is_written_whole_or_not_at_all(
    client: httpx.AsyncClient, d1_path: str
) -> None:
    await rows(client, d1_path, "CREATE TABLE t (a TEXT UNIQUE)")
    batch = [{"sql": "INSERT INTO t VALUES ('x')"}, {"sql": "INSERT INTO t VALUES ('x')"}]
    assert (await client.post(f"{d1_path}/raw", json={"batch": batch})).status_code == 400
    assert await rows(client, d1_path, "SELECT * FROM t") == []
    await result(client, f"{d1_path}/raw", {"batch": batch[:1]})
    assert await rows(client, d1_path, "SELECT * FROM t") == [["x"]]


async def test_a_lent_database_is_empty(
    client: httpx.AsyncClient, cloudflare: LocalCloudflare
) -> None:
    statements = (
        "CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE children (parent INTEGER REFERENCES parents (id))",
        "CREATE VIRTUAL TABLE words USING fts5 (text)",
        "INSERT INTO parents VALUES (7)",
        "INSERT INTO children VALUES (7)",
    )
    first = cloudflare.lend_database()
    batch = [{"sql": sql} for sql in statements]
    await result(client, f"d1/database/{first}/query", {"batch": batch})
    while (again := cloudflare.lend_database()) != first:
        continue
    left = "SELECT name FROM sqlite_schema WHERE substr(name, 1, 4) NOT IN ('_cf_', 'sqli')"
    assert await rows(client, f"d1/database/{again}", left) == []

"""The simulated D1 takes and refuses what D1 does; its answers fit Cloudflare's own models."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cloudflare import AsyncCloudflare, BadRequestError

from dome_mcp.backends.cloudflare.http import BASE_URL
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import (
    DATABASE_ID,
    INVALID_INPUT,
    STATEMENT_FAILED,
    D1Simulator,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def official() -> AsyncIterator[AsyncCloudflare]:
    """Cloudflare's own client, strict about what it gets, on a simulated D1."""
    account, simulator = SimulatedAccount(base_url=BASE_URL), D1Simulator()
    account.register("d1", simulator)
    async with httpx.AsyncClient(transport=account.transport) as client:
        yield AsyncCloudflare(
            api_token=account.token,
            http_client=client,
            max_retries=0,
            _strict_response_validation=True,
        )
    simulator.close()


async def raw(official: AsyncCloudflare, sql: str, *params: Any) -> list[list[Any]]:
    """The rows of one statement."""
    page = await official.d1.database.raw(
        DATABASE_ID,
        account_id=SimulatedAccount().account_id,
        sql=sql,
        params=list(params),
    )
    results = page.result[0].results
    assert results is not None
    return [list(row) for row in results.rows or []]


async def test_a_number_is_bound_as_real_and_takes_its_columns_type(
    official: AsyncCloudflare,
) -> None:
    await raw(official, "CREATE TABLE t (i INTEGER, t TEXT, b BLOB)")
    await raw(official, "INSERT INTO t VALUES (?1, ?1, ?1)", 7)
    kept = "SELECT typeof(?1), typeof(i), t, typeof(b) FROM t"
    assert await raw(official, kept, 1) == [["real", "integer", "7.0", "real"]]


async def test_values_come_back_as_javascript_writes_them(official: AsyncCloudflare) -> None:
    sql = "SELECT 9007199254740993, 2.0, 0.5, x'00ff', NULL, 'x', 1 = 1"
    assert await raw(official, sql) == [[9007199254740992, 2, 0.5, [0, 255], None, "x", 1]]


async def test_an_array_is_bound_as_a_blob(official: AsyncCloudflare) -> None:
    assert await raw(official, "SELECT typeof(?1), hex(?1)", [1, 255]) == [["blob", "01FF"]]


async def test_rows_come_as_objects_too_and_one_name_then_hides_another(
    official: AsyncCloudflare,
) -> None:
    page = await official.d1.database.query(
        DATABASE_ID, account_id=SimulatedAccount().account_id, sql="SELECT 1 AS a, 2 AS a"
    )
    assert page.result[0].results == [{"a": 2}]


async def test_the_database_is_described_and_listed(official: AsyncCloudflare) -> None:
    account_id = SimulatedAccount().account_id
    database = await official.d1.database.get(DATABASE_ID, account_id=account_id)
    assert database.uuid == DATABASE_ID
    listed = [each.uuid async for each in official.d1.database.list(account_id=account_id)]
    assert listed == [DATABASE_ID]


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "ATTACH ':memory:' AS other",
        "PRAGMA journal_mode",
        "PRAGMA user_version = 1",
        "VACUUM",
        "CREATE TEMP TABLE t (a)",
        "CREATE TABLE _cf_mine (a)",
        "SELECT sqlite_version()",
        "SELECT 1 WHERE 'a' LIKE '" + "x" * 51 + "'",
        " UNION ".join(f"SELECT {n}" for n in range(6)),
        "SELECT max(" + ", ".join("1" * 33) + ")",
        "CREATE TABLE t (" + ", ".join(f"c{n}" for n in range(101)) + ")",
        "SELECT ?1 || ?2",
    ],
    ids=lambda sql: sql[:24],
)
async def test_what_d1_does_not_take_is_refused(official: AsyncCloudflare, sql: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        await raw(official, sql, "x")
    assert caught.value.errors[0].code == STATEMENT_FAILED


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIRTUAL TABLE f USING fts5 (a, content = '', contentless_delete = 1)",
        "CREATE TABLE t (a TEXT PRIMARY KEY, b DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID",
        "SELECT value ->> 'a', row_number() OVER (ORDER BY value) FROM json_each('[{}]')",
        " UNION ".join(f"SELECT {n}" for n in range(5)),
        "PRAGMA foreign_keys",
        "PRAGMA table_info('t')",
    ],
)
async def test_what_the_schema_needs_is_taken(official: AsyncCloudflare, sql: str) -> None:
    await raw(official, sql)


@pytest.mark.parametrize(
    "body",
    ["no JSON", "[]", "{}", '{"sql": 1}', '{"sql": "SELECT ?1", "params": [{}]}', '{"batch": 1}'],
)
async def test_a_body_of_another_form_is_refused(body: str) -> None:
    account, simulator = SimulatedAccount(), D1Simulator()
    account.register("d1", simulator)
    async with httpx.AsyncClient(transport=account.transport) as client:
        response = await client.post(
            f"{account.base_url}/accounts/{account.account_id}/d1/database/{DATABASE_ID}/raw",
            content=body,
            headers={"Authorization": f"Bearer {account.token}"},
        )
    simulator.close()
    assert response.json()["errors"][0]["code"] == INVALID_INPUT

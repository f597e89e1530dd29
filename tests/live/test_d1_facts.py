"""What DOME takes for granted of D1's REST interface (docs/cloudflare.md).

Source: https://developers.cloudflare.com/api/resources/d1/ and
https://developers.cloudflare.com/d1/platform/limits/ (2026-11).
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.live.account import READER_TOKEN, Answer, PlainCalls, variable_of_suite
from tests.live.marks import LIVE
from tests.live.resources import made

pytestmark = LIVE

SQL_ERROR = 7500
NOT_ALLOWED = 10000


@pytest.fixture(scope="module")
async def path(api: CloudflareApi) -> AsyncIterator[str]:
    """The path of a database."""
    async with made(api, "database") as resource:
        yield f"/d1/database/{resource.key}"


async def raw(ask: PlainCalls, path: str, *statements: str) -> Answer:
    """The answer to a batch over `/raw`."""
    return await ask("POST", f"{path}/raw", json={"batch": [{"sql": sql} for sql in statements]})


def rows(answer: Answer) -> list[Any]:
    """The rows of the last statement."""
    return answer.result[-1]["results"]["rows"]


TYPES = "SELECT typeof(?1) AS number, typeof(?2) AS empty, typeof(?3) AS text, typeof(?4) AS blob"
PARAMS = [1, None, "x", [1, 2, 255]]


async def test_query_takes_numbers_nulls_texts_and_bytes(ask: PlainCalls, path: str) -> None:
    answer = await ask("POST", f"{path}/query", json={"sql": TYPES, "params": PARAMS})
    expected = {"number": "real", "empty": "null", "text": "text", "blob": "blob"}
    assert answer.result[0]["results"] == [expected], answer


async def test_raw_takes_numbers_nulls_texts_and_bytes(ask: PlainCalls, path: str) -> None:
    answer = await ask("POST", f"{path}/raw", json={"sql": TYPES, "params": PARAMS})
    assert rows(answer) == [["real", "null", "text", "blob"]], answer


async def test_bytes_come_back_as_an_array_of_numbers(ask: PlainCalls, path: str) -> None:
    body = {"sql": "SELECT ?1 AS kept", "params": [[0, 127, 255]]}
    answer = await ask("POST", f"{path}/raw", json=body)
    assert rows(answer) == [[[0, 127, 255]]], answer


async def test_a_list_goes_in_as_one_json_text(ask: PlainCalls, path: str) -> None:
    body = {"sql": "SELECT value FROM json_each(?1) ORDER BY value", "params": ['["b", "a"]']}
    answer = await ask("POST", f"{path}/raw", json=body)
    assert rows(answer) == [["a"], ["b"]], answer


async def test_a_batch_that_fails_leaves_nothing_of_itself(ask: PlainCalls, path: str) -> None:
    assert (await raw(ask, path, "CREATE TABLE kept (name TEXT UNIQUE)")).result
    insert = "INSERT INTO kept VALUES ('a')"
    failed = await raw(ask, path, insert, insert)
    assert failed.status >= 400, failed
    answer = await raw(ask, path, "SELECT count(*) FROM kept")
    assert rows(answer) == [[0]], answer


async def test_wrong_sql_is_refused_with_code_7500_and_sqlites_words(
    ask: PlainCalls, path: str
) -> None:
    answer = await raw(ask, path, "not even SQL")
    assert (answer.status, answer.code) == (400, SQL_ERROR), answer
    assert "syntax error" in repr(answer)


async def test_raw_gives_the_columns_of_an_empty_result(ask: PlainCalls, path: str) -> None:
    answer = await raw(ask, path, "SELECT 1 AS one, 2 AS two WHERE 0")
    assert answer.result[0]["results"] == {"columns": ["one", "two"], "rows": []}, answer


async def test_raw_keeps_two_columns_of_one_name(ask: PlainCalls, path: str) -> None:
    answer = await raw(ask, path, "SELECT 1 AS same, 2 AS same")
    assert answer.result[0]["results"] == {"columns": ["same", "same"], "rows": [[1, 2]]}, answer


async def test_a_statement_cannot_begin_a_transaction(ask: PlainCalls, path: str) -> None:
    answer = await raw(ask, path, "BEGIN TRANSACTION")
    assert answer.status >= 400, answer


@pytest.mark.live(needs=[READER_TOKEN])
async def test_a_token_that_may_only_read_d1_may_select_and_nothing_else(
    ask: PlainCalls, path: str
) -> None:
    """Source: https://developers.cloudflare.com/api/resources/d1/subresources/database/methods/raw/
    (2026-11), "Accepted Permissions: D1 Read, D1 Write"."""
    reader = ask.with_token(variable_of_suite(READER_TOKEN))
    assert rows(await raw(reader, path, "SELECT 1")) == [[1]]
    answer = await raw(reader, path, "CREATE TABLE refused (a)")
    assert answer.status in (401, 403), answer
    assert answer.code == NOT_ALLOWED, answer

"""What is particular to D1 over REST; what every database keeps is in the conformance suite."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database, only_reads
from dome_mcp.backends.cloudflare.d1_statements import MAX_PARAMS, MAX_SQL_BYTES, MAX_VALUE_BYTES
from dome_mcp.backends.cloudflare.http import TRIES, CloudflareApi
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from dome_mcp.core.ports import Statement, Value
from tests.simulators.cloudflare.account import SimulatedAccount, failure, succeeded
from tests.simulators.cloudflare.d1 import OVERLOADED, STATEMENT_FAILED, D1Simulator

pytestmark = pytest.mark.anyio

EVENING = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
CREATE = Statement("CREATE TABLE items (name TEXT NOT NULL UNIQUE, number INTEGER)")
INSERT = Statement("INSERT INTO items (name, number) VALUES (?1, ?2)", ("horse", 1))
SELECT = Statement("SELECT name, number FROM items ORDER BY name")


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


@dataclass(frozen=True, slots=True)
class Bench:
    account: SimulatedAccount
    simulator: D1Simulator
    api: CloudflareApi
    database: D1Database

    def refuse(self, message: str, *, status: int = 500, times: int = 1) -> None:
        self.account.fail_next("POST", status, failure(STATEMENT_FAILED, message), times)

    async def names(self) -> list[Value]:
        return [row["name"] for row in await self.database.query(SELECT)]


@asynccontextmanager
async def opened(simulator: D1Simulator) -> AsyncIterator[Bench]:
    account = SimulatedAccount()
    account.register("d1", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once, clock=lambda: EVENING
    ) as api:
        yield Bench(account, simulator, api, D1Database(api, simulator.database_id))
    simulator.close()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A database with an empty table, and no call counted against what follows."""
    async with opened(D1Simulator()) as bench:
        await bench.database.query(CREATE)
        bench.api.calls = 0
        yield bench


async def test_a_batch_is_one_request(bench: Bench) -> None:
    rows = await bench.database.batch([INSERT, SELECT])
    assert [list(each) for each in rows] == [[], [{"name": "horse", "number": 1}]]
    assert bench.api.calls == 1


async def test_a_number_is_bound_as_real(bench: Bench) -> None:
    rows = await bench.database.query(Statement("SELECT typeof(?1) AS type", (1,)))
    assert rows[0]["type"] == "real"


async def test_a_truth_value_is_stored_as_a_number(bench: Bench) -> None:
    await bench.database.query(Statement(INSERT.sql, ("a", True)))
    assert json.loads(bench.account.calls[-1].content)["batch"][0]["params"][1] is not True
    assert list(await bench.database.query(SELECT)) == [{"name": "a", "number": 1}]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (Statement("SELECT 1", ("x",) * (MAX_PARAMS + 1)), "100 parameters"),
        (Statement("SELECT 1" + " " * MAX_SQL_BYTES), "100,000 bytes"),
        (Statement("SELECT ?1", ("x" * (MAX_VALUE_BYTES + 1),)), "2,000,000 bytes"),
        (Statement("SELECT ?1", ("é" * (MAX_VALUE_BYTES // 2 + 1),)), "2,000,000 bytes"),
        (Statement("SELECT ?1", (bytes(MAX_VALUE_BYTES + 1),)), "2,000,000 bytes"),
        (Statement("SELECT ?1", (2**53,)), "Store it as text"),
        (Statement("SELECT ?1", (-(2**53),)), "Store it as text"),
        (Statement("SELECT ?1", (float("inf"),)), "infinite"),
        (Statement("SELECT ?1", (float("nan"),)), "infinite"),
        (Statement("SELECT ?1", ("\ud800",)), "broken"),
        (Statement("SELECT '\ud800'"), "broken"),
    ],
    ids=[
        "parameters",
        "sql",
        "text",
        "text in bytes",
        "blob",
        "integer",
        "negative integer",
        "infinite",
        "no number",
        "broken text",
        "broken sql",
    ],
)
async def test_what_d1_cannot_take_is_refused_before_anything_is_sent(
    bench: Bench, statement: Statement, words: str
) -> None:
    with pytest.raises(BackendRejected, match=words):
        await bench.database.batch([INSERT, statement])
    assert bench.api.calls == 0


async def test_a_batch_that_is_too_large_is_refused_and_not_split(bench: Bench) -> None:
    database = D1Database(bench.api, bench.simulator.database_id, max_body_bytes=1_000)
    await database.batch([INSERT])
    bench.api.calls = 0
    with pytest.raises(BackendRejected, match="cannot be split"):
        await database.batch([Statement(INSERT.sql, (f"name {n}", n)) for n in range(20)])
    assert bench.api.calls == 0


async def test_a_read_is_sent_again_after_a_failure(bench: Bench) -> None:
    bench.account.fail_next("POST", 500, "<html>", TRIES - 1)
    assert await bench.names() == []
    assert bench.api.calls == TRIES


async def test_a_write_is_not_sent_again_after_a_failure(bench: Bench) -> None:
    bench.account.fail_next("POST", 500, "<html>")
    with pytest.raises(BackendUnavailable):
        await bench.database.query(INSERT)
    assert bench.api.calls == 1


async def test_a_batch_with_one_write_is_not_sent_again(bench: Bench) -> None:
    bench.account.fail_next("POST", 502, "<html>")
    with pytest.raises(BackendUnavailable):
        await bench.database.batch([SELECT, INSERT])
    assert bench.api.calls == 1


async def test_a_write_whose_answer_was_lost_is_done_once(bench: Bench) -> None:
    bench.account.break_next("POST", httpx.ReadError("gone"), is_after_the_work=True)
    with pytest.raises(BackendUnavailable):
        await bench.database.query(INSERT)
    assert await bench.names() == ["horse"]


@pytest.mark.parametrize(
    "message",
    [
        OVERLOADED,
        "D1 DB is overloaded. Requests queued for too long.",
        "Cannot resolve D1 DB due to transient issue on remote node.",
        "database is locked: SQLITE_BUSY",
    ],
)
async def test_a_write_that_d1_did_not_touch_is_sent_again(bench: Bench, message: str) -> None:
    bench.refuse(message, times=TRIES - 1)
    await bench.database.query(INSERT)
    assert await bench.names() == ["horse"]
    bench.refuse(message, status=400, times=TRIES)
    with pytest.raises(BackendUnavailable, match="too much to do"):
        await bench.database.query(SELECT)


@pytest.mark.parametrize(
    "message",
    [
        "Network connection lost.",
        "D1 DB reset because its code was updated.",
        "Internal error while starting up D1 DB storage caused object to be reset.",
        "Replica disconnected from primary.",
    ],
)
async def test_a_reset_is_waited_out_by_a_read_and_left_to_the_caller_by_a_write(
    bench: Bench, message: str
) -> None:
    bench.refuse(message, status=400)
    assert await bench.names() == []
    bench.refuse(message, status=400)
    with pytest.raises(BackendUnavailable, match="restarted"):
        await bench.database.query(INSERT)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("D1 DB storage operation exceeded timeout which caused object to be reset.", "too much"),
        ("D1 DB exceeded its CPU time limit and was reset.", "too much"),
        ("D1 DB's isolate exceeded its memory limit and was reset.", "less at once"),
        ('fts5: syntax error near "horse": SQLITE_ERROR', "the statement: fts5: syntax error."),
        ("no such column: horse: SQLITE_ERROR", "the statement: no such column."),
        ("FOREIGN KEY constraint failed", "FOREIGN KEY constraint failed"),
        ("CHECK constraint failed: horse > 1", "CHECK constraint failed"),
    ],
)
async def test_what_a_statement_cannot_do_is_not_tried_again(
    bench: Bench, message: str, words: str
) -> None:
    bench.refuse(message)
    with pytest.raises(BackendRejected, match=words) as caught:
        await bench.database.query(SELECT)
    assert "horse" not in str(caught.value)
    assert bench.api.calls == 1


async def test_a_broken_constraint_is_named_by_its_columns(bench: Bench) -> None:
    await bench.database.query(INSERT)
    with pytest.raises(BackendRejected, match=r"UNIQUE constraint failed: items\.name") as caught:
        await bench.database.query(INSERT)
    assert "horse" not in str(caught.value)


async def test_a_failure_that_d1_does_not_explain_is_an_outage(bench: Bench) -> None:
    bench.refuse("internal error; reference = horse", times=TRIES)
    with pytest.raises(BackendUnavailable) as caught:
        await bench.database.query(SELECT)
    assert "horse" not in str(caught.value)


async def test_a_days_writes_that_are_used_up_come_back_at_midnight() -> None:
    async with opened(D1Simulator(max_rows_written=2)) as bench:
        await bench.database.query(CREATE)
        await bench.database.batch([Statement(INSERT.sql, (name, 1)) for name in "ab"])
        with pytest.raises(QuotaExhausted) as caught:
            await bench.database.query(INSERT)
        assert caught.value.until == datetime(2026, 11, 25, tzinfo=UTC)
        bench.simulator.new_day()
        await bench.database.query(INSERT)


async def test_a_days_reads_that_are_used_up_come_back_at_midnight() -> None:
    async with opened(D1Simulator(max_rows_read=1)) as bench:
        await bench.database.query(Statement("SELECT 1 AS one"))
        with pytest.raises(QuotaExhausted) as caught:
            await bench.database.query(Statement("SELECT 1 AS one"))
        assert caught.value.until == datetime(2026, 11, 25, tzinfo=UTC)


async def test_a_full_database_says_so_and_keeps_nothing_of_the_batch() -> None:
    async with opened(D1Simulator(max_bytes=100_000)) as bench:
        await bench.database.query(CREATE)
        with pytest.raises(QuotaExhausted, match="full") as caught:
            await bench.database.batch([INSERT, Statement(INSERT.sql, ("x" * 200_000, 1))])
        assert caught.value.until is None
        assert await bench.names() == []


async def test_a_database_that_is_not_there_is_named_by_its_setting(bench: Bench) -> None:
    with pytest.raises(BackendRejected, match="DOME_D1_DATABASE_ID"):
        await D1Database(bench.api, "another").query(SELECT)


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        [{}],
        [{"success": True, "results": []}],
        [{"success": True, "results": {"columns": ["a"], "rows": [[1, 2]]}}],
        [{"success": True, "results": {"columns": [], "rows": []}}] * 2,
    ],
)
async def test_an_answer_of_another_form_is_an_error(bench: Bench, result: Any) -> None:
    class Odd:
        async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
            return succeeded(result)

    bench.account.register("d1", Odd())
    with pytest.raises(BackendProtocolError):
        await bench.database.query(SELECT)


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("\n  select replace(name, 'a', 'b') FROM items", True),
        ("VALUES (1)", True),
        ("WITH a AS (SELECT deleted_at_ms FROM notes) SELECT * FROM a", True),
        ("WITH a AS (SELECT 1) INSERT INTO items SELECT * FROM a", False),
        ("WITH a AS (SELECT 1) update items SET name = 'x'", False),
        ("WITH a AS (SELECT 1) DELETE FROM items", False),
        ("INSERT INTO items SELECT 1", False),
        ("DELETE FROM items RETURNING name", False),
        ("CREATE TABLE a (b)", False),
        ("PRAGMA optimize", False),
    ],
)
def test_a_statement_that_may_write_does_not_count_as_reading(sql: str, reads: bool) -> None:
    assert only_reads(sql) is reads

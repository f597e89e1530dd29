"""`Database` on Cloudflare D1: SQLite at Cloudflare, asked over REST.

A batch is one request, which D1 runs as one transaction; it is never split. What cannot fit is
refused here, before anything is sent. A statement that only reads may be sent again after a
failure. One that writes may not, unless D1 surely did not touch it: so when a connection breaks
during a write, nobody can say whether it was done, and the caller's own repetition (all writes
can be repeated) makes it sure.

D1 binds every JSON number as a REAL, gives a BLOB as an array of numbers, and a REAL without a
fraction as a whole number.

Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18) and
https://developers.cloudflare.com/d1/observability/debug-d1/ (2026-09).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from dome_mcp.backends.cloudflare.d1_errors import BACKEND, read_refusal
from dome_mcp.backends.cloudflare.d1_statements import decoded, encoded, too_large
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.errors import BackendProtocolError
from dome_mcp.core.ports import Row, Statement, Value

MAX_BODY_BYTES = 100_000_000
"""What Cloudflare's edge lets through on the Free and Pro plans.

Source: https://developers.cloudflare.com/workers/platform/limits/ (2026-09).
"""
TIMEOUT_SECONDS = 40.0
"""D1 itself gives up after 30 seconds, for a whole batch too."""

_READS = re.compile(r"\s*(SELECT|VALUES|EXPLAIN)\b", re.IGNORECASE)
_MAY_READ = re.compile(r"\s*WITH\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class D1Database:
    """One D1 database of the account; a request has at most `max_body_bytes`."""

    def __init__(
        self, api: CloudflareApi, database_id: str, *, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self.rows_written = 0
        """As D1 counts them for its allowance: rows of indexes and of the full text are rows too.

        Source: https://developers.cloudflare.com/d1/platform/pricing/ (2026-11).
        """
        self._api = api
        self._max_body_bytes = max_body_bytes
        self._path = f"/d1/database/{database_id}/raw"

    async def query(self, statement: Statement) -> Sequence[Row]:
        """The rows of one statement (see `Database.query`)."""
        return (await self._run((statement,), "query"))[0]

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        """The rows of each statement, all run or none (see `Database.batch`)."""
        if not statements:
            return []
        return await self._run(statements, "batch")

    async def _run(self, statements: Sequence[Statement], operation: str) -> list[list[Row]]:
        body = _body(statements, operation)
        if len(body) > self._max_body_bytes:
            raise too_large("The batch", self._max_body_bytes, operation)
        result = await self._api.call(
            "POST",
            self._path,
            backend=BACKEND,
            operation=operation,
            content=body,
            headers={"Content-Type": "application/json"},
            is_repeatable=all(only_reads(each.sql) for each in statements),
            timeout_seconds=TIMEOUT_SECONDS,
            reader=read_refusal,
        )
        try:
            rows = [_rows(each["results"]) for each in result]
        except (LookupError, TypeError, ValueError) as error:
            raise _unreadable(operation) from error
        if len(rows) != len(statements):
            raise _unreadable(operation)
        self.rows_written += sum(map(_written, result))
        return rows


def only_reads(sql: str) -> bool:
    """True where a statement surely writes nothing; a doubtful one counts as one that writes."""
    return bool(_READS.match(sql) or (_MAY_READ.match(sql) and not _WRITES.search(sql)))


def _body(statements: Sequence[Statement], operation: str) -> bytes:
    """The request's JSON, which is checked against D1's limits."""
    batch = [
        {"sql": each.sql, "params": [_to_json(value) for value in each.params]}
        for each in (encoded(statement, operation) for statement in statements)
    ]
    return json.dumps({"batch": batch}, ensure_ascii=False, allow_nan=False).encode()


def _to_json(value: Value) -> object:
    return list(value) if isinstance(value, bytes) else value


def _rows(results: Any) -> list[Row]:
    columns = results["columns"]
    return [dict(zip(columns, map(decoded, row), strict=True)) for row in results["rows"]]


def _written(answer: Any) -> int:
    """How many rows a statement wrote, 0 where D1 does not say."""
    count = (answer.get("meta") or {}).get("rows_written")
    return int(count) if isinstance(count, int | float) else 0


def _unreadable(operation: str) -> BackendProtocolError:
    return BackendProtocolError(BACKEND, operation, "D1 answered in a form it should not.")

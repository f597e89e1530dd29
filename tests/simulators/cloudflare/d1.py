"""D1's REST interface over a real SQLite, with its bindings, results, limits and failures.

A number is bound as REAL, an array as a BLOB. What comes back went through JavaScript: a BLOB is
an array of numbers, a whole REAL is written without its point, and an integer beyond 2**53 is
rounded. Several statements in one `sql` are not simulated.

Source: https://developers.cloudflare.com/d1/platform/limits/,
https://developers.cloudflare.com/d1/worker-api/ and
https://developers.cloudflare.com/d1/observability/debug-d1/ (2026-09).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, succeeded
from tests.simulators.cloudflare.d1_engine import D1Engine, Refused

DATABASE_ID = "11111111-2222-4333-8444-555555555555"
DATABASE_NAME = "dome"

FREE_DATABASE_BYTES = 500_000_000
FREE_ROWS_READ_A_DAY = 5_000_000
FREE_ROWS_WRITTEN_A_DAY = 100_000

STATEMENT_FAILED = 7500
NO_SUCH_DATABASE = 7404
INVALID_INPUT = 10001

TOO_MANY_READ = "Your account has exceeded D1's free tier daily row read limit."
TOO_MANY_WRITTEN = "Your account has exceeded D1's free tier daily row write limit."
OVERLOADED = "D1 DB is overloaded. Too many requests queued."


@dataclass(slots=True)
class D1Simulator:
    """One database of a Free account; rows read are counted as rows returned, which is fewer.

    `new_day` starts the daily allowances anew, as 00:00 UTC does.
    """

    database_id: str = DATABASE_ID
    max_rows_read: int = FREE_ROWS_READ_A_DAY
    max_rows_written: int = FREE_ROWS_WRITTEN_A_DAY
    max_bytes: int = FREE_DATABASE_BYTES
    statements: list[str] = field(default_factory=list)
    """The SQL of every statement that was taken on, in order."""
    _engine: D1Engine = field(init=False)
    _rows_read: int = 0
    _written_before: int = 0

    def __post_init__(self) -> None:
        self._engine = D1Engine(self.max_bytes)

    @property
    def rows_written(self) -> int:
        """Rows written since the database was made."""
        return self._engine.rows_written

    def new_day(self) -> None:
        self._rows_read = 0
        self._written_before = self._engine.rows_written

    def damage(self, sql: str) -> None:
        """Does what D1 refuses everybody, as a defect of the storage would."""
        self._engine.damage(sql)

    def close(self) -> None:
        self._engine.close()

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if (request.method, path) == ("GET", "/database"):
            return self._listed(request.url.params)
        if path.removeprefix("/database/").partition("/")[0] != self.database_id:
            return failed(404, NO_SUCH_DATABASE, f"The database {path} could not be found")
        match request.method, path.removeprefix(f"/database/{self.database_id}"):
            case "GET", "":
                return succeeded(self._description())
            case "POST", "/raw":
                return self._carried_out(request, _raw)
            case "POST", "/query":
                return self._carried_out(request, _objects)
        return failed(405, INVALID_INPUT, "Method not allowed")

    def _listed(self, params: httpx.QueryParams) -> httpx.Response:
        """The databases whose names have a text in them; there is one page."""
        page = int(params.get("page", "1"))
        is_here = page == 1 and params.get("name", "") in DATABASE_NAME
        found = [self._description()] if is_here else []
        return succeeded(found, result_info={"page": page, "count": len(found)})

    def _description(self) -> dict[str, Any]:
        return {"uuid": self.database_id, "name": DATABASE_NAME, "version": "production"}

    def _carried_out(self, request: httpx.Request, shape: Any) -> httpx.Response:
        statements = _statements(request.content)
        if statements is None:
            return failed(400, INVALID_INPUT, "Invalid input")
        if self._rows_read >= self.max_rows_read:
            return failed(400, STATEMENT_FAILED, TOO_MANY_READ)
        if self._engine.rows_written - self._written_before >= self.max_rows_written:
            return failed(400, STATEMENT_FAILED, TOO_MANY_WRITTEN)
        results = []
        try:
            with self._engine.transaction():
                for sql, params in statements:
                    self.statements.append(sql)
                    results.append(self._result(sql, params, shape))
        except Refused as refused:
            return failed(400, STATEMENT_FAILED, str(refused))
        return succeeded(results)

    def _result(self, sql: str, params: Sequence[Any], shape: Any) -> dict[str, Any]:
        written_before = self._engine.rows_written
        columns, rows = self._engine.run(sql, params)
        written = self._engine.rows_written - written_before
        self._rows_read += len(rows)
        meta = {
            "served_by": "simulator",
            "served_by_primary": True,
            "duration": 0.1,
            "changes": written,
            "changed_db": bool(written),
            "rows_read": len(rows),
            "rows_written": written,
            "total_attempts": 1,
        }
        seen = [[_in_javascript(value) for value in row] for row in rows]
        return {"success": True, "results": shape(columns, seen), "meta": meta}


def _raw(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    return {"columns": columns, "rows": rows}


def _objects(columns: list[str], rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _statements(content: bytes) -> list[tuple[str, list[Any]]] | None:
    """Each statement and its parameters as D1 binds them; None for a body that D1 refuses."""
    try:
        body = json.loads(content)
    except ValueError:
        return None
    if not isinstance(body, Mapping):
        return None
    listed = body.get("batch", [body])
    try:
        return [
            (_text(each["sql"]), [_bound(v) for v in each.get("params", [])]) for each in listed
        ]
    except (LookupError, TypeError, ValueError):
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bound(value: Any) -> str | float | bytes | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list):
        return bytes(value)
    raise TypeError


def _in_javascript(value: Any) -> Any:
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int):
        return int(float(value))
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21
    return int(value) if is_whole else value

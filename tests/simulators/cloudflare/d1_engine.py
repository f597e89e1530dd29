"""SQLite as D1 runs it: its limits, and the functions, PRAGMAs and statements it takes.

The lists are those of D1's engine: cloudflare/workerd@6552d999 `src/workerd/util/sqlite.c++`.
Values, as https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18) has them, are shorter
in production than the engine alone would allow.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

MAX_VALUE_BYTES = 2_000_000
MAX_SQL_BYTES = 100_000
MAX_PARAMS = 100
LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    apsw.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL_BYTES,
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: MAX_PARAMS,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
}

NO_TRANSACTION = (
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT "
    "statements."
)
WRONG_BINDINGS = "Wrong number of parameter bindings for SQL query."
FULL = "Exceeded maximum DB size."
NOTHING = "No SQL statements detected."

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)

FUNCTIONS = frozenset(
    """
    abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid
    length like likelihood likely load_extension lower ltrim max_scalar min_scalar nullif
    octet_length printf quote random randomblob replace round rtrim sign soundex substr substring
    total_changes trim typeof unhex unicode unlikely upper zeroblob
    date time datetime julianday unixepoch strftime timediff current_date current_time
    current_timestamp
    avg count group_concat max min string_agg sum total
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value
    nth_value
    acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow
    radians sin sinh sqrt tan tanh trunc
    json jsonb json_array jsonb_array json_array_length json_extract jsonb_extract -> ->>
    json_insert jsonb_insert json_object jsonb_object json_patch jsonb_patch json_remove
    jsonb_remove json_replace jsonb_replace json_set jsonb_set json_type json_valid json_quote
    json_group_array jsonb_group_array json_group_object jsonb_group_object json_each json_tree
    match highlight bm25 snippet rtreecheck
    sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_drop_column
    sqlite_rename_quotefix
    """.split()  # noqa: SIM905 - a hundred quoted words cannot be read
)
PRAGMAS = frozenset(
    """
    data_version page_size case_sensitive_like foreign_keys defer_foreign_keys
    ignore_check_constraints legacy_alter_table recursive_triggers reverse_unordered_selects
    foreign_key_check foreign_key_list index_info index_list index_xinfo quick_check optimize
    table_list table_info table_xinfo
    """.split()  # noqa: SIM905 - a hundred quoted words cannot be read
)
MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})
RESERVED = "_cf_"
"""How the names of D1's own tables begin, which no statement may touch."""

_TEMPORARY = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_VIEW,
    }
)


class Refused(Exception):
    """D1 does not carry a statement out; the message is D1's own."""


class D1Engine:
    """One database in memory, used by one caller at a time."""

    def __init__(self, max_bytes: int) -> None:
        self._is_own = True
        self._transaction_was_tried = False
        self._connection = apsw.Connection(":memory:")
        self._connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        self._connection.execute("PRAGMA foreign_keys = ON")
        page_bytes = int(self._connection.pragma("page_size"))
        self._connection.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}")
        for limit, value in LIMITS.items():
            self._connection.limit(limit, value)
        self._connection.authorizer = self._authorise
        self._is_own = False

    @property
    def rows_written(self) -> int:
        """Rows written since the database was made."""
        return self._connection.total_changes()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is run in the block, or none of it.

        Raises:
            Refused: a statement in the block was wrong.
        """
        self._run_own("BEGIN IMMEDIATE")
        try:
            yield
            self._run_own("COMMIT")
        except BaseException:  # raised again, whatever it was
            if self._connection.in_transaction:
                self._run_own("ROLLBACK")
            raise

    def run(self, sql: str, params: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
        """The columns and rows of one statement, every number among `params` a REAL already.

        Raises:
            Refused: the statement is wrong or not allowed.
        """
        self._transaction_was_tried = False
        if not _COMMENTS.sub("", sql).strip("; \t\r\n"):
            raise Refused(NOTHING)
        try:
            cursor = self._connection.execute(sql, tuple(params))
            try:
                columns = [column[0] for column in cursor.get_description()]
            except apsw.ExecutionCompleteError:  # apsw's way to say that there is no row
                return [], []
            return columns, [list(row) for row in cursor]
        except apsw.BindingsError as error:
            raise Refused(WRONG_BINDINGS) from error
        except apsw.FullError as error:
            raise Refused(FULL) from error
        except apsw.AuthError as error:
            message = NO_TRANSACTION if self._transaction_was_tried else str(error)
            raise Refused(f"{message}: SQLITE_AUTH") from error
        except apsw.ConstraintError as error:
            result = getattr(error, "extendedresult", apsw.SQLITE_CONSTRAINT_UNIQUE)
            extended = apsw.mapping_extended_result_codes[result]
            raise Refused(f"{error}: SQLITE_CONSTRAINT (extended: {extended})") from error
        except apsw.Error as error:
            code = apsw.mapping_result_codes[getattr(error, "result", apsw.SQLITE_ERROR)]
            raise Refused(f"{error}: {code}") from error

    def damage(self, sql: str) -> None:
        """Does what no caller may, as a defect below D1 would."""
        self._connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
        try:
            self._run_own(sql)
        finally:
            self._connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)

    def _run_own(self, sql: str) -> None:
        self._is_own = True
        try:
            # Kept for next time, it would be there for a caller, who may not have it.
            self._connection.execute(sql, can_cache=False)
        finally:
            self._is_own = False

    def _authorise(
        self, action: int, first: str | None, second: str | None, *_names: str | None
    ) -> int:
        return (
            apsw.SQLITE_OK
            if self._is_own or self._allows(action, first, second)
            else apsw.SQLITE_DENY
        )

    def _allows(self, action: int, first: str | None, second: str | None) -> bool:
        if action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT):
            self._transaction_was_tried = True
            return False
        if action in (apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH) or action in _TEMPORARY:
            return False
        if action == apsw.SQLITE_FUNCTION:
            return (second or "").lower() in FUNCTIONS
        if action == apsw.SQLITE_PRAGMA:
            return first in PRAGMAS
        if action == apsw.SQLITE_CREATE_VTABLE:
            return (second or "").lower() in MODULES
        return not (first or "").lower().startswith(RESERVED)

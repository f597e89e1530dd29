"""Rows on their way from one database to another as they are, table by table.

Many rows travel in one JSON parameter, so that a remote database is asked seldom; what a row is
becomes of its key within the user, never of the key that the database gave it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dome_mcp.core.ports import Row, Statement, Value

Record = dict[str, Value]

PARAMETER_BYTES = 1_000_000
"""How much one JSON parameter carries; D1 takes 2,000,000 bytes.
Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-09-18)."""

UPDATED = "updated_at_ms"


@dataclass(frozen=True, slots=True)
class Table:
    """What tells the rows of a user apart, and what else they have."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    unique: tuple[str, ...] = ()
    """What the database knows a row by, where that is more than the key."""
    settled: str | None = None
    """A row that has a value here is finished: no other takes its place."""

    @property
    def is_dated(self) -> bool:
        """Whether a row says when it was changed, so that the newer of two can be told."""
        return UPDATED in self.columns


TABLES: Mapping[str, Table] = {
    "users": Table(("user_id",), ("zone", "identity", "created_at_ms")),
    "channels": Table(
        ("name",),
        ("kind", "address", "options", "is_default", "created_at_ms"),
        unique=("user_id", "name"),
    ),
    "exchanges": Table(
        ("exchange_id",), ("session_id", "question", "answer", "note_ids", "asked_at_ms")
    ),
    "tasks": Table(
        ("task_id",),
        (
            "description", "status", "zone", "start_local", "rule", "exdates", "anchor",
            "due_at_ms", "completed_at_ms", "note_ids", "created_at_ms", UPDATED, "revision",
        ),
    ),
    "firings": Table(
        ("reminder_id", "due_at_ms"),
        ("occurrence_at_ms", "fired_at_ms", "missed", "acknowledged_at_ms"),
    ),
    "deliveries": Table(
        ("delivery_key",),
        (
            "reminder_id", "due_at_ms", "channel", "state", "attempt", "refusals",
            "not_before_ms", "lease_until_ms", "last_error", "receipt", "created_at_ms",
            "settled_at_ms",
        ),
        settled="settled_at_ms",
    ),
    # Last: what has fired and gone out is known before anything may fire.
    "reminders": Table(
        ("reminder_id",),
        (
            "task_id", "text", "zone", "start_local", "rule", "exdates", "anchor", "due_offset",
            "state", "due_at_ms", "next_at_ms", "snooze_at_ms", "snooze_of_ms", "channels",
            "catch_up", "missed", "note_ids", "created_at_ms", UPDATED, "revision", "kind",
        ),
    ),
}  # fmt: skip
"""The tables that are moved, in this order."""

TAGS = "tags"
_TAGGED = "tasks"
_TAGS = """(SELECT json_group_array(name) FROM (
    SELECT name FROM task_tags t WHERE t.task_key = x.task_key ORDER BY name)) AS tags"""

_SIZES = """
SELECT
  (SELECT count(*) FROM notes
    WHERE deleted_at_ms IS NULL AND user_id IN (SELECT value FROM json_each(?1))) AS "notes",
  (SELECT count(*) FROM note_tags
    WHERE user_id IN (SELECT value FROM json_each(?1))) AS "tags",
  (SELECT count(*) FROM chunks
    WHERE user_id IN (SELECT value FROM json_each(?1))) AS "chunks",
  (SELECT count(*) FROM tasks
    WHERE user_id IN (SELECT value FROM json_each(?1))) AS "tasks",
  (SELECT count(*) FROM task_tags
    WHERE user_id IN (SELECT value FROM json_each(?1))) AS "task tags",
  (SELECT count(*) FROM reminders
    WHERE user_id IN (SELECT value FROM json_each(?1))) AS "reminders\""""

_PAGE = """
SELECT {columns} FROM {table} x
WHERE x.user_id = ?1 AND (?2 IS NULL OR ({key}) > ({after}))
ORDER BY {key} LIMIT CAST(?3 AS INTEGER)"""

_AMONG = """
SELECT {columns} FROM {table} x
WHERE x.user_id = ?1 AND ({key}) IN (SELECT {each} FROM json_each(?2) AS j)
ORDER BY {key}"""

_PUT = """
INSERT INTO {table} ({columns}) SELECT {values} FROM json_each(?2) AS j WHERE true
ON CONFLICT ({unique}) DO UPDATE SET {changes} WHERE {table}.user_id = excluded.user_id"""

_CLEAR_TAGS = """
DELETE FROM task_tags WHERE user_id = ?1 AND task_key IN (
  SELECT t.task_key FROM json_each(?2) AS j JOIN tasks t ON t.task_id = j.value ->> 'task_id'
  WHERE t.user_id = ?1)"""

_ADD_TAGS = """
INSERT INTO task_tags (user_id, name, task_key)
SELECT ?1, tag.value, t.task_key
FROM json_each(?2) AS j JOIN tasks t ON t.task_id = j.value ->> 'task_id' AND t.user_id = ?1,
  json_each(j.value ->> 'tags') AS tag"""


def rows_page(
    table: str, user_id: str, *, after: tuple[Value, ...] | None, limit: int
) -> Statement:
    """The user's rows of one of TABLES behind a key, in the order of the keys."""
    key = TABLES[table].key
    sql = _PAGE.format(
        columns=_columns(table),
        table=table,
        key=_named(key),
        after=", ".join(f"?2 ->> {place}" for place in range(len(key))),
    )
    return Statement(sql, (user_id, None if after is None else json.dumps(after), limit))


def rows_among(table: str, user_id: str, keys: Sequence[tuple[Value, ...]]) -> Statement:
    """The user's rows of one of TABLES that have these keys."""
    key = TABLES[table].key
    sql = _AMONG.format(
        columns=_columns(table),
        table=table,
        key=_named(key),
        each=", ".join(f"j.value ->> {place}" for place in range(len(key))),
    )
    return Statement(sql, (user_id, json.dumps(keys)))


def put_rows(table: str, user_id: str, records: Sequence[Record]) -> list[Statement]:
    """Writes rows of one of TABLES, each in place of the one that has its key.

    A row whose key is another user's is not written.
    """
    of = TABLES[table]
    names = [name for name in (*of.key, *of.columns) if name != "user_id"]
    sql = _PUT.format(
        table=table,
        columns=", ".join(("user_id", *names)),
        values=", ".join(("?1", *(f"j.value ->> '{name}'" for name in names))),
        unique=", ".join(of.unique or of.key),
        changes=", ".join(f"{name} = excluded.{name}" for name in of.columns),
    )
    statements: list[Statement] = []
    for part in slices(records):
        statements.append(Statement(sql, (user_id, part)))
        if table == _TAGGED:
            statements += (
                Statement(_CLEAR_TAGS, (user_id, part)),
                Statement(_ADD_TAGS, (user_id, part)),
            )
    return statements


def sizes(user_ids: Sequence[str]) -> Statement:
    """How many rows of each kind the users have together, one row."""
    return Statement(_SIZES, (json.dumps(list(user_ids)),))


def to_record(table: str, row: Row) -> Record:
    """The row by column name, whole numbers as such, without its user."""
    of = TABLES[table]
    names = (*of.key, *of.columns, *((TAGS,) if table == _TAGGED else ()))
    return {name: to_value(row[name]) for name in names}


def key_of(table: str, record: Record) -> tuple[Value, ...]:
    return tuple(record[name] for name in TABLES[table].key)


def to_value(value: Value) -> Value:
    """The value, a whole number as one, where a driver gave it as REAL."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def slices(records: Sequence[Mapping[str, Value]]) -> Iterator[str]:
    """The records as JSON arrays, each small enough for one parameter."""
    part: list[str] = []
    size = 0
    for record in records:
        text = json.dumps(record, ensure_ascii=False)
        length = len(text.encode()) + 1
        if part and size + length > PARAMETER_BYTES:
            yield f"[{','.join(part)}]"
            part, size = [], 0
        part.append(text)
        size += length
    if part:
        yield f"[{','.join(part)}]"


def _columns(table: str) -> str:
    of = TABLES[table]
    names = _named((*of.key, *of.columns))
    return f"{names}, {_TAGS}" if table == _TAGGED else names


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f"x.{name}" for name in columns)

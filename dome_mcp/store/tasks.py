"""Tasks and their tags: the statements, and the way between rows and values."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from dome_mcp.core.agenda import Task, TaskStatus
from dome_mcp.core.ports import Row, Statement, Value
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import to_int, to_tags
from dome_mcp.store.schedules import (
    NO_SCHEDULE,
    schedule_columns,
    to_instant,
    to_optional_ms,
    to_schedule,
    to_texts,
)

_COLUMNS = """
  t.task_id, t.user_id, t.description, t.status, t.zone, t.start_local, t.rule, t.exdates,
  t.anchor, t.due_at_ms, t.completed_at_ms, t.note_ids, t.created_at_ms, t.updated_at_ms,
  t.revision,
  (SELECT json_group_array(g.name) FROM task_tags g WHERE g.task_key = t.task_key) AS tags"""

_INSERT = """
INSERT INTO tasks (
  task_id, user_id, description, status, zone, start_local, rule, exdates, anchor, due_at_ms,
  completed_at_ms, note_ids, updated_at_ms, created_at_ms, revision)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (task_id) DO NOTHING"""

# As for notes: a stale revision makes `revision` NULL, and nothing of the batch is written.
_REVISE = """
UPDATE tasks SET
  description = ?3, status = ?4, zone = ?5, start_local = ?6, rule = ?7, exdates = ?8, anchor = ?9,
  due_at_ms = ?10, completed_at_ms = ?11, note_ids = ?12, updated_at_ms = ?13,
  revision = CASE WHEN revision = CAST(?14 AS INTEGER) THEN revision + 1 END
WHERE task_id = ?1 AND user_id = ?2"""

_CLEAR_TAGS = """
DELETE FROM task_tags WHERE task_key = (
  SELECT task_key FROM tasks WHERE task_id = ?1 AND user_id = ?2)"""

# Only as of the revision they belong to, so that an insert that is repeated late brings none back.
_ADD_TAGS = """
INSERT INTO task_tags (user_id, name, task_key)
SELECT t.user_id, wanted.value, t.task_key
FROM json_each(?3) AS wanted
JOIN tasks t ON t.task_id = ?1 AND t.user_id = ?2 AND t.revision = CAST(?4 AS INTEGER)
WHERE true
ON CONFLICT DO NOTHING"""

_BY_ID = f"SELECT {_COLUMNS} FROM tasks t WHERE t.task_id = ?1 AND t.user_id = ?2"

_ALL = f"""
SELECT {_COLUMNS} FROM tasks t
WHERE t.user_id = ?1 AND t.task_id > ?2 ORDER BY t.task_id LIMIT CAST(?3 AS INTEGER)"""

# Tasks without a due time come last. What is done is listed by when that was, the last first.
_DUE_ORDER = "coalesce(t.due_at_ms, 9007199254740991)"
_DONE_ORDER = "-t.updated_at_ms"

_LIST = f"""
SELECT {_COLUMNS}, {{order}} AS position FROM tasks t
WHERE t.user_id = ?1
  AND (?2 IS NULL OR t.status = ?2)
  AND (?3 IS NULL OR t.due_at_ms >= CAST(?3 AS INTEGER))
  AND (?4 IS NULL OR t.due_at_ms < CAST(?4 AS INTEGER))
  AND NOT EXISTS (
    SELECT 1 FROM json_each(?5) AS wanted WHERE NOT EXISTS (
      SELECT 1 FROM task_tags g
      WHERE g.user_id = ?1 AND g.name = wanted.value AND g.task_key = t.task_key))
  AND (?6 IS NULL OR ({{order}}, t.task_id) > (CAST(?6 AS INTEGER), ?7))
ORDER BY position, t.task_id
LIMIT CAST(?8 AS INTEGER)"""

_COUNTS = """
SELECT
  (SELECT count(*) FROM tasks WHERE user_id = ?1 AND status = 'pending') AS pending,
  (SELECT count(*) FROM tasks
   WHERE user_id = ?1 AND status = 'pending' AND due_at_ms < CAST(?2 AS INTEGER)) AS overdue,
  (SELECT count(*) FROM tasks WHERE user_id = ?1 AND status <> 'pending') AS closed"""

Position = tuple[int, str]
"""Where a listing stands: what it is ordered by, and the task's id."""


@dataclass(frozen=True, slots=True)
class TaskSelection:
    """Which tasks a listing has; `due_after` is inclusive, `due_before` exclusive."""

    status: TaskStatus | Literal["all"] = "pending"
    due_after: datetime | None = None
    due_before: datetime | None = None
    tags: tuple[str, ...] = ()


def insert_task(task: Task) -> list[Statement]:
    """Writes a new task and its tags; one with this id that is there already is left as it is."""
    row = (*_values(task), to_ms(task.created_at), task.revision)
    return [Statement(_INSERT, row), *_add_tags(task, revision=task.revision)]


def revise_task(task: Task, *, revision: int) -> list[Statement]:
    """Writes the task as it shall be; a constraint fails where `revision` is not the stored one."""
    return [
        Statement(_REVISE, (*_values(task), revision)),
        Statement(_CLEAR_TAGS, (task.task_id, task.user_id)),
        *_add_tags(task, revision=revision + 1),
    ]


def task_by_id(task_id: str, user_id: str) -> Statement:
    return Statement(_BY_ID, (task_id, user_id))


def tasks_by_id(user_id: str, *, after: str, limit: int) -> Statement:
    """The user's tasks whose ids come after `after`, in that order."""
    return Statement(_ALL, (user_id, after, limit))


def tasks_page(
    user_id: str, among: TaskSelection, *, after: Position | None, limit: int
) -> Statement:
    """Those due first in front, or for closed tasks those closed last; rows have a `position`."""
    status = None if among.status == "all" else among.status
    order = _DUE_ORDER if status in (None, "pending") else _DONE_ORDER
    row = (
        user_id, status, to_optional_ms(among.due_after), to_optional_ms(among.due_before),
        json.dumps(among.tags), *(after or (None, None)), limit,
    )  # fmt: skip
    return Statement(_LIST.format(order=order), row)


def task_counts(user_id: str, *, now_ms: int) -> Statement:
    """One row: how many tasks are pending, how many of those overdue, and how many closed."""
    return Statement(_COUNTS, (user_id, now_ms))


def to_task(row: Row) -> Task:
    return Task(
        task_id=str(row["task_id"]),
        user_id=str(row["user_id"]),
        description=str(row["description"]),
        status=cast("TaskStatus", str(row["status"])),
        created_at=from_ms(to_int(row["created_at_ms"])),
        updated_at=from_ms(to_int(row["updated_at_ms"])),
        revision=to_int(row["revision"]),
        schedule=None if row["start_local"] is None else to_schedule(row),
        due_at=to_instant(row["due_at_ms"]),
        completed_at=to_instant(row["completed_at_ms"]),
        tags=to_tags(row["tags"]),
        note_ids=to_texts(row["note_ids"]),
    )


def to_position(row: Row) -> Position:
    """Where a listing stands after this row of it."""
    return to_int(row["position"]), str(row["task_id"])


def _values(task: Task) -> tuple[Value, ...]:
    """The values of the columns from task_id to updated_at_ms, as both statements name them."""
    schedule = NO_SCHEDULE if task.schedule is None else schedule_columns(task.schedule)
    return (
        task.task_id, task.user_id, task.description, task.status, *schedule,
        to_optional_ms(task.due_at), to_optional_ms(task.completed_at), json.dumps(task.note_ids),
        to_ms(task.updated_at),
    )  # fmt: skip


def _add_tags(task: Task, *, revision: int) -> list[Statement]:
    if not task.tags:
        return []
    row = (task.task_id, task.user_id, json.dumps(task.tags), revision)
    return [Statement(_ADD_TAGS, row)]

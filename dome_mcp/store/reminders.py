"""Reminders: the statements, and the way between rows and values."""

import json
from collections.abc import Sequence
from typing import cast

from dome_mcp.core.agenda import CatchUp, Reminder, ReminderKind, ReminderState
from dome_mcp.core.ports import Row, Statement, Value
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.store.notes import optional, to_int
from dome_mcp.store.schedules import (
    schedule_columns,
    to_instant,
    to_optional_ms,
    to_schedule,
    to_texts,
)

REMINDER_COLUMNS = """
  r.reminder_id, r.user_id, r.task_id, r.text, r.zone, r.start_local, r.rule, r.exdates, r.anchor,
  r.due_offset, r.state, r.due_at_ms, r.next_at_ms, r.snooze_at_ms, r.snooze_of_ms, r.channels,
  r.catch_up, r.missed, r.note_ids, r.created_at_ms, r.updated_at_ms, r.revision,
  r.kind"""

_INSERT = """
INSERT INTO reminders (
  reminder_id, user_id, text, zone, start_local, rule, exdates, anchor, due_offset, state,
  due_at_ms, next_at_ms, snooze_at_ms, snooze_of_ms, channels, catch_up, note_ids, missed,
  updated_at_ms, created_at_ms, task_id, revision, kind)
VALUES (
  ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
  ?22, ?23)
ON CONFLICT (reminder_id) DO NOTHING"""

# As for notes: a stale revision makes `revision` NULL, and nothing of the batch is written.
_REVISE = """
UPDATE reminders SET
  text = ?3, zone = ?4, start_local = ?5, rule = ?6, exdates = ?7, anchor = ?8, due_offset = ?9,
  state = ?10, due_at_ms = ?11, next_at_ms = ?12, snooze_at_ms = ?13, snooze_of_ms = ?14,
  channels = ?15, catch_up = ?16, note_ids = ?17, missed = ?18, updated_at_ms = ?19,
  revision = CASE WHEN revision = CAST(?20 AS INTEGER) THEN revision + 1 END
WHERE reminder_id = ?1 AND user_id = ?2"""

_BY_ID = f"SELECT {REMINDER_COLUMNS} FROM reminders r WHERE r.reminder_id = ?1 AND r.user_id = ?2"

_ALL = f"""
SELECT {REMINDER_COLUMNS} FROM reminders r
WHERE r.user_id = ?1 AND r.reminder_id > ?2 ORDER BY r.reminder_id LIMIT CAST(?3 AS INTEGER)"""

# The plus keeps SQLite from going through all reminders of the user; those of a task are few.
_OF_TASKS = f"""
SELECT {REMINDER_COLUMNS} FROM reminders r
WHERE +r.user_id = ?2 AND r.task_id IN (SELECT value FROM json_each(?1))
ORDER BY r.due_at_ms IS NULL, r.due_at_ms, r.reminder_id"""


def insert_reminder(reminder: Reminder) -> Statement:
    """Writes a new reminder; one with this id that is there already is left as it is."""
    schedule = schedule_columns(reminder.schedule)
    row = (
        reminder.reminder_id, reminder.user_id, reminder.text, *schedule, *_state(reminder),
        to_ms(reminder.created_at), reminder.task_id, reminder.revision, reminder.kind,
    )  # fmt: skip
    return Statement(_INSERT, row)


def revise_reminder(reminder: Reminder, *, revision: int) -> Statement:
    """Writes the reminder as it shall be; a constraint fails where `revision` is not the stored."""
    schedule = schedule_columns(reminder.schedule)
    row = (
        reminder.reminder_id, reminder.user_id, reminder.text, *schedule, *_state(reminder),
        revision,
    )  # fmt: skip
    return Statement(_REVISE, row)


def reminder_by_id(reminder_id: str, user_id: str) -> Statement:
    return Statement(_BY_ID, (reminder_id, user_id))


def reminders_by_id(user_id: str, *, after: str, limit: int) -> Statement:
    """The user's reminders whose ids come after `after`, in that order."""
    return Statement(_ALL, (user_id, after, limit))


def reminders_of_tasks(task_ids: Sequence[str], user_id: str) -> Statement:
    """The reminders of these tasks in whatever state, those that are due first in front."""
    return Statement(_OF_TASKS, (json.dumps(task_ids), user_id))


def to_reminder(row: Row) -> Reminder:
    """The reminder of a row read with `REMINDER_COLUMNS`."""
    return Reminder(
        reminder_id=str(row["reminder_id"]),
        user_id=str(row["user_id"]),
        text=str(row["text"]),
        schedule=to_schedule(row),
        state=cast("ReminderState", str(row["state"])),
        created_at=from_ms(to_int(row["created_at_ms"])),
        updated_at=from_ms(to_int(row["updated_at_ms"])),
        revision=to_int(row["revision"]),
        task_id=optional(row["task_id"]),
        due_at=to_instant(row["due_at_ms"]),
        next_at=to_instant(row["next_at_ms"]),
        snooze_at=to_instant(row["snooze_at_ms"]),
        snooze_of=to_instant(row["snooze_of_ms"]),
        channels=to_texts(row["channels"]),
        catch_up=cast("CatchUp", str(row["catch_up"])),
        note_ids=to_texts(row["note_ids"]),
        missed=to_int(row["missed"]),
        due_offset=optional(row["due_offset"]),
        kind=cast("ReminderKind", str(row["kind"])),
    )


def _times(reminder: Reminder) -> tuple[int | None, int | None, int | None, int | None]:
    due, upcoming = to_optional_ms(reminder.due_at), to_optional_ms(reminder.next_at)
    return due, upcoming, to_optional_ms(reminder.snooze_at), to_optional_ms(reminder.snooze_of)


def _state(reminder: Reminder) -> tuple[Value, ...]:
    """The values of the columns from due_offset to updated_at_ms, as both statements name them."""
    return (
        reminder.due_offset, reminder.state, *_times(reminder), json.dumps(reminder.channels),
        reminder.catch_up, json.dumps(reminder.note_ids), reminder.missed,
        to_ms(reminder.updated_at),
    )  # fmt: skip

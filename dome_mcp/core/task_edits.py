"""What a user asks to be changed of a task, as text, and what becomes of it and its reminders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Reminder, Task, TaskStatus
from dome_mcp.core.agenda_drafts import clean_text, due_wall, start_of_repeating, task_schedule
from dome_mcp.core.drafts import clean_tags
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.task_changes import (
    TaskChange,
    closed,
    completed,
    due_from,
    due_once_at,
    in_zone,
    reopened,
)
from dome_mcp.core.zones import parse_zone, to_instant, wall_of


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """What to change of a task; None leaves a field as it is.

    An empty `due` takes the due time away, an empty `repeat` the repetition. A new `due` alone
    moves one occurrence of a repeating task; with `repeat` it is where the series starts.
    """

    description: str | None = None
    due: str | None = None
    timezone: str | None = None
    repeat: str | None = None
    tags: tuple[str, ...] | None = None
    note_ids: tuple[str, ...] | None = None
    status: TaskStatus | None = None


def edited(
    task: Task,
    reminders: Sequence[Reminder],
    changes: TaskChanges,
    *,
    zone: ZoneInfo,
    now: datetime,
) -> TaskChange:
    """What becomes of a task; `zone` is the user's, for a due time where the task has none yet.

    `note_ids` are taken as they are.

    Raises:
        InvalidInput: something in the changes cannot work.
    """
    change = _worded(task, reminders, changes)
    if (changes.due, changes.timezone, changes.repeat) != (None, None, None):
        change = _timed(change, changes, zone=zone, now=now)
    if changes.status is None or changes.status == task.status:
        return change
    if changes.status == "completed":
        return completed(change.task, change.reminders, now=now)
    if changes.status == "cancelled":
        return closed(change.task, change.reminders, status="cancelled", now=now)
    return reopened(change.task, change.reminders, now=now)


def _worded(task: Task, reminders: Sequence[Reminder], changes: TaskChanges) -> TaskChange:
    """The task with its labels changed; its reminders say what it says."""
    after = replace(
        task,
        tags=task.tags if changes.tags is None else clean_tags(changes.tags),
        note_ids=task.note_ids if changes.note_ids is None else changes.note_ids,
    )
    if changes.description is None:
        return TaskChange(after, tuple(reminders))
    description = clean_text(changes.description, name="description")
    return TaskChange(
        replace(after, description=description),
        tuple(replace(reminder, text=description) for reminder in reminders),
    )


def _timed(
    change: TaskChange, changes: TaskChanges, *, zone: ZoneInfo, now: datetime
) -> TaskChange:
    task, reminders = change.task, change.reminders
    if changes.due is not None and not changes.due.strip():
        _require_no_repeat(changes)
        return due_from(task, None, reminders, now=now)
    zone = _zone(task, changes, zone)
    if changes.repeat is None and changes.due is None:
        return in_zone(task, zone, reminders, now=now)
    start = due_wall(changes.due, zone, now) if changes.due else _start(task, zone, now)
    is_repeating = task.schedule is not None and task.schedule.rule is not None
    if changes.repeat is None and is_repeating:
        return due_once_at(task, to_instant(start, zone), reminders, now=now)
    schedule = task_schedule(start, zone, repeat=changes.repeat, now=now)
    return due_from(task, schedule, reminders, now=now)


def _zone(task: Task, changes: TaskChanges, zone: ZoneInfo) -> ZoneInfo:
    """The zone that times in the changes are in: the one they name, the task's, or the user's."""
    if changes.timezone and changes.timezone.strip():
        return parse_zone(changes.timezone)
    return parse_zone(task.schedule.zone) if task.schedule else zone


def _start(task: Task, zone: ZoneInfo, now: datetime) -> datetime:
    """Where a new repetition starts: at the present due time, else today."""
    return wall_of(task.due_at, zone.key) if task.due_at else start_of_repeating(zone, now)


def _require_no_repeat(changes: TaskChanges) -> None:
    if changes.repeat:
        raise InvalidInput(
            "A task without a due time cannot repeat.", "Send a due time, or leave repeat out."
        )

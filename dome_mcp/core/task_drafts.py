"""From a task as it is asked for to the task and reminders that are to be written."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Reminder, Task
from dome_mcp.core.agenda_drafts import (
    MAX_REMINDERS,
    clean_text,
    due_wall,
    first_fire,
    start_of_repeating,
    task_schedule,
    timing_for_task,
)
from dome_mcp.core.drafts import clean_tags
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.reminder_changes import timed
from dome_mcp.core.task_changes import first_due, moved_along


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is asked for, times as text.

    `remind` has times of their own, or before the due time: `-1h`, `due`.
    """

    description: str
    due: str | None = None
    timezone: str | None = None
    repeat: str | None = None
    tags: tuple[str, ...] = ()
    note_ids: tuple[str, ...] = ()
    remind: tuple[str, ...] = ()


def draft_task(
    new: NewTask, zone: ZoneInfo, *, user_id: str, now: datetime
) -> tuple[Task, list[Reminder]]:
    """The task and its reminders; their ids follow from what is asked for, and when, and by whom.

    `zone` is the one that its times are in. Its notes are left out: only the database knows them.

    Raises:
        InvalidInput: no description, or a time or repetition that cannot work.
    """
    if len(new.remind) > MAX_REMINDERS:
        raise InvalidInput(
            f"{len(new.remind)} reminders are too many.", f"Send at most {MAX_REMINDERS}."
        )
    has_due, repeat = bool(new.due and new.due.strip()), new.repeat or None
    start = due_wall(new.due or "", zone, now) if has_due else None
    if start is None and repeat:
        start = start_of_repeating(zone, now)
    schedule = task_schedule(start, zone, repeat=repeat, now=now) if start else None
    task = Task(
        task_id=sortable_id(now, user_id, "task", repr((new, zone.key))),
        user_id=user_id,
        description=clean_text(new.description, name="description"),
        status="pending",
        created_at=now,
        updated_at=now,
        revision=1,
        schedule=schedule,
        due_at=first_due(schedule, now) if schedule else None,
        tags=clean_tags(new.tags),
    )
    wanted = dict.fromkeys(text.strip() for text in new.remind if text.strip())
    return task, [_reminder(text, task, zone, now=now) for text in wanted]


def _reminder(text: str, task: Task, zone: ZoneInfo, *, now: datetime) -> Reminder:
    """The reminder of a new task that `text` asks for."""
    timing = timing_for_task(text, task, zone, now=now)
    reminder = Reminder(
        reminder_id=sortable_id(now, task.user_id, "reminder", task.task_id, text),
        user_id=task.user_id,
        text=task.description,
        schedule=timing.schedule,
        state="active",
        created_at=now,
        updated_at=now,
        revision=1,
        task_id=task.task_id,
        due_offset=timing.due_offset,
    )
    if timing.due_offset is not None:
        return moved_along(reminder, task, now=now)
    return timed(reminder, next_at=first_fire(timing.schedule, now=now))

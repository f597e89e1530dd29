"""What a user does to a task: complete, cancel, reopen, edit; and what that does to its reminders.

A repeating task that is completed stays pending and is due at its next time; reminders at an offset
from the due time move along. A task that is closed for good stops its reminders. Stopped ones
that still have a future come back when it is reopened; those the user has cancelled do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Reminder, Schedule, Task, TaskStatus
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import first_at, next_at, restarted, skipping
from dome_mcp.core.reminder_changes import (
    awaits_completion,
    offset_schedule,
    resumed,
    stopped,
    timed,
)
from dome_mcp.core.zones import to_instant, wall_of


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task and its reminders as they shall be."""

    task: Task
    reminders: tuple[Reminder, ...]
    is_seen: bool = False
    """The user has dealt with what its reminders said; their notices leave the inbox."""


def is_overdue(task: Task, now: datetime) -> bool:
    return task.status == "pending" and task.due_at is not None and task.due_at < now


def completed(task: Task, reminders: Sequence[Reminder], *, now: datetime) -> TaskChange:
    """The task done: a repeating one is due again, any other is closed, as is one that ran out.

    A task that is completed already, or a second time at the same instant, stays as it is.
    """
    if task.status == "completed" or task.completed_at == now:
        return TaskChange(task, tuple(reminders))
    following = _next_time(task, now)
    if following is None:
        return closed(task, reminders, status="completed", now=now)
    schedule, due_at = following
    after = replace(task, schedule=schedule, due_at=due_at, status="pending", completed_at=now)
    moved = tuple(_after_completion(reminder, after, now=now) for reminder in reminders)
    return TaskChange(after, moved, is_seen=True)


def closed(
    task: Task, reminders: Sequence[Reminder], *, status: TaskStatus, now: datetime
) -> TaskChange:
    """The task completed or cancelled for good, its reminders stopped."""
    after = replace(task, status=status, completed_at=now if status == "completed" else None)
    return TaskChange(after, tuple(map(_halted, reminders)), is_seen=True)


def reopened(task: Task, reminders: Sequence[Reminder], *, now: datetime) -> TaskChange:
    """The task pending again, with those of its reminders that still have a future."""
    after = replace(task, status="pending", completed_at=None)
    back = tuple(
        resumed(reminder, now=now) if reminder.state == "finished" else reminder
        for reminder in reminders
    )
    return TaskChange(after, back)


def due_from(
    task: Task, schedule: Schedule | None, reminders: Sequence[Reminder], *, now: datetime
) -> TaskChange:
    """The task with another schedule, or none; reminders at an offset move along, or stop."""
    due_at = first_due(schedule, now) if schedule else None
    after = replace(task, schedule=schedule, due_at=due_at)
    return TaskChange(after, tuple(moved_along(each, after, now=now) for each in reminders))


def due_once_at(
    task: Task, due_at: datetime, reminders: Sequence[Reminder], *, now: datetime
) -> TaskChange:
    """The task with this one occurrence at another time; a repeating one goes on as it would."""
    schedule = task.schedule
    if schedule and schedule.rule and task.due_at and _occurs(schedule, task.due_at):
        schedule = skipping(schedule, task.due_at)
    after = replace(task, schedule=schedule, due_at=due_at)
    return TaskChange(after, tuple(moved_along(each, after, now=now) for each in reminders))


def first_due(schedule: Schedule, now: datetime) -> datetime | None:
    """When a new task is due: a repeating one in the future where it can be."""
    first = first_at(schedule)
    if schedule.rule is None or first is None or first > now:
        return first
    return next_at(schedule, now) or first


def in_zone(
    task: Task, zone: ZoneInfo, reminders: Sequence[Reminder], *, now: datetime
) -> TaskChange:
    """The task due at the same time of day in another zone.

    Raises:
        InvalidInput: it has no due time.
    """
    if task.schedule is None or task.due_at is None:
        raise InvalidInput(
            "The task has no due time that could be in a time zone.", "Send due as well."
        )
    due_at = to_instant(wall_of(task.due_at, task.schedule.zone), zone)
    after = replace(task, schedule=replace(task.schedule, zone=zone.key), due_at=due_at)
    return TaskChange(after, tuple(moved_along(each, after, now=now) for each in reminders))


def moved_along(reminder: Reminder, task: Task, *, now: datetime) -> Reminder:
    """The reminder at its offset from the task's due time; without an offset as it is."""
    if reminder.due_offset is None or reminder.state == "cancelled":
        return reminder
    if task.schedule is None or task.due_at is None:
        return stopped(reminder)
    schedule = offset_schedule(reminder.due_offset, task.due_at, zone=task.schedule.zone)
    at = first_at(schedule)
    moved = replace(reminder, schedule=schedule, missed=0)
    is_wanted = task.status == "pending" and at is not None and at > now
    return timed(moved, next_at=at) if is_wanted else stopped(moved)


def _next_time(task: Task, now: datetime) -> tuple[Schedule, datetime] | None:
    """The schedule and due time after the present occurrence; None where there is no more."""
    schedule = task.schedule
    if schedule is None or schedule.rule is None or task.due_at is None:
        return None
    if awaits_completion(schedule):
        schedule = restarted(schedule, now)
        due_at = first_at(schedule)
    else:
        due_at = next_at(schedule, max(task.due_at, now))
    return (schedule, due_at) if due_at else None


def _occurs(schedule: Schedule, at: datetime) -> bool:
    """Whether the schedule itself has this time; an occurrence that was moved is not in it."""
    return next_at(schedule, at - timedelta(seconds=1)) == at


def _after_completion(reminder: Reminder, task: Task, *, now: datetime) -> Reminder:
    """The reminder for the task's next occurrence.

    A single time of its own before the next due time was about the occurrence that is now done.
    """
    if reminder.due_offset is not None:
        return moved_along(reminder, task, now=now)
    is_over = (
        reminder.schedule.rule is None
        and reminder.due_at is not None
        and task.due_at is not None
        and reminder.due_at < task.due_at
    )
    return stopped(reminder) if is_over else reminder


def _halted(reminder: Reminder) -> Reminder:
    return stopped(reminder) if reminder.state == "active" else reminder

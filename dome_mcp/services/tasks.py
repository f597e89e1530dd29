"""Creating, listing, changing and completing tasks; a task's reminders go with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import Reminder, Task, TaskStatus
from dome_mcp.core.cursors import from_cursor, to_cursor
from dome_mcp.core.drafts import clean_tags
from dome_mcp.core.errors import BackendRejected, Conflict, InvalidInput
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.recurrence import upcoming
from dome_mcp.core.reminder_changes import NEXT_FIRES
from dome_mcp.core.task_changes import TaskChange, completed, is_overdue
from dome_mcp.core.task_drafts import NewTask, draft_task
from dome_mcp.core.task_edits import TaskChanges, edited
from dome_mcp.core.timestamps import local_iso, parse_end, parse_instant
from dome_mcp.core.when import parse_when
from dome_mcp.core.zones import parse_zone, to_instant
from dome_mcp.services.agenda import (
    TRIES,
    ReminderView,
    known_notes,
    reminders_of,
    require_limit,
    revised,
    stored_task,
    view_reminders,
)
from dome_mcp.store import firings, reminders, tasks
from dome_mcp.store.tasks import TaskSelection

STATUSES = ("pending", "completed", "cancelled", "all")


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; dates as text, a date alone from its beginning or to its end."""

    status: TaskStatus | Literal["all"] = "pending"
    due_before: str | None = None
    due_after: str | None = None
    overdue: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with its reminders. `next_dues` are its next due times, at most three."""

    task: Task
    reminders: tuple[ReminderView, ...] = ()
    next_dues: tuple[datetime, ...] = ()
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks of a listing, and where the next page starts."""

    tasks: tuple[TaskView, ...]
    next_cursor: str | None = None


async def create_task(
    new: NewTask, ports: Ports, *, user_id: str, now: datetime, zone: str
) -> TaskView:
    """Stores a task with its reminders and returns it; `zone` is the user's, where it names none.

    The same call at the same instant is the same task. A due time may be past; then it is overdue.

    Raises:
        InvalidInput: no description, or a time or repetition that cannot work.
        NotFound: no such note.
    """
    task, its_reminders = draft_task(
        new, parse_zone(new.timezone or zone), user_id=user_id, now=now
    )
    task = replace(task, note_ids=await known_notes(new.note_ids, ports, user_id=user_id))
    await ports.database.batch(
        [*tasks.insert_task(task), *map(reminders.insert_reminder, its_reminders)]
    )
    return await get_task(task.task_id, ports, user_id=user_id, now=now)


async def get_task(task_id: str, ports: Ports, *, user_id: str, now: datetime) -> TaskView:
    """The task with its reminders.

    Raises:
        NotFound: the user has no such task.
    """
    task = await stored_task(task_id, ports, user_id=user_id)
    (view,) = await _views([task], ports, user_id=user_id, now=now)
    return view


async def list_tasks(
    among: TaskFilter,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    zone: str,
    limit: int = 20,
    cursor: str | None = None,
) -> TaskPage:
    """A page of tasks: the pending ones by due time, the closed ones latest first.

    Raises:
        InvalidInput: a limit outside 1 to 200, a date that is none, or a cursor no listing gave.
    """
    require_limit(limit)
    after = from_cursor(cursor, tool="list_tasks") if cursor else None
    selection = _selection(among, parse_zone(zone), now)
    rows = await ports.database.query(
        tasks.tasks_page(user_id, selection, after=after, limit=limit + 1)
    )
    found = [tasks.to_task(row) for row in rows[:limit]]
    next_cursor = to_cursor(tasks.to_position(rows[limit - 1])) if len(rows) > limit else None
    return TaskPage(await _views(found, ports, user_id=user_id, now=now), next_cursor)


async def update_task(
    task_id: str,
    changes: TaskChanges,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    zone: str,
    revision: int | None = None,
) -> TaskView:
    """Changes a task, closes or reopens it, and returns it; `zone` is the user's.

    `revision` is the one the caller has read; without it the change is made to whatever is there.

    Raises:
        NotFound: no such task or note.
        InvalidInput: something in the changes cannot work.
        Conflict: the task is at another revision, or kept changing.
    """
    user_zone = parse_zone(zone)
    if changes.note_ids is not None:
        known = await known_notes(changes.note_ids, ports, user_id=user_id)
        changes = replace(changes, note_ids=known)
    return await _change(
        task_id,
        lambda task, its: edited(task, its, changes, zone=user_zone, now=now),
        ports,
        user_id=user_id,
        now=now,
        revision=revision,
    )


async def complete_task(task_id: str, ports: Ports, *, user_id: str, now: datetime) -> TaskView:
    """Completes a task and returns it; a repeating one stays pending, due at its next time.

    Raises:
        NotFound: no such task.
        Conflict: it kept changing meanwhile.
    """
    return await _change(
        task_id, lambda task, its: completed(task, its, now=now), ports, user_id=user_id, now=now
    )


async def _change(
    task_id: str,
    decide: Callable[[Task, Sequence[Reminder]], TaskChange],
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    revision: int | None = None,
) -> TaskView:
    """Makes the change that `decide` says, anew where the task or a reminder changed meanwhile."""
    for _ in range(TRIES):
        task = await stored_task(task_id, ports, user_id=user_id)
        if revision is not None and task.revision != revision:
            raise Conflict(
                f"Task {task.task_id} is at revision {task.revision}, not {revision}.",
                "Read it again with list_tasks and repeat the change on what it says now.",
            )
        its = await reminders_of([task.task_id], ports, user_id=user_id)
        if await _is_written(task, its, decide(task, its), ports, now=now):
            return await get_task(task.task_id, ports, user_id=user_id, now=now)
    raise Conflict(f"Task {task_id[:60]} keeps changing.", "Try again in a moment.")


async def _is_written(
    task: Task, its: tuple[Reminder, ...], change: TaskChange, ports: Ports, *, now: datetime
) -> bool:
    """Writes a change; False where the task or a reminder is no longer as it was read."""
    after = replace(change.task, updated_at=now)
    statements: list[Statement] = []
    if (change.task, change.reminders) != (task, its):
        # A reminder that was added, or snoozed, meanwhile must not outlive its task. The first
        # raises the task's revision, the second its own.
        statements += tasks.revise_task(after, revision=task.revision)
        statements += revised(its, change.reminders, now=now, is_strict=change.is_seen)
    for each in its if change.is_seen else ():
        statements += firings.acknowledge(each.reminder_id, each.user_id, now=now)
    try:
        await ports.database.batch(statements)
    except BackendRejected:
        present = await stored_task(task.task_id, ports, user_id=task.user_id)
        present_its = await reminders_of([task.task_id], ports, user_id=task.user_id)
        if (present, present_its) == (task, its):
            raise
        # A write whose answer was lost, and that was sent again, is refused by its own success.
        return present == replace(after, revision=task.revision + 1)
    return True


def _selection(among: TaskFilter, zone: ZoneInfo, now: datetime) -> TaskSelection:
    if among.status not in STATUSES:
        raise InvalidInput(
            f"There is no status {among.status!r}.", f"Send one of {', '.join(STATUSES)}."
        )
    before = _bound(among.due_before, zone, now, name="due_before")
    if among.overdue:
        before = min(before or now, now)
    return TaskSelection(
        status="pending" if among.overdue else among.status,
        due_after=_bound(among.due_after, zone, now, name="due_after"),
        due_before=before,
        tags=clean_tags(among.tags),
    )


def _bound(text: str | None, zone: ZoneInfo, now: datetime, *, name: str) -> datetime | None:
    """The instant a bound of a window means: `+7d` from now, or a date, whose day is within."""
    value = (text or "").strip()
    if not value:
        return None
    if value.startswith(("+", "in ")):
        return to_instant(parse_when(value, zone, now), zone)
    parse = parse_end if name == "due_before" else parse_instant
    try:
        return parse(value, zone, name=name)
    except InvalidInput as error:
        present = f"Or +7d from now. It is now {local_iso(now, zone)} ({zone.key})."
        raise InvalidInput(error.message, f"{error.hint} {present}") from error


async def _views(
    shown: Sequence[Task], ports: Ports, *, user_id: str, now: datetime
) -> tuple[TaskView, ...]:
    """The tasks with their reminders, two reads for all of them."""
    its = await reminders_of([task.task_id for task in shown], ports, user_id=user_id)
    views = await view_reminders(its, ports, user_id=user_id)
    return tuple(
        TaskView(
            task,
            tuple(view for view in views if view.reminder.task_id == task.task_id),
            next_dues=_next_dues(task),
            is_overdue=is_overdue(task, now),
        )
        for task in shown
    )


def _next_dues(task: Task) -> tuple[datetime, ...]:
    if task.status != "pending" or task.schedule is None or task.due_at is None:
        return ()
    return (task.due_at, *upcoming(task.schedule, task.due_at, NEXT_FIRES - 1))

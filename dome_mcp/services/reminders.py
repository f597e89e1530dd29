"""Creating, listing and changing reminders, and the inbox of those that fired."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dome_mcp.core.agenda import Delivery, Firing, Reminder, Task
from dome_mcp.core.agenda_drafts import clock_warnings
from dome_mcp.core.cursors import from_cursor, to_cursor
from dome_mcp.core.errors import BackendRejected, Conflict
from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction, ReminderChange, changed
from dome_mcp.core.reminder_drafts import NewReminder, draft_reminder, require_subject
from dome_mcp.core.zones import parse_zone
from dome_mcp.services.agenda import (
    TRIES,
    ReminderView,
    known_channels,
    known_notes,
    require_limit,
    revised,
    stored_reminder,
    stored_task,
    view_reminders,
)
from dome_mcp.store import firings, reminder_listings, reminders, tasks
from dome_mcp.store.reminder_listings import ReminderListing


@dataclass(frozen=True, slots=True)
class ReminderQuery:
    """Which reminders to list: `upcoming` by when they fire, the others latest first."""

    state: ReminderListing = "upcoming"
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReminderPage:
    """Reminders of a listing, and where the next page starts."""

    reminders: tuple[ReminderView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A firing that nobody acknowledged, and its deliveries that failed for good."""

    firing: Firing
    reminder: Reminder
    failed: tuple[Delivery, ...] = ()


async def create_reminder(
    new: NewReminder, ports: Ports, *, user_id: str, now: datetime, zone: str
) -> ReminderView:
    """Stores a reminder and returns it; the same call at the same instant is the same reminder.

    `zone` is the user's, for a reminder that names none. One for a task fires when that is due,
    unless it names another time: `-1h` before, or one of its own.

    Raises:
        InvalidInput: text and task_id both or neither, or a time or repetition that cannot work.
        NotFound: no such task, note or channel.
        Conflict: the task kept changing meanwhile.
    """
    require_subject(new)
    task_id = (new.task_id or "").strip()
    new = replace(
        new,
        channels=await known_channels(new.channels, ports, user_id=user_id),
        note_ids=await known_notes(new.note_ids, ports, user_id=user_id),
    )
    for _ in range(TRIES):
        task = await stored_task(task_id, ports, user_id=user_id) if task_id else None
        reminder = draft_reminder(new, task, zone=zone, user_id=user_id, now=now)
        if await _is_inserted(reminder, task, ports, now=now):
            stored = await stored_reminder(reminder.reminder_id, ports, user_id=user_id)
            return await _view(stored, ports, is_new=True)
    raise Conflict(f"Task {task_id[:60]} keeps changing.", "Try again in a moment.")


async def list_reminders(
    query: ReminderQuery,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    limit: int = 20,
    cursor: str | None = None,
) -> ReminderPage:
    """A page of reminders with what they fired last.

    `missed` has those that are overdue because nothing runs, and those that fired late for
    several occurrences at once.

    Raises:
        InvalidInput: a limit outside 1 to 200, or a cursor that no listing gave.
        NotFound: no such task.
    """
    require_limit(limit)
    after = from_cursor(cursor, tool="list_reminders") if cursor else None
    task_id = None
    if query.task_id:
        task_id = (await stored_task(query.task_id, ports, user_id=user_id)).task_id
    rows = await ports.database.query(
        reminder_listings.reminders_page(
            user_id, query.state, task_id=task_id, after=after, limit=limit + 1, now=now
        )
    )
    shown = [reminders.to_reminder(row) for row in rows[:limit]]
    next_cursor = None
    if len(rows) > limit:
        next_cursor = to_cursor(reminder_listings.to_position(rows[limit - 1]))
    return ReminderPage(await view_reminders(shown, ports, user_id=user_id), next_cursor)


async def update_reminder(
    reminder_id: str,
    change: ReminderAction,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    zone: str,
) -> ReminderView:
    """Snoozes, reschedules, acknowledges, cancels or resumes a reminder and returns it.

    A snooze is for the occurrence that fired last, or the next one, and without a time for an
    hour. Its `at` is in `zone`, the user's, that of a reschedule in the reminder's own.

    Raises:
        NotFound: no such reminder.
        InvalidInput: a time that cannot work, or nothing there to snooze, move or resume.
        Conflict: it kept changing meanwhile.
    """
    parsed = parse_zone(zone)
    for _ in range(TRIES):
        before = await stored_reminder(reminder_id, ports, user_id=user_id)
        last = await _last_firing(before, ports)
        wanted = changed(before, change, last=last, zone=parsed, now=now)
        if await _is_written(before, wanted, ports, now=now):
            stored = await stored_reminder(before.reminder_id, ports, user_id=user_id)
            is_restarted = stored.schedule.start != before.schedule.start
            return await _view(stored, ports, is_new=is_restarted)
    raise Conflict(f"Reminder {reminder_id[:60]} keeps changing.", "Try again in a moment.")


async def inbox(
    ports: Ports, *, user_id: str, now: datetime, limit: int = 10
) -> tuple[InboxItem, ...]:
    """What fired up to now and nobody acknowledged, newest first."""
    rows = await ports.database.query(firings.open_firings(user_id, limit=limit))
    found = [(firings.to_firing(row), reminders.to_reminder(row)) for row in rows]
    if not found:
        return ()
    failed_rows = await ports.database.query(reminder_listings.failed_of_open(user_id))
    failed = list(map(firings.to_delivery, failed_rows))
    return tuple(InboxItem(firing, reminder, _of(firing, failed)) for firing, reminder in found)


async def _is_inserted(
    reminder: Reminder, task: Task | None, ports: Ports, *, now: datetime
) -> bool:
    """Writes a new reminder; False where its task is no longer as it was read.

    It raises the task's revision, so that whoever completes the task knows of the reminder.
    """
    statements = [reminders.insert_reminder(reminder)]
    if task is not None:
        present = reminders.reminder_by_id(reminder.reminder_id, reminder.user_id)
        if await ports.database.query(present):
            return True
        touched = replace(task, updated_at=now)
        statements += tasks.revise_task(touched, revision=task.revision)
    try:
        await ports.database.batch(statements)
    except BackendRejected:
        if task is None or await stored_task(task.task_id, ports, user_id=task.user_id) == task:
            raise
        return False
    return True


async def _last_firing(reminder: Reminder, ports: Ports) -> Firing | None:
    rows = await ports.database.query(
        reminder_listings.last_firings([reminder.reminder_id], reminder.user_id, each=1)
    )
    return firings.to_firing(rows[0]) if rows else None


async def _is_written(
    before: Reminder, change: ReminderChange, ports: Ports, *, now: datetime
) -> bool:
    """Writes a change; False where the reminder is no longer as it was read."""
    statements = revised([before], [change.reminder], now=now)
    if change.is_seen:
        statements += firings.acknowledge(before.reminder_id, before.user_id, now=now)
    try:
        await ports.database.batch(statements)
    except BackendRejected:
        present = await stored_reminder(before.reminder_id, ports, user_id=before.user_id)
        if present.revision == before.revision:
            raise
        # A write whose answer was lost, and that was sent again, is refused by its own success.
        return present == replace(change.reminder, updated_at=now, revision=before.revision + 1)
    return True


async def _view(reminder: Reminder, ports: Ports, *, is_new: bool) -> ReminderView:
    """The reminder as it is shown; where its times are new, with what is odd about the first."""
    (view,) = await view_reminders([reminder], ports, user_id=reminder.user_id)
    if not is_new:
        return view
    return replace(view, warnings=clock_warnings(reminder.schedule, view.next_fires))


def _of(firing: Firing, deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    wanted = (firing.reminder_id, firing.due_at)
    return tuple(each for each in deliveries if (each.reminder_id, each.due_at) == wanted)

"""What tasks and reminders share: reading them, and checking what they name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from dome_mcp.core.agenda import Delivery, Firing, Reminder, Task
from dome_mcp.core.errors import InvalidInput, NotFound
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.reminder_changes import next_fires
from dome_mcp.services.channels import channel_named
from dome_mcp.store import firings, notes, reminder_listings, reminders, tasks

MAX_PAGE = 200
SHOWN_FIRINGS = 3
TRIES = 8
"""How often a change is made anew because what it is made to fired, or was changed, meanwhile."""

T = TypeVar("T", Firing, Delivery)


@dataclass(frozen=True, slots=True)
class ReminderView:
    """A reminder with all a user may want to know of it; firings and deliveries latest first."""

    reminder: Reminder
    next_fires: tuple[datetime, ...] = ()
    warnings: tuple[str, ...] = ()
    firings: tuple[Firing, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


async def stored_task(task_id: str, ports: Ports, *, user_id: str) -> Task:
    """The user's task.

    Raises:
        NotFound: there is none with this id.
    """
    rows = await ports.database.query(tasks.task_by_id(task_id.strip(), user_id))
    if not rows:
        raise NotFound("task", task_id[:60], "Use list_tasks to find the task's id.")
    return tasks.to_task(rows[0])


async def stored_reminder(reminder_id: str, ports: Ports, *, user_id: str) -> Reminder:
    """The user's reminder.

    Raises:
        NotFound: there is none with this id.
    """
    rows = await ports.database.query(reminders.reminder_by_id(reminder_id.strip(), user_id))
    if not rows:
        raise NotFound("reminder", reminder_id[:60], "Use list_reminders to find its id.")
    return reminders.to_reminder(rows[0])


async def reminders_of(
    task_ids: Sequence[str], ports: Ports, *, user_id: str
) -> tuple[Reminder, ...]:
    """The reminders of these tasks in whatever state, the soonest first."""
    rows = await ports.database.query(reminders.reminders_of_tasks(task_ids, user_id))
    return tuple(map(reminders.to_reminder, rows))


async def view_reminders(
    shown: Sequence[Reminder], ports: Ports, *, user_id: str
) -> tuple[ReminderView, ...]:
    """The reminders with when they fire next and what they fired last."""
    if not shown:
        return ()
    ids = [reminder.reminder_id for reminder in shown]
    fired_rows, delivery_rows = await ports.database.batch(
        [
            reminder_listings.last_firings(ids, user_id, each=SHOWN_FIRINGS),
            reminder_listings.last_deliveries(ids, user_id, each=SHOWN_FIRINGS),
        ]
    )
    fired = _by_reminder(map(firings.to_firing, fired_rows))
    deliveries = _by_reminder(map(firings.to_delivery, delivery_rows))
    return tuple(
        ReminderView(
            reminder,
            next_fires=next_fires(reminder),
            firings=fired.get(reminder.reminder_id, ()),
            deliveries=deliveries.get(reminder.reminder_id, ()),
        )
        for reminder in shown
    )


def revised(
    before: Sequence[Reminder],
    after: Sequence[Reminder],
    *,
    now: datetime,
    is_strict: bool = False,
) -> list[Statement]:
    """Writes the reminders that differ; a constraint fails where one is no longer as `before`.

    With `is_strict` it fails also where one that is to stay as it is has changed: one that had
    ended when its task was closed, and that was snoozed meanwhile, would outlive the task.
    """
    return [
        reminders.revise_reminder(replace(new, updated_at=now), revision=old.revision)
        for old, new in zip(before, after, strict=True)
        if is_strict or new != old
    ]


async def known_notes(note_ids: Sequence[str], ports: Ports, *, user_id: str) -> tuple[str, ...]:
    """The ids, each once, in their order.

    Raises:
        NotFound: the user has no such note.
    """
    wanted = list(dict.fromkeys(note_id.strip() for note_id in note_ids if note_id.strip()))
    if not wanted:
        return ()
    rows = await ports.database.query(notes.notes_by_id(wanted, user_id))
    present = {str(row["note_id"]) for row in rows}
    for note_id in wanted:
        if note_id not in present:
            raise NotFound("note", note_id[:60], "Use list_notes or search to find the note's id.")
    return tuple(wanted)


async def known_channels(names: Sequence[str], ports: Ports, *, user_id: str) -> tuple[str, ...]:
    """The names as they are stored, each once, in their order.

    Raises:
        NotFound: the user has no such channel; the hint lists those there are.
    """
    wanted = [name for name in names if name.strip()]
    found = [(await channel_named(name, ports, user_id=user_id)).name for name in wanted]
    return tuple(dict.fromkeys(found))


def require_limit(limit: int) -> None:
    """Sees to it that a page may be this long.

    Raises:
        InvalidInput: a limit outside 1 to 200.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"limit {limit} is out of range.", f"Send 1 to {MAX_PAGE}.")


def _by_reminder(items: Iterable[T]) -> dict[str, tuple[T, ...]]:
    """Items by their reminder, which must stand in runs."""
    groups = groupby(items, key=lambda item: item.reminder_id)
    return {reminder_id: tuple(group) for reminder_id, group in groups}

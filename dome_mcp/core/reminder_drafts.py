"""From a reminder as it is asked for to the reminder that is to be written."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import CatchUp, Reminder, Task
from dome_mcp.core.agenda_drafts import (
    AT_DUE,
    Recurrence,
    Timing,
    clean_text,
    first_fire,
    reminder_schedule,
    timing_for_task,
)
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.reminder_changes import timed
from dome_mcp.core.zones import parse_zone


@dataclass(frozen=True, slots=True)
class NewReminder:
    """A reminder as it is asked for, times as text; for a task, or with a text of its own."""

    text: str | None = None
    task_id: str | None = None
    at: str | None = None
    timezone: str | None = None
    repeat: str | None = None
    until: str | None = None
    count: int | None = None
    channels: tuple[str, ...] = ()
    catch_up: CatchUp = "fire"
    note_ids: tuple[str, ...] = ()


def require_subject(new: NewReminder) -> None:
    """Sees to it that the reminder is about something.

    Raises:
        InvalidInput: it has both a text and a task, or neither.
    """
    if bool((new.text or "").strip()) == bool((new.task_id or "").strip()):
        raise InvalidInput(
            "A reminder has either a text or a task.", "Send one of text and task_id."
        )


def draft_reminder(
    new: NewReminder, task: Task | None, *, zone: str, user_id: str, now: datetime
) -> Reminder:
    """The reminder; its id follows from what is asked for, and when, and by whom.

    `task` is the one it names; `zone` is the user's. Its notes and channels are taken as they are.

    Raises:
        InvalidInput: a closed task, an empty text, or a time or repetition that cannot work.
    """
    if task is not None and task.status != "pending":
        raise InvalidInput(
            f"The task is {task.status}.", "Reopen it with update_task first, or send a text."
        )
    text = task.description if task else clean_text(new.text or "", name="text")
    timing = _timing(new, task, zone=_zone(new, task, zone), now=now)
    reminder = Reminder(
        reminder_id=sortable_id(now, user_id, "reminder", repr((new, timing))),
        user_id=user_id,
        text=text,
        schedule=timing.schedule,
        state="active",
        created_at=now,
        updated_at=now,
        revision=1,
        task_id=task.task_id if task else None,
        channels=new.channels,
        catch_up=new.catch_up,
        note_ids=new.note_ids,
        due_offset=timing.due_offset,
    )
    return timed(reminder, next_at=first_fire(timing.schedule, now=now))


def _timing(new: NewReminder, task: Task | None, *, zone: ZoneInfo, now: datetime) -> Timing:
    """When a new reminder fires; one for a task when that is due, unless it says otherwise."""
    recurrence = Recurrence(new.repeat or None, until=new.until or None, count=new.count)
    if task is None or recurrence != Recurrence():
        return Timing(reminder_schedule(new.at, zone, recurrence=recurrence, now=now))
    return timing_for_task(new.at or AT_DUE, task, zone, now=now)


def _zone(new: NewReminder, task: Task | None, zone: str) -> ZoneInfo:
    """The zone the reminder names, else its task's, else the user's."""
    of_task = task.schedule.zone if task and task.schedule else None
    return parse_zone(new.timezone or of_task or zone)

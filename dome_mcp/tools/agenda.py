"""Tasks and reminders as the tools and the resources show them.

Dates are ISO 8601 with the offset of the item's own zone, but for a task's `due`, which is in the
user's; `when` says it in words, to be read back to the user.
"""

from typing import NotRequired
from zoneinfo import ZoneInfo

# The standard library's TypedDict lacks what pydantic needs of it before Python 3.12.
from typing_extensions import TypedDict

from dome_mcp.core.agenda import Delivery, Firing
from dome_mcp.core.notices import moment_words
from dome_mcp.core.recurrence import readable
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services.agenda import ReminderView
from dome_mcp.services.tasks import TaskView
from dome_mcp.tools.excerpts import shortened

TEXT_CHARACTERS = 300
"""How much of a description or an error a line has; the structured result has it whole."""


class FiringResult(TypedDict):
    """One time a reminder fired; `missed` counts the earlier occurrences it speaks for."""

    due: str
    fired: str
    missed: int
    acknowledged: bool


class DeliveryResult(TypedDict):
    """A notice on its way by one channel; `error` is what the channel last said against it."""

    due: str
    channel: str
    state: str
    error: NotRequired[str]


class ReminderResult(TypedDict):
    """A reminder; `local` is when it fires next, the first of `next_fires`."""

    reminder_id: str
    text: str
    state: str
    local: NotRequired[str]
    when: NotRequired[str]
    timezone: str
    next_fires: list[str]
    repeat: NotRequired[str]
    repeat_words: NotRequired[str]
    snoozed: NotRequired[bool]
    channels: list[str]
    catch_up: str
    task_id: NotRequired[str]
    note_ids: NotRequired[list[str]]
    fired: NotRequired[list[FiringResult]]
    deliveries: NotRequired[list[DeliveryResult]]
    warnings: list[str]


class TaskResult(TypedDict):
    """A task with its reminders; `due` is in the user's zone, `due_local` in the task's own."""

    task_id: str
    description: str
    status: str
    due: NotRequired[str]
    due_local: NotRequired[str]
    when: NotRequired[str]
    overdue: NotRequired[bool]
    next_dues: NotRequired[list[str]]
    timezone: NotRequired[str]
    repeat: NotRequired[str]
    repeat_words: NotRequired[str]
    completed: NotRequired[str]
    tags: list[str]
    note_ids: list[str]
    revision: int
    reminders: list[ReminderResult]


def task_result(view: TaskView, *, zone: ZoneInfo) -> TaskResult:
    """The task as programs read it; `zone` is the user's."""
    task = view.task
    result: TaskResult = {
        "task_id": task.task_id,
        "description": task.description,
        "status": task.status,
        "tags": list(task.tags),
        "note_ids": list(task.note_ids),
        "revision": task.revision,
        "reminders": [reminder_result(reminder) for reminder in view.reminders],
    }
    if task.schedule is not None:
        result["timezone"] = task.schedule.zone
        if task.schedule.rule:
            own = ZoneInfo(task.schedule.zone)
            result["next_dues"] = [local_iso(at, own) for at in view.next_dues]
            result["repeat"] = task.schedule.rule
            result["repeat_words"] = readable(task.schedule)
        if task.due_at is not None:
            result["due"] = local_iso(task.due_at, zone)
            result["due_local"] = local_iso(task.due_at, ZoneInfo(task.schedule.zone))
            result["when"] = moment_words(task.due_at, task.schedule.zone)
            result["overdue"] = view.is_overdue
    if task.completed_at is not None:
        result["completed"] = local_iso(task.completed_at, zone)
    return result


def reminder_result(view: ReminderView) -> ReminderResult:
    """The reminder as programs read it, in its own zone."""
    reminder, zone = view.reminder, ZoneInfo(view.reminder.schedule.zone)
    result: ReminderResult = {
        "reminder_id": reminder.reminder_id,
        "text": reminder.text,
        "state": reminder.state,
        "timezone": zone.key,
        "next_fires": [local_iso(at, zone) for at in view.next_fires],
        "channels": list(reminder.channels),
        "catch_up": reminder.catch_up,
        "warnings": list(view.warnings),
    }
    if view.next_fires:
        result["local"] = result["next_fires"][0]
        result["when"] = moment_words(view.next_fires[0], zone.key)
    if reminder.schedule.rule:
        result["repeat"] = reminder.schedule.rule
        result["repeat_words"] = readable(reminder.schedule)
    if reminder.snooze_at is not None:
        result["snoozed"] = True
    if reminder.task_id:
        result["task_id"] = reminder.task_id
    if reminder.note_ids:
        result["note_ids"] = list(reminder.note_ids)
    if view.firings:
        result["fired"] = [_firing_result(firing, zone=zone) for firing in view.firings]
    if view.deliveries:
        result["deliveries"] = [_delivery_result(each, zone=zone) for each in view.deliveries]
    return result


def task_line(task: TaskResult) -> str:
    """A task on one line: what, when, how it repeats, its reminders, tags, id."""
    state = task["status"] if task["status"] != "pending" else ""
    reminders = [each["local"][:16] for each in task["reminders"] if "local" in each]
    parts = [
        shortened(task["description"], TEXT_CHARACTERS),
        "OVERDUE" if task.get("overdue") else state,
        f"due {task['when']}" if "when" in task else "",
        task.get("repeat_words", ""),
        f"reminders {', '.join(reminders)}" if reminders else "",
        " ".join(f"#{tag}" for tag in task["tags"]),
        task["task_id"],
    ]
    return " · ".join(filter(None, parts))


def reminder_line(reminder: ReminderResult) -> str:
    """A reminder on one line: what, when, and then when, how it repeats, by what, id."""
    later = [fire[:16] for fire in reminder["next_fires"][1:]]
    fired = reminder.get("fired", ())
    parts = [
        shortened(reminder["text"], TEXT_CHARACTERS),
        reminder["state"] if reminder["state"] != "active" else "",
        reminder.get("when", ""),
        "snoozed" if reminder.get("snoozed") else "",
        reminder.get("repeat_words", ""),
        f"then {', '.join(later)}" if later else "",
        f"by {', '.join(reminder['channels'])}" if reminder["channels"] else "",
        f"last fired {fired[0]['fired'][:16]}" if fired else "",
        *map(_failure_words, reminder.get("deliveries", ())),
        reminder["reminder_id"],
    ]
    return " · ".join(filter(None, parts))


def _failure_words(delivery: DeliveryResult) -> str:
    """By which channel a notice did not go out, for good or not yet, and why."""
    words = {"FAILED": "failed", "PENDING": "not yet"}.get(delivery["state"])
    if words is None or "error" not in delivery:
        return ""
    return f"{delivery['channel']} {words}: {shortened(delivery['error'], TEXT_CHARACTERS)}"


def _firing_result(firing: Firing, *, zone: ZoneInfo) -> FiringResult:
    return {
        "due": local_iso(firing.due_at, zone),
        "fired": local_iso(firing.fired_at, zone),
        "missed": firing.missed,
        "acknowledged": firing.acknowledged_at is not None,
    }


def _delivery_result(delivery: Delivery, *, zone: ZoneInfo) -> DeliveryResult:
    result: DeliveryResult = {
        "due": local_iso(delivery.due_at, zone),
        "channel": delivery.channel,
        "state": delivery.state,
    }
    if delivery.last_error:
        result["error"] = delivery.last_error
    return result

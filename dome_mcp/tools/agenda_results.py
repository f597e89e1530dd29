"""The structured results of the tools for tasks and reminders, and the words that some take."""

from typing import Literal, NotRequired

from dome_mcp.tools.agenda import ReminderResult, TaskResult
from dome_mcp.tools.attention import Notices

State = Literal["upcoming", "fired", "failed", "missed", "all"]
Change = Literal["snooze", "reschedule", "acknowledge", "cancel", "resume"]
Scope = Literal["occurrence", "series"]

NONE = "-"
"""What to send to take a due time or a rule away; an empty string changes nothing."""


class OneTask(Notices):
    """What create_task, update_task and complete_task give."""

    task: TaskResult


class TasksListed(Notices):
    """What list_tasks gives."""

    tasks: list[TaskResult]
    next_cursor: NotRequired[str]


class OneReminder(Notices):
    """What create_reminder and update_reminder give."""

    reminder: ReminderResult


class RemindersListed(Notices):
    """What list_reminders gives."""

    reminders: list[ReminderResult]
    next_cursor: NotRequired[str]

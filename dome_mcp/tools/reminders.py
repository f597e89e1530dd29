"""The tools that set, list and change reminders."""

from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from dome_mcp.app import Dome
from dome_mcp.core.agenda import CatchUp
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.services import agenda, reminders
from dome_mcp.services.agenda import ReminderView
from dome_mcp.services.reminders import ReminderQuery
from dome_mcp.tools._boundary import READS, Arguments, Call, define, dome_of
from dome_mcp.tools.agenda import reminder_line, reminder_result
from dome_mcp.tools.agenda_results import (
    Change,
    OneReminder,
    RemindersListed,
    Scope,
    State,
)
from dome_mcp.tools.attention import attention, notice_lines
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, ReminderId, TaskId, Zone
from dome_mcp.tools.reminding import set_reminder

_VERBS: dict[Change, str] = {
    "snooze": "Snoozed",
    "reschedule": "Moved",
    "acknowledge": "Acknowledged",
    "cancel": "Cancelled",
    "resume": "Resumed",
}


def tools() -> list[Tool]:
    """The tools of this module."""
    creates = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    )
    changes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False
    )
    return [
        define(
            create_reminder,
            _told,
            title="Set a reminder",
            annotations=creates,
            scopes=("tasks:write",),
        ),
        define(
            list_reminders,
            _list_told,
            title="List reminders",
            annotations=READS,
            scopes=("tasks:read",),
        ),
        define(
            update_reminder,
            _told,
            title="Change a reminder",
            annotations=changes,
            scopes=("tasks:write",),
        ),
    ]


async def create_reminder(
    *,
    call: Call,
    text: str = "",
    task_id: TaskId = "",
    at: Annotated[str, Field(description='ISO 8601, +90m; "-1h" before a task is due')] = "",
    timezone: Zone = "",
    repeat: Annotated[str, Field(description="As in create_task")] = "",
    until: str = "",
    count: int = 0,
    channels: Annotated[Names, Field(description="Names; else the user's")] = (),
    catch_up: Annotated[CatchUp, Field(description="For missed ones")] = "fire",
    note_ids: NoteIds = (),
) -> OneReminder:
    """Remind the user at a time, of a text or a task, even when no assistant runs. Read the
    resulting time back to the user."""
    dome = await dome_of(call)
    new = NewReminder(
        text=text or None,
        task_id=task_id or None,
        at=at or None,
        timezone=timezone or None,
        repeat=repeat or None,
        until=until or None,
        count=count or None,
        channels=channels,
        catch_up=catch_up,
        note_ids=note_ids,
    )
    view = await set_reminder(dome, new)
    return await _result(dome, view)


async def list_reminders(
    *,
    call: Call,
    state: State = "upcoming",
    task_id: TaskId = "",
    cursor: str = "",
    limit: Annotated[int, Field(le=agenda.MAX_PAGE)] = 20,
) -> RemindersListed:
    """List reminders with what fired, failed or was missed."""
    dome = await dome_of(call)
    page = await reminders.list_reminders(
        ReminderQuery(state, task_id=task_id or None),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        limit=limit,
        cursor=cursor or None,
    )
    results = list(map(reminder_result, page.reminders))
    listed: RemindersListed = {"reminders": results, **(await attention(dome)).notices()}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed


def _list_told(listed: RemindersListed, _: Arguments) -> str:
    lines = ["No such reminders."]
    if listed["reminders"]:
        lines = [fenced("\n".join(map(reminder_line, listed["reminders"])), "reminders")]
    if "next_cursor" in listed:
        lines.append(f"More: repeat with cursor {listed['next_cursor']}")
    return "\n".join([*lines, *notice_lines(listed)])


async def update_reminder(
    reminder_id: ReminderId,
    action: Change,
    *,
    call: Call,
    at: str = "",
    by: str = "",
    scope: Scope | None = None,
) -> OneReminder:
    """Snooze (by "1h", or to at), reschedule (to at), acknowledge (the user has seen it), cancel or
    resume a reminder. scope: moves one occurrence, cancels the series unless said."""
    dome = await dome_of(call)
    change = ReminderAction(action, at=at or None, by=by or None, scope=scope)
    view = await reminders.update_reminder(
        reminder_id,
        change,
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=dome.zone.key,
    )
    tell_agenda_changed(dome)
    return await _result(dome, view)


async def _result(dome: Dome, view: ReminderView) -> OneReminder:
    """The reminder as it is now."""
    attend = await attention(dome)
    return {"reminder": reminder_result(view), **attend.notices()}


def _told(changed: OneReminder, sent: Arguments) -> str:
    reminder = changed["reminder"]
    verb = _VERBS[sent["action"]] if "action" in sent else "Set"
    lines = [f"{verb}:", fenced(reminder_line(reminder), "reminders")]
    lines += [f"Warning: {warning}" for warning in reminder["warnings"]]
    return "\n".join([*lines, *notice_lines(changed)])

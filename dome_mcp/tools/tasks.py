"""The tools that add, list, change and complete tasks."""

from typing import Annotated, Literal, NotRequired

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from dome_mcp.app import Dome
from dome_mcp.core.agenda import TaskStatus
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.services import agenda, tasks
from dome_mcp.services.tasks import TaskFilter, TaskView
from dome_mcp.tools._boundary import READS, Call, define, dome_of, reply
from dome_mcp.tools.agenda import TaskResult, task_line, task_result
from dome_mcp.tools.attention import Notices, attention
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.demands import demand_for_notes
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, Repeat, TaskId, When, Zone

NONE = "-"
"""What to send to take a due time or a rule away; an empty string changes nothing."""


class OneTask(Notices):
    """What create_task, update_task and complete_task give."""

    task: TaskResult


class TasksListed(Notices):
    """What list_tasks gives."""

    tasks: list[TaskResult]
    next_cursor: NotRequired[str]


def tools() -> list[Tool]:
    """The tools of this module."""
    creates = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    )
    changes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return [
        define(create_task, title="Add a task", annotations=creates, scopes=("tasks:write",)),
        define(list_tasks, title="List tasks", annotations=READS, scopes=("tasks:read",)),
        define(update_task, title="Change a task", annotations=changes, scopes=("tasks:write",)),
        define(
            complete_task, title="Complete a task", annotations=creates, scopes=("tasks:write",)
        ),
    ]


async def create_task(
    description: str,
    *,
    call: Call,
    due: When = "",
    timezone: Zone = "",
    tags: Names = (),
    note_ids: NoteIds = (),
    repeat: Repeat = "",
    remind: Annotated[Names, Field(description='"-1h" (before due), or times')] = (),
) -> Annotated[CallToolResult, OneTask]:
    """Add a to-do. For a mere notice at a time use create_reminder."""
    dome = await dome_of(call)
    demand_for_notes(dome.principal, note_ids)
    new = NewTask(
        description,
        due=due or None,
        timezone=timezone or None,
        repeat=repeat or None,
        tags=tags,
        note_ids=note_ids,
        remind=remind,
    )
    view = await tasks.create_task(
        new, dome.ports, user_id=dome.user_id, now=dome.now(), zone=dome.zone.key
    )
    return await _changed(dome, view, verb="Added")


async def list_tasks(
    *,
    call: Call,
    status: Literal["pending", "completed", "cancelled", "all"] = "pending",
    due_after: str = "",
    due_before: str = "",
    overdue: bool = False,
    tags: Names = (),
    cursor: str = "",
    limit: Annotated[int, Field(le=agenda.MAX_PAGE)] = 20,
) -> Annotated[CallToolResult, TasksListed]:
    """List tasks, the soonest due first."""
    dome = await dome_of(call)
    zone = dome.zone
    wanted = TaskFilter(
        status=status,
        due_before=due_before or None,
        due_after=due_after or None,
        overdue=overdue,
        tags=tags,
    )
    page = await tasks.list_tasks(
        wanted,
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=zone.key,
        limit=limit,
        cursor=cursor or None,
    )
    results = [task_result(view, zone=zone) for view in page.tasks]
    attend = await attention(dome)
    listed: TasksListed = {"tasks": results, **attend.notices()}
    lines = [fenced("\n".join(map(task_line, results)), "tasks")] if results else ["No such tasks."]
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
        lines.append(f"More: repeat with cursor {page.next_cursor}")
    return reply("\n".join([*lines, *attend.lines()]), listed)


async def update_task(
    task_id: TaskId,
    *,
    call: Call,
    status: TaskStatus | None = None,
    description: str = "",
    due: Annotated[str, Field(description='"-" for none')] = "",
    timezone: str = "",
    repeat: Annotated[str, Field(description='"-" for none')] = "",
    tags: Names | None = None,
    note_ids: NoteIds | None = None,
    revision: int = 0,
) -> Annotated[CallToolResult, OneTask]:
    """Change a task, reopen (pending) or cancel it; what you do not send stays."""
    changes = TaskChanges(
        description=description or None,
        due=_change(due),
        timezone=timezone or None,
        repeat=_change(repeat),
        tags=tags,
        note_ids=note_ids,
        status=status,
    )
    if changes == TaskChanges():
        raise InvalidInput(
            "There is nothing to change.",
            "Send status, description, due, timezone, repeat, tags or note_ids.",
        )
    dome = await dome_of(call)
    demand_for_notes(dome.principal, note_ids)
    view = await tasks.update_task(
        task_id,
        changes,
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=dome.zone.key,
        revision=revision or None,
    )
    return await _changed(dome, view, verb="Changed")


async def complete_task(task_id: TaskId, *, call: Call) -> Annotated[CallToolResult, OneTask]:
    """Mark a task done and stop its reminders; a repeating one moves to its next due time."""
    dome = await dome_of(call)
    view = await tasks.complete_task(task_id, dome.ports, user_id=dome.user_id, now=dome.now())
    verb = "Done" if view.task.status == "completed" else "Done, and due again"
    return await _changed(dome, view, verb=verb)


def _change(text: str) -> str | None:
    """What to do to a field that can be taken away: None leaves it, the empty string removes it."""
    return {"": None, NONE: ""}.get(text.strip(), text)


async def _changed(dome: Dome, view: TaskView, *, verb: str) -> CallToolResult:
    """Tells the listeners, and answers with the task as it is now."""
    tell_agenda_changed(dome)
    result = task_result(view, zone=dome.zone)
    attend = await attention(dome)
    changed: OneTask = {"task": result, **attend.notices()}
    lines = [f"{verb}:", fenced(task_line(result), "tasks"), *attend.lines()]
    warnings = [warning for each in result["reminders"] for warning in each["warnings"]]
    return reply("\n".join([*lines, *(f"Warning: {each}" for each in warnings)]), changed)

"""The tools that add, list, change and complete tasks."""

from functools import partial
from typing import Annotated, Literal

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from dome_mcp.app import Dome
from dome_mcp.core.agenda import TaskStatus
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.services import agenda, tasks
from dome_mcp.services.tasks import TaskFilter, TaskView
from dome_mcp.tools._boundary import READS, Arguments, Call, define, dome_of
from dome_mcp.tools.agenda import task_line, task_result
from dome_mcp.tools.agenda_results import NONE, OneTask, TasksListed
from dome_mcp.tools.attention import attention, notice_lines
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.demands import demand_for_notes
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, Repeat, TaskId, When, Zone

NOTHING_TO_CHANGE = (
    "There is nothing to change.",
    "Send status, description, due, timezone, repeat, tags or note_ids.",
)


def tools() -> list[Tool]:
    """The tools of this module."""
    creates = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    )
    changes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return [
        define(
            create_task,
            partial(_told, verb="Added"),
            title="Add a task",
            annotations=creates,
            scopes=("tasks:write",),
        ),
        define(
            list_tasks, _list_told, title="List tasks", annotations=READS, scopes=("tasks:read",)
        ),
        define(
            update_task,
            partial(_told, verb="Changed"),
            title="Change a task",
            annotations=changes,
            scopes=("tasks:write",),
        ),
        define(
            complete_task,
            _completion_told,
            title="Complete a task",
            annotations=creates,
            scopes=("tasks:write",),
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
) -> OneTask:
    """Add a to-do. For a mere notice use create_reminder."""
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
    return await _changed(dome, view)


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
) -> TasksListed:
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
    listed: TasksListed = {"tasks": results, **(await attention(dome)).notices()}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed


def _list_told(listed: TasksListed, _: Arguments) -> str:
    lines = ["No such tasks."]
    if listed["tasks"]:
        lines = [fenced("\n".join(map(task_line, listed["tasks"])), "tasks")]
    if "next_cursor" in listed:
        lines.append(f"More: repeat with cursor {listed['next_cursor']}")
    return "\n".join([*lines, *notice_lines(listed)])


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
) -> OneTask:
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
        raise InvalidInput(*NOTHING_TO_CHANGE)
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
    return await _changed(dome, view)


async def complete_task(task_id: TaskId, *, call: Call) -> OneTask:
    """Mark a task done and stop its reminders; a repeating one moves to its next due time."""
    dome = await dome_of(call)
    view = await tasks.complete_task(task_id, dome.ports, user_id=dome.user_id, now=dome.now())
    return await _changed(dome, view)


def _change(text: str) -> str | None:
    """What to do to a field that can be taken away: None leaves it, the empty string removes it."""
    return {"": None, NONE: ""}.get(text.strip(), text)


async def _changed(dome: Dome, view: TaskView) -> OneTask:
    """Tells the listeners, and answers with the task as it is now."""
    tell_agenda_changed(dome)
    attend = await attention(dome)
    return {"task": task_result(view, zone=dome.zone), **attend.notices()}


def _told(changed: OneTask, _: Arguments, *, verb: str) -> str:
    task = changed["task"]
    lines = [f"{verb}:", fenced(task_line(task), "tasks"), *notice_lines(changed)]
    warnings = [warning for each in task["reminders"] for warning in each["warnings"]]
    return "\n".join([*lines, *(f"Warning: {each}" for each in warnings)])


def _completion_told(changed: OneTask, sent: Arguments) -> str:
    is_over = changed["task"]["status"] == "completed"
    return _told(changed, sent, verb="Done" if is_over else "Done, and due again")

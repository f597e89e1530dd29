"""What the tools for tasks and reminders do, over the API: one request each."""

from typing import Any

from dome_mcp.api_client.connection import Api, Body, given, path_of
from dome_mcp.api_client.note_calls import outdated
from dome_mcp.api_client.refusals import StaleRevision
from dome_mcp.api_client.telling import tell
from dome_mcp.core.errors import InvalidInput
from dome_mcp.tools._boundary import Arguments, Call
from dome_mcp.tools.agenda_results import OneReminder, OneTask, RemindersListed, TasksListed
from dome_mcp.tools.changes import AGENDA_CHANGE
from dome_mcp.tools.tasks import NOTHING_TO_CHANGE


async def create_task(api: Api, sent: Arguments, call: Call) -> OneTask:
    """The new task."""
    optional = given(sent, "due", "timezone", "tags", "note_ids", "repeat", "remind")
    draft = {"description": sent["description"], **optional}
    task: OneTask = await _written(api, call, "tasks", draft)
    return task


async def list_tasks(api: Api, sent: Arguments, call: Call) -> TasksListed:
    """A page of the tasks."""
    del call
    wanted = {"status": sent["status"], "limit": sent["limit"]}
    among = given(sent, "due_after", "due_before", "overdue", "tags", "cursor")
    listed: TasksListed = await api.get("tasks", {**wanted, **among})
    return listed


async def update_task(api: Api, sent: Arguments, call: Call) -> OneTask:
    """The task as it is after the change.

    Raises:
        Conflict: it is at another revision than the one that was named.
    """
    edit = given(sent, "status", "description", "due", "timezone", "repeat")
    edit |= {name: sent[name] for name in ("tags", "note_ids") if sent[name] is not None}
    if not edit:
        raise InvalidInput(*NOTHING_TO_CHANGE)
    task_id, revision = sent["task_id"], sent["revision"]
    headers = {"If-Match": f'"{revision}"'} if revision else {}
    try:
        response = await api.send("PATCH", path_of("tasks", task_id), body=edit, headers=headers)
    except StaleRevision as error:
        raise outdated(f"Task {task_id}", revision, error, tool="list_tasks") from error
    task: OneTask = api.content_of(response)
    tell(call, AGENDA_CHANGE)
    return task


async def complete_task(api: Api, sent: Arguments, call: Call) -> OneTask:
    """The task as it is after it was done."""
    task: OneTask = await _written(api, call, path_of("tasks", sent["task_id"], "complete"))
    return task


async def create_reminder(api: Api, sent: Arguments, call: Call) -> OneReminder:
    """The new reminder."""
    names = ("text", "task_id", "at", "timezone", "repeat", "until", "count", "channels")
    draft = given(sent, *names, "catch_up", "note_ids")
    reminder: OneReminder = await _written(api, call, "reminders", draft)
    return reminder


async def list_reminders(api: Api, sent: Arguments, call: Call) -> RemindersListed:
    """A page of the reminders."""
    del call
    wanted = {"state": sent["state"], "limit": sent["limit"]}
    among = given(sent, "task_id", "cursor")
    listed: RemindersListed = await api.get("reminders", {**wanted, **among})
    return listed


async def update_reminder(api: Api, sent: Arguments, call: Call) -> OneReminder:
    """The reminder as it is after the change."""
    path = path_of("reminders", sent["reminder_id"], sent["action"])
    reminder: OneReminder = await _written(api, call, path, given(sent, "at", "by", "scope"))
    return reminder


async def _written(api: Api, call: Call, path: str, body: Body | None = None) -> Any:
    result = await api.post(path, body)
    tell(call, AGENDA_CHANGE)
    return result

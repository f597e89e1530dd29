"""Tasks over REST."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from dome_mcp.app import Dome
from dome_mcp.core.agenda import TaskStatus
from dome_mcp.core.errors import Conflict, InvalidInput
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.conditions import etag_of, is_matched, stale
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import Moment, Sent, Text, address, example
from dome_mcp.services import tasks
from dome_mcp.services.agenda import MAX_PAGE
from dome_mcp.services.tasks import TaskFilter, TaskView
from dome_mcp.tools.agenda import task_result
from dome_mcp.tools.agenda_results import NONE, OneTask, TasksListed
from dome_mcp.tools.attention import attention
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.demands import demand_for_notes

router = APIRouter(prefix="/tasks", route_class=DomeRoute, tags=["tasks"])

Reading = Annotated[Dome, needs("tasks:read")]
Writing = Annotated[Dome, needs("tasks:write")]


Repeat = Annotated[
    str | None, Field(description="daily, weekdays, every 2 weeks, or an RRULE; null for none.")
]
Zone = Annotated[str | None, Field(description="IANA; else the user's.", examples=["Europe/Rome"])]


class TaskListing(Sent):
    """Which tasks to list, and which page of them."""

    status: Literal["pending", "completed", "cancelled", "all"] = "pending"
    due_before: Moment = ""
    due_after: Moment = ""
    overdue: bool = False
    tags: Annotated[tuple[str, ...], Field(description="All of these.")] = ()
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20
    cursor: str = ""


class TaskDraft(Sent):
    """A task to add; times as ISO 8601, or from now: `+90m`, `+2d`."""

    model_config = example(description="File the taxes", due="+2d", remind=["-1h"])

    description: Annotated[Text, Field(examples=["File the taxes"])]
    due: Annotated[str | None, Field(examples=["+2d"])] = None
    timezone: Zone = None
    tags: tuple[str, ...] = ()
    note_ids: tuple[str, ...] = ()
    repeat: Repeat = None
    remind: Annotated[
        tuple[str, ...], Field(description='"-1h" before it is due, or times.', examples=[["-1h"]])
    ] = ()


class TaskEdit(Sent):
    """What to change; what is left out stays as it is."""

    model_config = example(due="+3d", tags=["home"])

    description: Text | None = None
    status: TaskStatus | None = None
    due: Annotated[Text | None, Field(description="Null for none.")] = None
    timezone: Text | None = None
    repeat: Annotated[Text | None, Field(description="Null for none.")] = None
    tags: Annotated[tuple[str, ...] | None, Field(description="All of the new tags.")] = None
    note_ids: tuple[str, ...] | None = None

    def as_changes(self) -> TaskChanges:
        """The changes that this means; in them an empty text is what takes something away.

        Raises:
            InvalidInput: there are none.
        """
        sent = self.model_fields_set
        changes = TaskChanges(
            description=self.description,
            due=_or_nothing(self.due) if "due" in sent else None,
            timezone=self.timezone,
            repeat=_or_nothing(self.repeat) if "repeat" in sent else None,
            tags=self.tags,
            note_ids=self.note_ids,
            status=self.status,
        )
        if changes == TaskChanges():
            raise InvalidInput(
                "There is nothing to change.",
                "Send status, description, due, timezone, repeat, tags or note_ids.",
            )
        return changes


@router.get("")
async def list_tasks(dome: Reading, listing: Annotated[TaskListing, Query()]) -> TasksListed:
    """Lists the pending tasks by due time, or the closed ones latest first.

    With what the user has to be told: the inbox, and whether reminders fire at all.
    """
    wanted = TaskFilter(
        status=listing.status,
        due_before=listing.due_before or None,
        due_after=listing.due_after or None,
        overdue=listing.overdue,
        tags=tuple(listing.tags),
    )
    page = await tasks.list_tasks(
        wanted,
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=dome.zone.key,
        limit=listing.limit,
        cursor=listing.cursor or None,
    )
    results = [task_result(view, zone=dome.zone) for view in page.tasks]
    result: TasksListed = {"tasks": results, **(await attention(dome)).notices()}
    if page.next_cursor:
        result["next_cursor"] = page.next_cursor
    return result


@router.post("", status_code=201)
async def create_task(
    request: Request, response: Response, dome: Writing, draft: TaskDraft
) -> OneTask:
    """Adds a task, and the reminders that it asks for."""
    demand_for_notes(dome.principal, draft.note_ids)
    view = await tasks.create_task(
        NewTask(**draft.model_dump()),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=dome.zone.key,
    )
    response.headers["Location"] = address(request, "tasks", view.task.task_id)
    return await _changed(dome, view, response)


@router.get("/{task_id}")
async def read_task(task_id: str, response: Response, dome: Reading) -> OneTask:
    """The task with its reminders; the ETag is its revision."""
    view = await tasks.get_task(task_id, dome.ports, user_id=dome.user_id, now=dome.now())
    response.headers["ETag"] = etag_of(view.task.revision)
    return {"task": task_result(view, zone=dome.zone)}


@router.patch("/{task_id}")
async def update_task(
    task_id: str,
    edit: TaskEdit,
    request: Request,
    response: Response,
    dome: Writing,
) -> OneTask:
    """Changes a task, closes or reopens it; with If-Match only at that revision."""
    changes = edit.as_changes()
    demand_for_notes(dome.principal, changes.note_ids)
    revision = await _required_revision(task_id, request, dome)
    try:
        view = await tasks.update_task(
            task_id,
            changes,
            dome.ports,
            user_id=dome.user_id,
            now=dome.now(),
            zone=dome.zone.key,
            revision=revision,
        )
    except Conflict as error:
        if revision is None:
            raise
        raise stale("task", task_id) from error
    return await _changed(dome, view, response)


@router.post("/{task_id}/complete")
async def complete_task(task_id: str, response: Response, dome: Writing) -> OneTask:
    """Marks a task done and stops its reminders; a repeating one moves to its next due time."""
    view = await tasks.complete_task(task_id, dome.ports, user_id=dome.user_id, now=dome.now())
    return await _changed(dome, view, response)


async def _required_revision(task_id: str, request: Request, dome: Dome) -> int | None:
    """The revision that the change is to be made to; None without If-Match.

    Raises:
        StaleRevision: the task is at another one.
    """
    if "if-match" not in request.headers:
        return None
    view = await tasks.get_task(task_id, dome.ports, user_id=dome.user_id, now=dome.now())
    if not is_matched(request, view.task.revision):
        raise stale("task", view.task.task_id, view.task.revision)
    return view.task.revision


async def _changed(dome: Dome, view: TaskView, response: Response) -> OneTask:
    """Tells the listeners, and answers with the task as it is now."""
    tell_agenda_changed(dome)
    response.headers["ETag"] = etag_of(view.task.revision)
    attend = await attention(dome)
    return {"task": task_result(view, zone=dome.zone), **attend.notices()}


def _or_nothing(text: str | None) -> str:
    """What takes a field away is null, or what the tools take for it."""
    return "" if text is None or text.strip() == NONE else text

"""Reminders over REST."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from dome_mcp.app import Dome
from dome_mcp.core.agenda import CatchUp
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.core.timestamps import to_ms
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import Sent, address, example
from dome_mcp.remote.rest.tasks import Reading, Repeat, Writing, Zone
from dome_mcp.services import reminders
from dome_mcp.services.agenda import MAX_PAGE, ReminderView, stored_reminder, view_reminders
from dome_mcp.services.reminders import ReminderQuery
from dome_mcp.tools.agenda import reminder_result
from dome_mcp.tools.agenda_results import Change, OneReminder, RemindersListed, Scope, State
from dome_mcp.tools.attention import attention
from dome_mcp.tools.changes import tell_agenda_changed
from dome_mcp.tools.reminding import set_reminder

router = APIRouter(prefix="/reminders", route_class=DomeRoute, tags=["reminders"])


class ReminderListing(Sent):
    """Which reminders to list, and which page of them."""

    state: State = "upcoming"
    task_id: str = ""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20
    cursor: str = ""


class ReminderDraft(Sent):
    """A reminder to set, of a text or of a task; times as ISO 8601, or `+90m`, `+2d` from now."""

    model_config = example(text="Call Anna", at="+90m")

    text: str | None = None
    task_id: str | None = None
    at: Annotated[str | None, Field(description="A time, or `-1h` before a task is due.")] = None
    timezone: Zone = None
    repeat: Repeat = None
    until: str | None = None
    count: Annotated[int | None, Field(strict=True, ge=1, le=1_000_000)] = None
    channels: Annotated[tuple[str, ...], Field(description="Else the user's default ones.")] = ()
    catch_up: CatchUp = "fire"
    note_ids: tuple[str, ...] = ()


class ActionDetails(Sent):
    """When: `at` a time or `by` a duration, for snooze and reschedule; and how much of a series."""

    model_config = example(by="+1h")

    at: str | None = None
    by: str | None = None
    scope: Scope | None = None


@router.get("")
async def list_reminders(
    dome: Reading, listing: Annotated[ReminderListing, Query()]
) -> RemindersListed:
    """Lists reminders with what they fired: those to come by when they do, else latest first.

    With what the user has to be told: the inbox, and whether reminders fire at all.
    """
    page = await reminders.list_reminders(
        ReminderQuery(listing.state, task_id=listing.task_id or None),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        limit=listing.limit,
        cursor=listing.cursor or None,
    )
    results = list(map(reminder_result, page.reminders))
    result: RemindersListed = {"reminders": results, **(await attention(dome)).notices()}
    if page.next_cursor:
        result["next_cursor"] = page.next_cursor
    return result


@router.post("", status_code=201)
async def create_reminder(
    request: Request, response: Response, dome: Writing, draft: ReminderDraft
) -> OneReminder:
    """Sets a reminder, which fires whether or not anybody is connected."""
    view = await set_reminder(dome, NewReminder(**draft.model_dump()))
    response.headers["Location"] = address(request, "reminders", view.reminder.reminder_id)
    return await _told(dome, view)


@router.get("/{reminder_id}")
async def read_reminder(reminder_id: str, dome: Reading) -> OneReminder:
    """The reminder with what it fired last."""
    return {"reminder": reminder_result(await _view(reminder_id, dome))}


@router.post("/{reminder_id}/{action}")
async def update_reminder(
    dome: Writing,
    reminder_id: str,
    action: Change,
    details: ActionDetails | None = None,
) -> OneReminder:
    """Snoozes, reschedules, acknowledges, cancels or resumes a reminder.

    Without a scope one occurrence is moved, and the whole series is cancelled.
    """
    if await _is_done_already(reminder_id, dome):
        return await _told(dome, await _view(reminder_id, dome))
    given = details or ActionDetails()
    view = await reminders.update_reminder(
        reminder_id,
        ReminderAction(action, **given.model_dump()),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now(),
        zone=dome.zone.key,
    )
    tell_agenda_changed(dome)
    return await _told(dome, view)


async def _is_done_already(reminder_id: str, dome: Dome) -> bool:
    """Whether this is the repetition of a request whose answer was lost.

    To move by two hours, twice, would be four.
    """
    if dome.instant is None:
        return False
    reminder = await stored_reminder(reminder_id, dome.ports, user_id=dome.user_id)
    is_new = reminder.updated_at == reminder.created_at
    return not is_new and to_ms(reminder.updated_at) == to_ms(dome.instant)


async def _view(reminder_id: str, dome: Dome) -> ReminderView:
    reminder = await stored_reminder(reminder_id, dome.ports, user_id=dome.user_id)
    (view,) = await view_reminders([reminder], dome.ports, user_id=dome.user_id)
    return view


async def _told(dome: Dome, view: ReminderView) -> OneReminder:
    """The answer with the reminder as it is now."""
    attend = await attention(dome)
    return {"reminder": reminder_result(view), **attend.notices()}

"""What the resources, the briefing and the completions are made of, over the API."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents

from dome_mcp.api_client.connection import Api, path_of
from dome_mcp.api_client.standing import Standing
from dome_mcp.app import Caller
from dome_mcp.core.errors import DomeError
from dome_mcp.protocol import ResourcePage
from dome_mcp.resources import agenda, notes
from dome_mcp.resources.catalogue import Shelf
from dome_mcp.resources.completions import MAX_VALUES, Find
from dome_mcp.resources.prompts import BRIEFED, Day
from dome_mcp.resources.status import down
from dome_mcp.tools.agenda_results import RemindersListed, TasksListed
from dome_mcp.tools.note_results import Listed
from dome_mcp.tools.results import NoteText

Clock = Callable[[], datetime]
"""Tells an aware instant."""


def shelf_of(api: Api) -> Shelf:
    """The contents of the resources, each by one request."""

    async def note(_: Caller, note_id: str) -> NoteText:
        found: NoteText = await api.get(path_of("notes", note_id))
        return found

    async def original(_: Caller, note_id: str) -> ReadResourceContents:
        response = await api.send("GET", path_of("notes", note_id) + "/original")
        # The API adds the encoding to a text; a resource has the type alone.
        content_type = response.headers.get("content-type", "").removesuffix("; charset=utf-8")
        return ReadResourceContents(response.content, content_type)

    async def page(_: Caller, cursor: str | None) -> ResourcePage:
        listed: Listed = await api.get("notes", {"limit": notes.PAGE, "cursor": cursor or ""})
        found = [notes.note_resource(each["note_id"], each["title"]) for each in listed["notes"]]
        return ResourcePage(found, listed.get("next_cursor"))

    async def tasks(_: Caller) -> TasksListed:
        listed: TasksListed = await api.get("tasks", {"limit": agenda.PAGE})
        return listed

    async def reminders(_: Caller) -> RemindersListed:
        listed: RemindersListed = await api.get("reminders", {"limit": agenda.PAGE})
        return listed

    async def status(_: Caller) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await api.get("status")
        except DomeError as error:
            return down(str(error))
        return found

    return Shelf(note, original, page, tasks, reminders, status)


async def read_day(api: Api, standing: Standing, clock: Clock, _: Caller) -> Day:
    """What today is about, in the user's zone by the clock of this machine."""
    now = clock().astimezone((await standing.learn()).zone)
    today = now.date().isoformat()
    due: TasksListed = await api.get("tasks", {"due_before": today, "limit": BRIEFED})
    upcoming: RemindersListed = await api.get("reminders", {"limit": BRIEFED})
    written: Listed = await api.get("notes", {"since": today, "limit": BRIEFED})
    return Day(
        now=now,
        notices=due,
        tasks=due["tasks"],
        reminders=upcoming["reminders"],
        notes=written["notes"],
    )


def finders_of(api: Api) -> dict[str, Find]:
    """The newest ids, and the tags and contexts that are used most, by one request each."""

    async def ids(_: Caller, prefix: str) -> list[str]:
        listed: Listed = await api.get("notes", {"limit": MAX_VALUES})
        return [each["note_id"] for each in listed["notes"] if _starts(each["note_id"], prefix)]

    def names(*kinds: str) -> Find:
        async def find(_: Caller, prefix: str) -> list[str]:
            status: dict[str, Any] = await api.get("status")
            known = dict.fromkeys(name for kind in kinds for name in status[kind])
            return [name for name in known if _starts(name, prefix)]

        return find

    return {
        "id": ids,
        "tag": names("tags"),
        "context": names("contexts"),
        "topic": names("tags", "contexts"),
    }


def _starts(text: str, prefix: str) -> bool:
    return text.casefold().startswith(prefix.casefold())

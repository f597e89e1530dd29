"""All resources together, as the server serves them to whoever may read them."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.uri_template import UriTemplate
from mcp.types import Resource, ResourceTemplate

from dome_mcp.app import Caller
from dome_mcp.core.access import Scope
from dome_mcp.core.errors import NotFound
from dome_mcp.protocol import Address, Catalogue, ResourcePage
from dome_mcp.resources import agenda, notes
from dome_mcp.resources.status import read_status
from dome_mcp.tools.results import NoteText
from dome_mcp.tools.uris import NOTE, ORIGINAL, REMINDERS, STATUS, TASKS

_NOTES: Scope = "notes:read"
_TASKS: Scope = "tasks:read"

_STATUS = Resource(
    uri=STATUS,
    name="status",
    title="Status",
    description="Counts, indexing, reminders, model, sizes, versions, warnings.",
    mime_type="application/json",
)
_TEMPLATES = (
    ResourceTemplate(
        uri_template=NOTE,
        name="note",
        title="A note",
        description="The note as Markdown, with title, date and tags in front.",
        mime_type=notes.MARKDOWN,
    ),
    ResourceTemplate(
        uri_template=ORIGINAL,
        name="original",
        title="The original file of a note",
        description="The bytes that were ingested, with their media type.",
    ),
)


Listing = Callable[[Caller], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the contents come from, each as the caller may see it."""

    note: Callable[[Caller, str], Awaitable[NoteText]]
    original: Callable[[Caller, str], Awaitable[ReadResourceContents]]
    notes: Callable[[Caller, str | None], Awaitable[ResourcePage]]
    """A page of the notes in the list of resources, newest first."""
    tasks: Listing
    reminders: Listing
    status: Listing


@dataclass(frozen=True, slots=True)
class _Place:
    """What it takes to read what is behind a template, and how it is done, by the id in it."""

    scope: Scope
    read: Callable[[Caller, str], Awaitable[ReadResourceContents]]


def catalogue_of(shelf: Shelf) -> Catalogue:
    """The resources whose contents are those of the shelf."""
    places: Mapping[str, _Place] = {
        STATUS: _Place(_NOTES, _as_json(shelf.status)),
        TASKS: _Place(_TASKS, _as_json(shelf.tasks)),
        REMINDERS: _Place(_TASKS, _as_json(shelf.reminders)),
        NOTE: _Place(_NOTES, _as_markdown(shelf.note)),
        ORIGINAL: _Place(_NOTES, shelf.original),
    }
    parsed = [(UriTemplate.parse(template), template) for template in places]
    locate = partial(_locate, places, parsed)
    return Catalogue(
        templates=_templates,
        page=partial(_page, shelf),
        read=partial(_read, places, locate),
        locate=locate,
    )


def _as_json(listing: Listing) -> Callable[[Caller, str], Awaitable[ReadResourceContents]]:
    async def read(caller: Caller, _: str) -> ReadResourceContents:
        content = json.dumps(await listing(caller), ensure_ascii=False)
        return ReadResourceContents(content, "application/json")

    return read


def _as_markdown(
    read_note: Callable[[Caller, str], Awaitable[NoteText]],
) -> Callable[[Caller, str], Awaitable[ReadResourceContents]]:
    async def read(caller: Caller, note_id: str) -> ReadResourceContents:
        return notes.as_markdown(await read_note(caller, note_id))

    return read


def _locate(
    places: Mapping[str, _Place], parsed: Sequence[tuple[UriTemplate, str]], uri: str
) -> Address:
    for template, text in parsed:
        if (found := template.match(uri)) is not None:
            return Address(text, str(found.get("id", "")), (places[text].scope,))
    # An address of ours that leads nowhere is no secret, and no other scope would help.
    return Address(scopes=()) if uri.startswith("dome:") else Address()


async def _read(
    places: Mapping[str, _Place], locate: Callable[[str], Address], caller: Caller, uri: str
) -> ReadResourceContents | None:
    """What stands under an address of ours, None under any other.

    Raises:
        InsufficientScope: the caller may not read it.
        NotFound: there is no such note of the caller's.
    """
    address = locate(uri)
    if place := places.get(address.template):
        caller.principal.require(place.scope)
        return await place.read(caller, address.key)
    if uri.startswith("dome:"):
        raise NotFound("resource", uri, f"There are: {', '.join(places)}.")
    return None


async def _page(shelf: Shelf, caller: Caller, cursor: str | None) -> ResourcePage:
    """The status, tasks and reminders first, then the notes, newest first; what may be read."""
    may_notes = caller.principal.may(_NOTES)
    if cursor:
        caller.principal.require(_NOTES)
    page = await shelf.notes(caller, cursor) if may_notes else ResourcePage(())
    if cursor:
        return page
    fixed = [
        *([_STATUS] if may_notes else []),
        *(agenda.RESOURCES if caller.principal.may(_TASKS) else []),
    ]
    return ResourcePage([*fixed, *page.resources], page.next_cursor)


def _templates(caller: Caller) -> tuple[ResourceTemplate, ...]:
    return _TEMPLATES if caller.principal.may(_NOTES) else ()


async def _note_here(caller: Caller, note_id: str) -> NoteText:
    return await notes.read_note(await caller.dome(), note_id)


async def _original_here(caller: Caller, note_id: str) -> ReadResourceContents:
    return await notes.read_original(await caller.dome(), note_id)


async def _notes_here(caller: Caller, cursor: str | None) -> ResourcePage:
    return await notes.recent_notes(await caller.dome(), cursor)


async def _tasks_here(caller: Caller) -> Mapping[str, Any]:
    return await agenda.read_tasks(await caller.dome())


async def _reminders_here(caller: Caller) -> Mapping[str, Any]:
    return await agenda.read_reminders(await caller.dome())


CATALOGUE = catalogue_of(
    Shelf(
        note=_note_here,
        original=_original_here,
        notes=_notes_here,
        tasks=_tasks_here,
        reminders=_reminders_here,
        status=read_status,
    )
)
"""The resources of every caller, as the door's own application has them."""

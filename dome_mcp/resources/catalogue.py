"""All resources together, as the server serves them to whoever may read them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.uri_template import UriTemplate
from mcp.types import Resource, ResourceTemplate

from dome_mcp.app import Caller
from dome_mcp.core.access import Scope
from dome_mcp.core.errors import NotFound
from dome_mcp.protocol import Address, Catalogue, ResourcePage
from dome_mcp.resources import agenda, notes
from dome_mcp.resources.status import read_status
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


@dataclass(frozen=True, slots=True)
class _Place:
    """What it takes to read what is behind a template, and how it is done, by the id in it."""

    scope: Scope
    read: Callable[[Caller, str], Awaitable[ReadResourceContents]]


async def _read_tasks(caller: Caller, _: str) -> ReadResourceContents:
    return await agenda.read_tasks(await caller.dome())


async def _read_reminders(caller: Caller, _: str) -> ReadResourceContents:
    return await agenda.read_reminders(await caller.dome())


async def _read_note(caller: Caller, note_id: str) -> ReadResourceContents:
    return await notes.read_note(await caller.dome(), note_id)


async def _read_original(caller: Caller, note_id: str) -> ReadResourceContents:
    return await notes.read_original(await caller.dome(), note_id)


async def _read_status(caller: Caller, _: str) -> ReadResourceContents:
    return await read_status(caller)


_PLACES: Mapping[str, _Place] = {
    STATUS: _Place(_NOTES, _read_status),
    TASKS: _Place(_TASKS, _read_tasks),
    REMINDERS: _Place(_TASKS, _read_reminders),
    NOTE: _Place(_NOTES, _read_note),
    ORIGINAL: _Place(_NOTES, _read_original),
}


_PARSED = [(UriTemplate.parse(template), template) for template in _PLACES]


def _locate(uri: str) -> Address:
    for parsed, template in _PARSED:
        if (found := parsed.match(uri)) is not None:
            return Address(template, str(found.get("id", "")), (_PLACES[template].scope,))
    # An address of ours that leads nowhere is no secret, and no other scope would help.
    return Address(scopes=()) if uri.startswith("dome:") else Address()


async def _read(caller: Caller, uri: str) -> ReadResourceContents | None:
    """What stands under an address of ours, None under any other.

    Raises:
        InsufficientScope: the caller may not read it.
        NotFound: there is no such note of the caller's.
    """
    address = _locate(uri)
    if place := _PLACES.get(address.template):
        caller.principal.require(place.scope)
        return await place.read(caller, address.key)
    if uri.startswith("dome:"):
        raise NotFound("resource", uri, f"There are: {', '.join(_PLACES)}.")
    return None


async def _page(caller: Caller, cursor: str | None) -> ResourcePage:
    """The status, tasks and reminders first, then the notes, newest first; what may be read."""
    may_notes = caller.principal.may(_NOTES)
    if cursor:
        caller.principal.require(_NOTES)
    page = await notes.recent_notes(await caller.dome(), cursor) if may_notes else ResourcePage(())
    if cursor:
        return page
    fixed = [
        *([_STATUS] if may_notes else []),
        *(agenda.RESOURCES if caller.principal.may(_TASKS) else []),
    ]
    return ResourcePage([*fixed, *page.resources], page.next_cursor)


def _templates(caller: Caller) -> tuple[ResourceTemplate, ...]:
    return _TEMPLATES if caller.principal.may(_NOTES) else ()


CATALOGUE = Catalogue(templates=_templates, page=_page, read=_read, locate=_locate)
"""The resources of every caller."""

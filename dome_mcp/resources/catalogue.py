"""All resources together, as the server serves them."""

from functools import partial

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.shared.uri_template import UriTemplate
from mcp.types import Resource, ResourceTemplate

from dome_mcp.app import Door
from dome_mcp.core.errors import NotFound
from dome_mcp.protocol import Catalogue, ResourcePage
from dome_mcp.resources import agenda, notes
from dome_mcp.resources.status import read_status
from dome_mcp.tools.uris import NOTE, ORIGINAL, REMINDERS, STATUS, TASKS


def catalogue(door: Door) -> Catalogue:
    """The resources of the application behind this door."""
    templates = [
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
    ]
    return Catalogue(templates, partial(_page, door), partial(_read, door))


async def _page(door: Door, cursor: str | None) -> ResourcePage:
    """The status, tasks and reminders first, then the notes, newest first."""
    page = await notes.recent_notes(await door.dome(), cursor)
    if cursor:
        return page
    status = Resource(
        uri=STATUS,
        name="status",
        title="Status",
        description="Counts, indexing, reminders, model, sizes, versions, warnings.",
        mime_type="application/json",
    )
    return ResourcePage([status, *agenda.RESOURCES, *page.resources], page.next_cursor)


async def _read(door: Door, uri: str) -> ReadResourceContents | None:
    """What stands under an address of ours, None under any other.

    Raises:
        NotFound: there is no such note.
    """
    if uri == STATUS:
        return await read_status(door)
    if uri == TASKS:
        return await agenda.read_tasks(await door.dome())
    if uri == REMINDERS:
        return await agenda.read_reminders(await door.dome())
    for template, read in ((NOTE, notes.read_note), (ORIGINAL, notes.read_original)):
        if found := UriTemplate.parse(template).match(uri):
            return await read(await door.dome(), str(found["id"]))
    if uri.startswith("dome:"):
        known = ", ".join((STATUS, TASKS, REMINDERS, NOTE, ORIGINAL))
        raise NotFound("resource", uri, f"There are: {known}.")
    return None

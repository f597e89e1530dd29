"""Notes as resources: their text with what is known about them, and the bytes they came from."""

import json

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Annotations, Resource

from dome_mcp.app import Dome
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.timestamps import local_iso
from dome_mcp.protocol import ResourcePage
from dome_mcp.services import notes
from dome_mcp.services.blobs import original_of
from dome_mcp.tools.note_results import note_text
from dome_mcp.tools.results import NoteText
from dome_mcp.tools.uris import note_uri

PAGE = 50
MARKDOWN = "text/markdown"


async def recent_notes(dome: Dome, cursor: str | None) -> ResourcePage:
    """A page of the notes, newest first.

    Raises:
        InvalidInput: not a cursor of this list.
    """
    page = await notes.list_notes(
        NoteFilter(), dome.ports, user_id=dome.user_id, limit=PAGE, cursor=cursor
    )
    zone = dome.zone
    resources = [
        note_resource(note.note_id, note.title, updated=local_iso(note.updated_at, zone))
        for note in page.notes
    ]
    return ResourcePage(resources, page.next_cursor)


async def read_note(dome: Dome, note_id: str) -> NoteText:
    """The whole note.

    Raises:
        NotFound: the user has no such note.
    """
    return note_text(await notes.get_note(note_id, dome.ports, user_id=dome.user_id), dome)


def as_markdown(note: NoteText) -> ReadResourceContents:
    """The note as Markdown with front matter."""
    return ReadResourceContents(f"---\n{_front_matter(note)}\n---\n\n{note['text']}", MARKDOWN)


async def read_original(dome: Dome, note_id: str) -> ReadResourceContents:
    """The bytes the note came from, with their media type; its text where it came as text.

    Raises:
        NotFound: the user has no such note.
    """
    note = await notes.stored_note(note_id, dome.ports, user_id=dome.user_id)
    data = await original_of(note, dome.ports.blobs)
    return ReadResourceContents(data, note.content_type)


def note_resource(note_id: str, title: str, *, updated: str | None = None) -> Resource:
    """A note in the list of resources."""
    return Resource(
        uri=note_uri(note_id),
        name=note_id,
        title=title,
        mime_type=MARKDOWN,
        annotations=Annotations(last_modified=updated) if updated else None,
    )


def _front_matter(note: NoteText) -> str:
    """YAML; every value in JSON, which YAML contains, so that no title can end the block."""
    fields = {name: note.get(name) for name in ("title", "date", "tags", "context", "source")}
    return "\n".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if value is not None
    )

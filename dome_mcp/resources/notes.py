"""Notes as resources: their text with what is known about them, and the bytes they came from."""

import json
from datetime import tzinfo

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Annotations, Resource

from dome_mcp.app import Dome
from dome_mcp.core.model import Note, NoteFilter
from dome_mcp.core.timestamps import local_iso
from dome_mcp.protocol import ResourcePage
from dome_mcp.services import notes
from dome_mcp.services.blobs import original_of
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
    return ResourcePage([_resource(note, zone=zone) for note in page.notes], page.next_cursor)


async def read_note(dome: Dome, note_id: str) -> ReadResourceContents:
    """The note as Markdown with front matter.

    Raises:
        NotFound: the user has no such note.
    """
    note = await notes.get_note(note_id, dome.ports, user_id=dome.user_id)
    front = _front_matter(note, zone=dome.zone)
    return ReadResourceContents(f"---\n{front}\n---\n\n{note.text}", MARKDOWN)


async def read_original(dome: Dome, note_id: str) -> ReadResourceContents:
    """The bytes the note came from, with their media type; its text where it came as text.

    Raises:
        NotFound: the user has no such note.
    """
    note = await notes.stored_note(note_id, dome.ports, user_id=dome.user_id)
    data = await original_of(note, dome.ports.blobs)
    return ReadResourceContents(data, note.content_type)


def _front_matter(note: Note, *, zone: tzinfo) -> str:
    """YAML; every value in JSON, which YAML contains, so that no title can end the block."""
    fields = {
        "title": note.title,
        "date": local_iso(note.created_at, zone),
        "tags": list(note.tags),
        "context": note.context,
        "source": note.source,
    }
    return "\n".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if value is not None
    )


def _resource(note: Note, *, zone: tzinfo) -> Resource:
    return Resource(
        uri=note_uri(note.note_id),
        name=note.note_id,
        title=note.title,
        mime_type=MARKDOWN,
        annotations=Annotations(last_modified=local_iso(note.updated_at, zone)),
    )

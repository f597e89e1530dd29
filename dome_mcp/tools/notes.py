"""The tools that read, list, change and delete notes."""

from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from dome_mcp import texts
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import NoteChanges
from dome_mcp.services import notes
from dome_mcp.tools._boundary import READS, Arguments, Call, define, dome_of
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.note_results import Deleted, Listed, note_text
from dome_mcp.tools.parameters import Names, NoteId, Since, Until, note_filter
from dome_mcp.tools.results import NoteSummary, NoteText, note_summary

PAGE_CHARACTERS = 20_000
MAX_PAGE_CHARACTERS = 100_000

NO_CONTEXT = "-"
"""What to send as context to take a note out of its context; an empty string changes nothing."""


def tools() -> list[Tool]:
    """The tools of this module."""
    changes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return [
        define(
            get_note, _text_told, title="Read a note", annotations=READS, scopes=("notes:read",)
        ),
        define(
            list_notes, _list_told, title="List notes", annotations=READS, scopes=("notes:read",)
        ),
        define(
            update_note,
            _change_told,
            title="Change a note",
            annotations=changes,
            scopes=("notes:write",),
        ),
        define(
            delete_note,
            _deletion_told,
            title="Delete a note",
            annotations=changes,
            scopes=("notes:write",),
        ),
    ]


async def get_note(
    note_id: NoteId,
    *,
    call: Call,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_CHARACTERS)] = PAGE_CHARACTERS,
) -> NoteText:
    """Read a note's text and details: limit characters, from offset."""
    dome = await dome_of(call)
    note = await notes.get_note(note_id, dome.ports, user_id=dome.user_id)
    return part_of(note_text(note, dome), offset=offset, limit=limit)


def part_of(note: NoteText, *, offset: int, limit: int) -> NoteText:
    """The note with `limit` characters of its text.

    Raises:
        InvalidInput: `offset` is past the end.
    """
    whole = note["text"]
    if offset > len(whole):
        raise InvalidInput(f"offset {offset} is past the end.", f"The text has {len(whole)}.")
    end = min(offset + limit, len(whole))
    part: NoteText = {**note, "text": whole[offset:end]}
    if end < len(whole):
        part["next_offset"] = end
    return part


def _text_told(note: NoteText, _: Arguments) -> str:
    lines = [_line(note), f"Revision {note['revision']}, {note['characters']} characters."]
    if note["pending"]:
        unseen = f"{note['pending']} of {note['chunks']} chunks"
        lines.append(f"{unseen} are not indexed for meaning yet.")
    page = [fenced("\n".join([*lines, "", note["text"]]))]
    if "next_offset" in note:
        page.append(f"More: repeat with offset {note['next_offset']}")
    return "\n".join(page)


async def list_notes(
    *,
    call: Call,
    tags: Names = (),
    context: str = "",
    since: Since = "",
    until: Until = "",
    cursor: str = "",
    limit: Annotated[int, Field(le=notes.MAX_PAGE)] = 20,
) -> Listed:
    """List notes, newest first, without text. To find by content use search."""
    dome = await dome_of(call)
    zone = dome.zone
    among = note_filter(zone=zone, tags=tags, context=context, since=since, until=until)
    page = await notes.list_notes(
        among, dome.ports, user_id=dome.user_id, limit=limit, cursor=cursor or None
    )
    listed: Listed = {"notes": [note_summary(note, zone=zone) for note in page.notes]}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed


def _list_told(listed: Listed, _: Arguments) -> str:
    if not listed["notes"]:
        return "There are no such notes."
    lines = [fenced("\n".join(map(_line, listed["notes"])))]
    if "next_cursor" in listed:
        lines.append(f"More: repeat with cursor {listed['next_cursor']}")
    return "\n".join(lines)


async def update_note(
    note_id: NoteId,
    *,
    call: Call,
    revision: Annotated[int, Field(description="The one you read")] = 0,
    text: Annotated[str, Field(description="The whole new text")] = "",
    title: str = "",
    tags: Annotated[Names | None, Field(description="All new tags; [] for none")] = None,
    context: Annotated[str, Field(description='"-" for none')] = "",
) -> NoteSummary:
    """Change a note's text, title, tags or context; what you do not send stays."""
    if not (text or title or context) and tags is None:
        raise InvalidInput("There is nothing to change.", "Send text, title, tags or context.")
    dome = await dome_of(call)
    changes = NoteChanges(
        title=title or None,
        tags=tags,
        context={"": None, NO_CONTEXT: ""}.get(context, context),
    )
    note = await texts.update_note(
        dome, note_id, text=text or None, changes=changes, revision=revision or None
    )
    tell_changed(dome, note.note_id)
    return note_summary(note, zone=dome.zone)


def _change_told(note: NoteSummary, _: Arguments) -> str:
    return f"Changed. Revision {note['revision']}:\n{fenced(_line(note))}"


async def delete_note(note_id: NoteId, *, call: Call) -> Deleted:
    """Delete one note and its file for good. Only when the user asks; find its id with search or
    list_notes."""
    dome = await dome_of(call)
    note = await notes.delete_note(note_id, dome.ports, user_id=dome.user_id, now=dome.now())
    tell_changed(dome, note.note_id)
    return {"note_id": note.note_id, "title": note.title, "deleted": True}


def _deletion_told(deleted: Deleted, _: Arguments) -> str:
    return f"Deleted note {deleted['note_id']}."


def _line(note: NoteSummary) -> str:
    """A note on one line: title, day, id, context, tags."""
    parts = [
        shortened(note["title"], 80),
        note["date"][:10],
        note["note_id"],
        note.get("context", ""),
        " ".join(f"#{tag}" for tag in note["tags"]),
    ]
    return " · ".join(filter(None, parts))

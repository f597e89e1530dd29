"""The tools that read, list, change and delete notes."""

from typing import Annotated, NotRequired

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field
from typing_extensions import TypedDict

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import NoteChanges
from dome_mcp.core.timestamps import local_iso
from dome_mcp.services import notes
from dome_mcp.tools._boundary import READS, Call, define, dome_of, reply
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteId, Since, Until, note_filter
from dome_mcp.tools.results import NoteSummary, NoteText, note_summary

PAGE_CHARACTERS = 20_000
MAX_PAGE_CHARACTERS = 100_000

NO_CONTEXT = "-"
"""What to send as context to take a note out of its context; an empty string changes nothing."""


class Listed(TypedDict):
    """What list_notes gives."""

    notes: list[NoteSummary]
    next_cursor: NotRequired[str]


class Deleted(TypedDict):
    """What delete_note gives."""

    note_id: str
    title: str
    deleted: bool


def tools() -> list[Tool]:
    """The tools of this module."""
    changes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    return [
        define(get_note, title="Read a note", annotations=READS, scopes=("notes:read",)),
        define(list_notes, title="List notes", annotations=READS, scopes=("notes:read",)),
        define(update_note, title="Change a note", annotations=changes, scopes=("notes:write",)),
        define(delete_note, title="Delete a note", annotations=changes, scopes=("notes:write",)),
    ]


async def get_note(
    note_id: NoteId,
    *,
    call: Call,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_CHARACTERS)] = PAGE_CHARACTERS,
) -> Annotated[CallToolResult, NoteText]:
    """Read a note's text and details: limit characters, from offset."""
    dome = await dome_of(call)
    note = await notes.get_note(note_id, dome.ports, user_id=dome.user_id)
    whole = note.text or ""
    if offset > len(whole):
        raise InvalidInput(f"offset {offset} is past the end.", f"The text has {len(whole)}.")
    end = min(offset + limit, len(whole))
    summary = note_summary(note, zone=dome.zone)
    text: NoteText = {
        **summary,
        "updated": local_iso(note.updated_at, dome.zone),
        "content_type": note.content_type,
        "text": whole[offset:end],
    }
    if end < len(whole):
        text["next_offset"] = end
    lines = [_line(summary), f"Revision {note.revision}, {note.characters} characters."]
    if note.pending and dome.ports.embedder:
        lines.append(f"{note.pending} of {note.chunks} chunks are not indexed for meaning yet.")
    page = [fenced("\n".join([*lines, "", text["text"]]))]
    if "next_offset" in text:
        page.append(f"More: repeat with offset {end}")
    return reply("\n".join(page), text)


async def list_notes(
    *,
    call: Call,
    tags: Names = (),
    context: str = "",
    since: Since = "",
    until: Until = "",
    cursor: str = "",
    limit: Annotated[int, Field(le=notes.MAX_PAGE)] = 20,
) -> Annotated[CallToolResult, Listed]:
    """List notes, newest first, without their text. To find by content use search."""
    dome = await dome_of(call)
    zone = dome.zone
    among = note_filter(zone=zone, tags=tags, context=context, since=since, until=until)
    page = await notes.list_notes(
        among, dome.ports, user_id=dome.user_id, limit=limit, cursor=cursor or None
    )
    summaries = [note_summary(note, zone=zone) for note in page.notes]
    listed: Listed = {"notes": summaries}
    if not summaries:
        return reply("There are no such notes.", listed)
    lines = [fenced("\n".join(map(_line, summaries)))]
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
        lines.append(f"More: repeat with cursor {page.next_cursor}")
    return reply("\n".join(lines), listed)


async def update_note(
    note_id: NoteId,
    *,
    call: Call,
    revision: Annotated[int, Field(description="The one you read")] = 0,
    text: Annotated[str, Field(description="The whole new text")] = "",
    title: str = "",
    tags: Annotated[Names | None, Field(description="All new tags; [] for none")] = None,
    context: Annotated[str, Field(description='"-" for none')] = "",
) -> Annotated[CallToolResult, NoteSummary]:
    """Change a note's text, title, tags or context; what you do not send stays."""
    if not (text or title or context) and tags is None:
        raise InvalidInput("There is nothing to change.", "Send text, title, tags or context.")
    # Parsers and an HTTP client come with it, so it is imported after the handshake.
    from dome_mcp import intake

    dome = await dome_of(call)
    changes = NoteChanges(
        title=title or None,
        tags=tags,
        context={"": None, NO_CONTEXT: ""}.get(context, context),
    )
    note = await intake.update_note(
        dome, note_id, text=text or None, changes=changes, revision=revision or None
    )
    tell_changed(dome, note.note_id)
    summary = note_summary(note, zone=dome.zone)
    return reply(f"Changed. Revision {note.revision}:\n{fenced(_line(summary))}", summary)


async def delete_note(note_id: NoteId, *, call: Call) -> Annotated[CallToolResult, Deleted]:
    """Delete one note and its file for good. Only when the user asks; find the id with search or
    list_notes first."""
    dome = await dome_of(call)
    note = await notes.delete_note(note_id, dome.ports, user_id=dome.user_id, now=dome.now())
    tell_changed(dome, note.note_id)
    deleted: Deleted = {"note_id": note.note_id, "title": note.title, "deleted": True}
    return reply(f"Deleted note {note.note_id}.", deleted)


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

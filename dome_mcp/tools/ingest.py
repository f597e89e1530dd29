"""The ingest tool."""

import json
from typing import Annotated, Literal

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import Ingested
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.tools._boundary import Call, define, dome_of, reply
from dome_mcp.tools._changes import tell_changed
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.parameters import Names


class Stored(TypedDict):
    """What ingest gives."""

    note_id: str
    title: str
    chunks: int
    status: Literal["ready", "indexing"]
    duplicate: bool
    updated: bool


def tools() -> list[Tool]:
    """The tools of this module."""
    # It reads web pages, and only ever adds: the same content again is the same note.
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
    )
    return [define(ingest, title="Save to notes", annotations=annotations)]


async def ingest(
    *,
    call: Call,
    text: str = "",
    path: Annotated[str, Field(description="Local file")] = "",
    url: str = "",
    title: str = "",
    tags: Names = (),
    context: Annotated[str, Field(description="Group (project, conversation)")] = "",
    source: str = "",
    created_at: Annotated[str, Field(description="ISO 8601")] = "",
) -> Annotated[CallToolResult, Stored]:
    """Save something to remember: send exactly one of text, path, url. Findable at once. To change
    a saved note use update_note."""
    if sum(map(bool, (text, path, url))) != 1:
        raise InvalidInput("Send exactly one of text, path and url.")
    dome = await dome_of(call)
    labels = Labels(
        title=title or None,
        tags=tags,
        context=context or None,
        source=source or None,
        created_at=(
            parse_instant(created_at, dome.settings.timezone, name="created_at")
            if created_at
            else None
        ),
    )
    await call.report_progress(0, 2, "Reading")
    ingested = await _take_in(dome, labels, text=text, path=path, url=url)
    await call.report_progress(2, 2, "Stored")
    if not ingested.duplicate:
        await tell_changed(call, ingested.note.note_id)
    return _reply(ingested)


async def _take_in(dome: Dome, labels: Labels, *, text: str, path: str, url: str) -> Ingested:
    # Parsers and an HTTP client come with it, so it is imported after the handshake.
    from dome_mcp import intake

    if path:
        return await intake.ingest_path(dome, path, labels)
    if url:
        return await intake.ingest_url(dome, url, labels)
    return await intake.ingest_text(dome, text, labels)


def _reply(ingested: Ingested) -> CallToolResult:
    note = ingested.note
    stored: Stored = {
        "note_id": note.note_id,
        "title": note.title,
        "chunks": note.chunks,
        "status": "ready" if note.is_indexed else "indexing",
        "duplicate": ingested.duplicate,
        "updated": ingested.updated,
    }
    return reply(_sentence(ingested), stored)


def _sentence(ingested: Ingested) -> str:
    note = ingested.note
    title = json.dumps(shortened(note.title, 80), ensure_ascii=False)
    if ingested.duplicate:
        return f"Already there as note {note.note_id}, {title}; nothing was written."
    verb = "Updated" if ingested.updated else "Stored"
    if note.is_indexed:
        how = "findable by keyword and meaning"
    else:
        how = f"findable by keyword; {note.pending} chunks are still being indexed for meaning"
    return f"{verb} note {note.note_id}, {title}: {note.chunks} chunks, {how}."

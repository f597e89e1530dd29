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
from dome_mcp.core.model import Ingested, Note
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.tools._boundary import Call, define, dome_of, reply
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.demands import demand_for_path
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
    return [define(ingest, title="Save to notes", annotations=annotations, scopes=("notes:write",))]


async def ingest(
    *,
    call: Call,
    text: str = "",
    path: Annotated[str, Field(description="Whole local path")] = "",
    url: str = "",
    title: str = "",
    tags: Names = (),
    context: Annotated[str, Field(description="Group (project, conversation)")] = "",
    source: str = "",
    created_at: Annotated[str, Field(description="ISO 8601")] = "",
) -> Annotated[CallToolResult, Stored]:
    """Save something to remember: send exactly one of text, path, url. Findable at once. To change
    a saved note use update_note."""
    _require_one_origin(text=text, path=path, url=url)
    dome = await dome_of(call)
    if path:
        demand_for_path(dome.principal)
    labels = Labels(
        title=title or None,
        tags=tags,
        context=context or None,
        source=source or None,
        created_at=(
            parse_instant(created_at, dome.zone, name="created_at") if created_at else None
        ),
    )
    await call.report_progress(0, 2, "Reading")
    ingested = await _take_in(dome, labels, text=text, path=path, url=url)
    await call.report_progress(2, 2, "Stored")
    if not ingested.duplicate:
        tell_changed(dome, ingested.note.note_id)
    return _reply(ingested, dome, has_labels=labels != Labels())


def _require_one_origin(*, text: str, path: str, url: str) -> None:
    sent = [name for name, value in (("text", text), ("path", path), ("url", url)) if value]
    if len(sent) != 1:
        what = f"You sent {' and '.join(sent)}." if sent else "There is nothing to save."
        raise InvalidInput(what, "Send exactly one of text, path and url.")
    if path.lower().startswith(("http://", "https://")):
        raise InvalidInput("path is the address of a page.", "Send it as url.")
    if url.lower().startswith(("file:", "/", "~")):
        raise InvalidInput("url is a local file.", "Send it as path.")


async def _take_in(dome: Dome, labels: Labels, *, text: str, path: str, url: str) -> Ingested:
    # Parsers and an HTTP client come with it, so it is imported after the handshake.
    from dome_mcp import intake

    if path:
        return await intake.ingest_path(dome, path, labels)
    if url:
        return await intake.ingest_url(dome, url, labels)
    return await intake.ingest_text(dome, text, labels)


def _reply(ingested: Ingested, dome: Dome, *, has_labels: bool) -> CallToolResult:
    note = ingested.note
    pending = note.pending if dome.ports.embedder else 0
    stored: Stored = {
        "note_id": note.note_id,
        "title": note.title,
        "chunks": note.chunks,
        "status": "indexing" if pending else "ready",
        "duplicate": ingested.duplicate,
        "updated": ingested.updated,
    }
    if ingested.duplicate:
        return reply(_known(note, has_labels=has_labels), stored)
    if pending:
        how = f"findable by keyword; {_counted(pending)} are still being indexed for meaning"
    else:
        how = "findable by keyword and meaning" if dome.ports.embedder else "findable by keyword"
    verb = "Updated" if ingested.updated else "Stored"
    return reply(f"{verb} {_named(note)}: {_counted(note.chunks)}, {how}.", stored)


def _known(note: Note, *, has_labels: bool) -> str:
    known = f"Already there as {_named(note)}; nothing was written."
    return f"{known} To change its title, tags or context use update_note." if has_labels else known


def _named(note: Note) -> str:
    title = json.dumps(shortened(note.title, 80), ensure_ascii=False)
    return f"note {note.note_id}, {title}"


def _counted(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks} chunks"

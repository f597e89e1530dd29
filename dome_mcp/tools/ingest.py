"""The ingest tool."""

import json
from functools import partial
from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from dome_mcp import texts
from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import Ingested
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.tools._boundary import Arguments, Call, define, dome_of
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.demands import demand_for_path
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.note_results import Stored, stored_result
from dome_mcp.tools.parameters import Names

LABELS = ("title", "tags", "context", "source", "created_at")
"""The arguments that say something about the note besides its content."""


def tools() -> list[Tool]:
    """The tools of this module."""
    # It reads web pages, and only ever adds: the same content again is the same note.
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
    )
    return [
        define(
            ingest,
            _told,
            title="Save to notes",
            annotations=annotations,
            scopes=("notes:write",),
        )
    ]


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
) -> Stored:
    """Save something to remember: send exactly one of text, path, url. Findable at once. To change
    a saved note use update_note."""
    require_one_origin(text=text, path=path, url=url)
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
    ingested = await _take_in(call, dome, labels, text=text, path=path, url=url)
    await call.report_progress(2, 2, "Stored")
    if not ingested.duplicate:
        tell_changed(dome, ingested.note.note_id)
    return stored_result(ingested, dome)


def require_one_origin(*, text: str, path: str, url: str) -> None:
    """Does nothing where exactly one is given, and looks like what it is given as.

    Raises:
        InvalidInput: what to send instead.
    """
    sent = [name for name, value in (("text", text), ("path", path), ("url", url)) if value]
    if len(sent) != 1:
        what = f"You sent {' and '.join(sent)}." if sent else "There is nothing to save."
        raise InvalidInput(what, "Send exactly one of text, path and url.")
    if path.lower().startswith(("http://", "https://")):
        raise InvalidInput("path is the address of a page.", "Send it as url.")
    if url.lower().startswith(("file:", "/", "~")):
        raise InvalidInput("url is a local file.", "Send it as path.")


async def _take_in(
    call: Call, dome: Dome, labels: Labels, *, text: str, path: str, url: str
) -> Ingested:
    # Parsers and an HTTP client come with it, so it is imported after the handshake.
    from dome_mcp import intake

    tell = partial(call.report_progress, 1, 2, "Converting")
    if path:
        return await intake.ingest_path(dome, path, labels, on_conversion=tell)
    if url:
        return await intake.ingest_url(dome, url, labels, on_conversion=tell)
    return await texts.ingest_text(dome, text, labels)


def _told(stored: Stored, sent: Arguments) -> str:
    named = f"note {stored['note_id']}, {_quoted(stored['title'])}"
    if stored["duplicate"]:
        known = f"Already there as {named}; nothing was written."
        has_labels = any(sent[name] for name in LABELS)
        hint = "To change its title, tags or context use update_note."
        return f"{known} {hint}" if has_labels else known
    if stored["status"] == "indexing":
        pending = _counted(stored.get("pending_chunks", stored["chunks"]))
        how = f"findable by keyword; {pending} are still being indexed for meaning"
    else:
        by_meaning = stored.get("by_meaning", True)
        how = "findable by keyword and meaning" if by_meaning else "findable by keyword"
    verb = "Updated" if stored["updated"] else "Stored"
    return f"{verb} {named}: {_counted(stored['chunks'])}, {how}."


def _quoted(title: str) -> str:
    return json.dumps(shortened(title, 80), ensure_ascii=False)


def _counted(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks} chunks"

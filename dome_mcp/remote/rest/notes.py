"""Notes: listed, stored, read whole, changed under a condition, deleted."""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from dome_mcp import texts
from dome_mcp.app import Dome
from dome_mcp.core.errors import Conflict, InvalidInput
from dome_mcp.core.model import Note, NoteChanges
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.conditions import (
    IF_MATCH,
    IF_MATCH_REQUIRED,
    IF_NONE_MATCH,
    etag_of,
    is_known,
    is_matched,
    require_if_match,
    stale,
)
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import (
    Among,
    Labelled,
    Names,
    Sent,
    Text,
    address,
    example,
    prefers,
    stored,
)
from dome_mcp.services import notes
from dome_mcp.services.blobs import original_of, text_of
from dome_mcp.tools.changes import tell_changed
from dome_mcp.tools.note_results import Deleted, Listed, Stored, note_text
from dome_mcp.tools.results import NoteText, note_summary

router = APIRouter(prefix="/notes", route_class=DomeRoute, tags=["notes"])

Reading = Annotated[Dome, needs("notes:read")]
Writing = Annotated[Dome, needs("notes:write")]

_NOT_MODIFIED: dict[str, Any] = {"description": "It is as If-None-Match says."}
_ANY_CONTENT: dict[str, Any] = {
    "description": "The bytes, under the type that they were stored with.",
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
}
_SHOWN = "return=representation"
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": [_SHOWN]},
}
_PRIVATE = {"Cache-Control": "private, no-cache"}
_SUFFIXES = {"text/markdown": ".md", "text/html": ".html", "application/json": ".json"}
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|%]+')
_MAX_FILENAME = 120


class Listing(Among):
    """Which notes to list, and which page of them."""

    limit: Annotated[int, Field(ge=1, le=notes.MAX_PAGE)] = 20
    cursor: str = ""


class NewNote(Labelled):
    """A text to be stored as a note."""

    model_config = example(text="The flight to Lisbon leaves at nine.", tags=["travel"])

    text: Text


class NoteEdit(Sent):
    """What to change; what is left out stays as it is."""

    model_config = example(title="Lisbon in May", tags=["travel", "2026"])

    text: Text | None = None
    title: Text | None = None
    tags: Annotated[Names | None, Field(description="All of the new tags.")] = None
    context: Annotated[str | None, Field(description="Empty or null for none.")] = None

    def as_changes(self) -> NoteChanges:
        """The changes of the labels that this means."""
        context = (self.context or "") if "context" in self.model_fields_set else None
        return NoteChanges(title=self.title, tags=self.tags, context=context)


@router.get("")
async def list_notes(dome: Reading, listing: Annotated[Listing, Query()]) -> Listed:
    """Lists notes, newest first, without their text."""
    page = await notes.list_notes(
        listing.as_filter(dome.zone),
        dome.ports,
        user_id=dome.user_id,
        limit=listing.limit,
        cursor=listing.cursor or None,
    )
    listed: Listed = {"notes": [note_summary(note, zone=dome.zone) for note in page.notes]}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed


@router.post("", status_code=201, response_model=Stored, responses={200: {"model": Stored}})
async def create_note(request: Request, dome: Writing, note: NewNote) -> Response:
    """Stores a text as a note; the same text again, in the same context, is the same note."""
    ingested = await texts.ingest_text(dome, note.text, note.as_labels(dome.zone))
    result = stored(ingested, dome)
    if not ingested.duplicate:
        tell_changed(dome, ingested.note.note_id)
    headers = {
        "ETag": etag_of(ingested.note.revision),
        "Location": address(request, "notes", result["note_id"]),
    }
    return JSONResponse(result, 200 if result["duplicate"] else 201, headers)


@router.get(
    "/{note_id}",
    response_model=NoteText,
    responses={304: _NOT_MODIFIED},
    openapi_extra=IF_NONE_MATCH,
)
async def read_note(request: Request, dome: Reading, note_id: str) -> Response:
    """A note with its whole text, and its revision as ETag."""
    note = await notes.get_note(note_id, dome.ports, user_id=dome.user_id)
    headers = {**_PRIVATE, "ETag": etag_of(note.revision)}
    if is_known(request, note.revision):
        return Response(status_code=304, headers=headers)
    return JSONResponse(note_text(note, dome), headers=headers)


@router.get(
    "/{note_id}/original",
    response_class=Response,
    responses={200: _ANY_CONTENT, 304: _NOT_MODIFIED},
    openapi_extra=IF_NONE_MATCH,
)
async def read_original(request: Request, dome: Reading, note_id: str) -> Response:
    """The bytes the note came from, to be saved; its text where it came as text."""
    note = await notes.stored_note(note_id, dome.ports, user_id=dome.user_id)
    headers = {
        **_PRIVATE,
        "ETag": etag_of(note.revision),
        "Content-Disposition": _attachment(note),
        # What a user stored is nobody's page: no browser may run it, or take it for another type.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    if is_known(request, note.revision):
        return Response(status_code=304, headers=headers)
    data = await original_of(note, dome.ports.blobs)
    return Response(data, headers={**headers, "Content-Type": _content_type(note)})


@router.patch("/{note_id}", response_model=NoteText, openapi_extra=IF_MATCH_REQUIRED)
async def update_note(request: Request, dome: Writing, note_id: str, edit: NoteEdit) -> Response:
    """Changes a note's text, title, tags or context, if it is as If-Match says."""
    require_if_match(request)
    before = await _as_matched(request, dome, note_id)
    if not edit.model_fields_set:
        raise InvalidInput("There is nothing to change.", "Send text, title, tags or context.")
    try:
        note = await texts.update_note(
            dome, note_id, text=edit.text, changes=edit.as_changes(), revision=before.revision
        )
    except Conflict:
        await _require_unchanged(before, dome)
        raise
    tell_changed(dome, note.note_id)
    whole = replace(note, text=await text_of(note, dome.ports.blobs))
    return JSONResponse(note_text(whole, dome), headers={"ETag": etag_of(note.revision)})


@router.delete(
    "/{note_id}",
    status_code=204,
    response_class=Response,
    responses={200: {"model": Deleted, "description": "The note that was deleted."}},
    openapi_extra={"parameters": [*IF_MATCH["parameters"], _PREFER]},
)
async def delete_note(request: Request, dome: Writing, note_id: str) -> Response:
    """Deletes a note and its file for good; with If-Match only if it is as that says.

    With `Prefer: return=representation` the answer says which note it was.
    """
    before = await _as_matched(request, dome, note_id)
    revision = before.revision if "if-match" in request.headers else None
    try:
        await notes.delete_note(
            note_id, dome.ports, user_id=dome.user_id, now=dome.now(), revision=revision
        )
    except Conflict:
        await _require_unchanged(before, dome)
        raise
    tell_changed(dome, before.note_id)
    if not prefers(request, _SHOWN):
        return Response(status_code=204)
    deleted: Deleted = {"note_id": before.note_id, "title": before.title, "deleted": True}
    return JSONResponse(deleted, headers={"Preference-Applied": _SHOWN})


async def _as_matched(request: Request, dome: Dome, note_id: str) -> Note:
    """The note, if it is at a revision that If-Match allows."""
    note = await notes.stored_note(note_id, dome.ports, user_id=dome.user_id)
    if not is_matched(request, note.revision):
        raise stale("note", note.note_id, note.revision)
    return note


async def _require_unchanged(before: Note, dome: Dome) -> None:
    """Tells a change by somebody else in the last moment from any other conflict."""
    present = await notes.stored_note(before.note_id, dome.ports, user_id=dome.user_id)
    if present.revision != before.revision:
        raise stale("note", before.note_id, present.revision)


def _content_type(note: Note) -> str:
    """The original's type; only of a text that came as text is the encoding known."""
    return note.content_type if note.blob_key else f"{note.content_type}; charset=utf-8"


def _attachment(note: Note) -> str:
    """The Content-Disposition that has a browser save the original under the note's title."""
    key = PurePosixPath(note.blob_key or "")
    suffix = key.suffix or _SUFFIXES.get(note.content_type, ".txt")
    words = _UNSAFE.sub(" ", note.title).strip(" .")[:_MAX_FILENAME].removesuffix(suffix).split()
    stem = " ".join(words) or "note"
    plain = " ".join(stem.encode("ascii", "ignore").decode().split()).strip(" .") or "note"
    exact = quote(f"{stem}{suffix}".encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}{suffix}\"; filename*=UTF-8''{exact}"

"""What the tools for notes do, over the API: one request each."""

from dome_mcp.api_client.connection import Api, given, path_of
from dome_mcp.api_client.refusals import StaleRevision
from dome_mcp.api_client.telling import tell
from dome_mcp.core.errors import Conflict, InvalidInput
from dome_mcp.tools._boundary import Arguments, Call
from dome_mcp.tools.changes import note_change
from dome_mcp.tools.found import Found
from dome_mcp.tools.note_results import Deleted, Listed
from dome_mcp.tools.notes import NO_CONTEXT, part_of
from dome_mcp.tools.results import NoteSummary, NoteText
from dome_mcp.tools.search import concise

AMONG = ("tags", "context", "since", "until")
"""The arguments that say which notes a call is about, by the names they have in the API too."""


async def search(api: Api, sent: Arguments, call: Call) -> Found:
    """The passages that match, whole or as much of them as speaks of the query."""
    del call
    wanted = {"q": sent["query"], "limit": sent["limit"], "mode": sent["mode"]}
    among = given(sent, "note_ids", "cursor", *AMONG)
    found: Found = await api.get("search", {**wanted, **among})
    return found if sent["response_format"] == "detailed" else concise(found, sent["query"])


async def get_note(api: Api, sent: Arguments, call: Call) -> NoteText:
    """The stretch of the note's text that was asked for."""
    del call
    note: NoteText = await api.get(path_of("notes", sent["note_id"]))
    return part_of(note, offset=sent["offset"], limit=sent["limit"])


async def list_notes(api: Api, sent: Arguments, call: Call) -> Listed:
    """A page of the notes, newest first."""
    del call
    wanted = {"limit": sent["limit"], **given(sent, "cursor", *AMONG)}
    listed: Listed = await api.get("notes", wanted)
    return listed


async def update_note(api: Api, sent: Arguments, call: Call) -> NoteSummary:
    """The note as it is after the change.

    Raises:
        Conflict: it is at another revision than the one that was named.
    """
    edit = given(sent, "text", "title", "context")
    if edit.get("context") == NO_CONTEXT:
        edit["context"] = ""
    if sent["tags"] is not None:
        edit["tags"] = sent["tags"]
    if not edit:
        raise InvalidInput("There is nothing to change.", "Send text, title, tags or context.")
    note_id, revision = sent["note_id"], sent["revision"]
    headers = {"If-Match": f'"{revision}"' if revision else "*"}
    try:
        response = await api.send("PATCH", path_of("notes", note_id), body=edit, headers=headers)
    except StaleRevision as error:
        raise outdated(f"Note {note_id}", revision, error, tool="get_note") from error
    note: NoteText = api.content_of(response)
    tell(call, note_change(note["note_id"]))
    return note


async def delete_note(api: Api, sent: Arguments, call: Call) -> Deleted:
    """Which note was deleted."""
    headers = {"Prefer": "return=representation"}
    response = await api.send("DELETE", path_of("notes", sent["note_id"]), headers=headers)
    deleted: Deleted = api.content_of(response)
    tell(call, note_change(deleted["note_id"]))
    return deleted


def outdated(what: str, revision: int, error: StaleRevision, *, tool: str) -> Conflict:
    """The refusal of a revision in the words of the tools, which know nothing of If-Match."""
    present = f"at revision {error.present}, not" if error.present else "no longer at revision"
    return Conflict(
        f"{what} is {present} {revision}.",
        f"Read it again with {tool} and repeat the change on what it says now.",
    )

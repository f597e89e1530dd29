"""The search tool."""

from dataclasses import replace
from typing import Annotated, Literal

from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from dome_mcp.core.model import SearchMode
from dome_mcp.services import search as searching
from dome_mcp.services.search import SearchRequest
from dome_mcp.tools import _cursor
from dome_mcp.tools._boundary import READS, Arguments, Call, define, dome_of
from dome_mcp.tools.excerpts import excerpt, shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.found import READY, Found, found_result
from dome_mcp.tools.parameters import Names, NoteIds, Since, Until, note_filter
from dome_mcp.tools.results import PassageResult

_PAGE_CHARACTERS = 4_600
"""What the hits of a concise page have together; with the frame around it stays under 5,000."""

_WIDEST, _NARROWEST = 350, 160

_FILTERS = ("tags", "context", "note_ids", "since", "until")

ResponseFormat = Literal["concise", "detailed"]


def tools() -> list[Tool]:
    """The tools of this module."""
    return [define(search, _told, title="Search notes", annotations=READS, scopes=("notes:read",))]


async def search(
    query: Annotated[str, Field(description='Question, words or "exact phrase"')],
    *,
    call: Call,
    limit: Annotated[int, Field(le=searching.MAX_LIMIT)] = 10,
    mode: SearchMode = "hybrid",
    tags: Names = (),
    context: str = "",
    note_ids: NoteIds = (),
    since: Since = "",
    until: Until = "",
    cursor: str = "",
    response_format: ResponseFormat = "concise",
) -> Found:
    """Find passages of the user's notes by meaning and keywords, best first. For a cited answer
    use rag_answer; to browse use list_notes."""
    dome = await dome_of(call)
    zone = dome.zone
    among = note_filter(
        zone=zone, tags=tags, context=context, note_ids=note_ids, since=since, until=until
    )
    request = SearchRequest(query, limit=limit, mode=mode, among=among)
    if cursor:
        request = replace(request, offset=_cursor.decode(cursor, request))
    result = await searching.search(request, dome.ports, user_id=dome.user_id)
    found = found_result(result, request, zone=zone)
    return found if response_format == "detailed" else concise(found, query)


def concise(found: Found, query: str) -> Found:
    """The page with what of its passages speaks of the query, and fits together."""
    passages = found["passages"]
    if not passages:
        return found
    heads = sum(len(head(passage)) + 8 for passage in passages)
    width = (_PAGE_CHARACTERS - heads) // len(passages)
    width = max(_NARROWEST, min(width, _WIDEST))
    cut: list[PassageResult] = [
        {**passage, "text": excerpt(passage["text"], query, width=width)} for passage in passages
    ]
    return {**found, "passages": cut}


def head(passage: PassageResult) -> str:
    """One line that says which note a passage is from, from when, and where in it."""
    place = passage["location"]
    heading = place.get("heading", "")
    parts = [
        shortened(passage["title"], 60),
        passage["date"][:10],
        passage["note_id"],
        f"p. {place['page']}" if "page" in place else "",
        shortened(heading, 50) if heading != passage["title"] else "",
        shortened(" ".join(f"#{tag}" for tag in passage["tags"]), 40),
    ]
    return " · ".join(filter(None, parts))


def _told(found: Found, sent: Arguments) -> str:
    offset = _cursor.offset_in(sent["cursor"]) if sent["cursor"] else 0
    missing = "" if found["index_state"] == READY else found["index_state"]
    if not found["passages"]:
        seen = "No more matches." if offset else "No passage matches."
        is_narrow = any(sent[name] for name in _FILTERS)
        hint = "The filters may be too narrow." if is_narrow else ""
        return "\n".join(filter(None, [f"{seen} {missing}".strip(), hint]))
    hits = [
        f"{number}. {head(passage)}\n{passage['text']}"
        for number, passage in enumerate(found["passages"], offset + 1)
    ]
    lines = [f"Note: {missing}"] if missing else []
    lines.append(fenced("\n\n".join(hits)))
    if "next_cursor" in found:
        lines.append(f"More: repeat with cursor {found['next_cursor']}")
    return "\n".join(lines)

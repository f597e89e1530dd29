"""The search tool."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Annotated, Literal, NotRequired

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult
from pydantic import Field
from typing_extensions import TypedDict

from dome_mcp.core.model import IndexState, Passage, SearchMode, SearchResult
from dome_mcp.services import search as searching
from dome_mcp.services.search import SearchRequest
from dome_mcp.tools import _cursor
from dome_mcp.tools._boundary import READS, Call, define, dome_of, reply
from dome_mcp.tools.excerpts import excerpt, shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, Since, Until, note_filter
from dome_mcp.tools.results import PassageResult, passage_results

READY = "ready"

_PAGE_CHARACTERS = 4_600
"""What the hits of a concise page have together; with the frame around it stays under 5,000."""

_WIDEST, _NARROWEST = 350, 160

ResponseFormat = Literal["concise", "detailed"]


class Found(TypedDict):
    """What search gives."""

    passages: list[PassageResult]
    next_cursor: NotRequired[str]
    index_state: str


def tools() -> list[Tool]:
    """The tools of this module."""
    return [define(search, title="Search notes", annotations=READS, scopes=("notes:read",))]


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
) -> Annotated[CallToolResult, Found]:
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
    texts = _texts(result.passages, query, zone=zone, is_detailed=response_format == "detailed")
    found: Found = {
        "passages": passage_results(result.passages, texts, zone=zone),
        "index_state": index_state(result.index),
    }
    if result.next_offset is not None:
        found["next_cursor"] = _cursor.encode(result.next_offset, request)
    return reply(_page(result, texts, request=request, found=found, zone=zone), found)


def index_state(index: IndexState) -> str:
    """`ready`, or in words what search by meaning does not see yet."""
    return index.note or READY


def head(passage: Passage, *, zone: tzinfo) -> str:
    """One line that says which note a passage is from, from when, and where in it."""
    heading = passage.heading or ""
    parts = [
        shortened(passage.title, 60),
        f"{passage.created_at.astimezone(zone):%Y-%m-%d}",
        passage.note_id,
        f"p. {passage.page}" if passage.page is not None else "",
        shortened(heading, 50) if heading != passage.title else "",
        shortened(" ".join(f"#{tag}" for tag in passage.tags), 40),
    ]
    return " · ".join(filter(None, parts))


def _texts(
    passages: Sequence[Passage], query: str, *, zone: tzinfo, is_detailed: bool
) -> list[str]:
    if is_detailed or not passages:
        return [passage.text for passage in passages]
    heads = sum(len(head(passage, zone=zone)) + 8 for passage in passages)
    width = (_PAGE_CHARACTERS - heads) // len(passages)
    width = max(_NARROWEST, min(width, _WIDEST))
    return [excerpt(passage.text, query, width=width) for passage in passages]


def _page(
    result: SearchResult,
    texts: Sequence[str],
    *,
    request: SearchRequest,
    found: Found,
    zone: tzinfo,
) -> str:
    lines: list[str] = []
    if not result.passages:
        seen = "No more matches." if request.offset else "No passage matches."
        lines.append(seen if result.index.note is None else f"{seen} {result.index.note}")
        if not request.among.is_empty:
            lines.append("The filters may be too narrow.")
        return "\n".join(lines)
    hits = [
        f"{number}. {head(passage, zone=zone)}\n{text}"
        for number, (passage, text) in enumerate(
            zip(result.passages, texts, strict=True), request.offset + 1
        )
    ]
    if result.index.note:
        lines.append(f"Note: {result.index.note}")
    lines.append(fenced("\n\n".join(hits)))
    if cursor := found.get("next_cursor"):
        lines.append(f"More: repeat with cursor {cursor}")
    return "\n".join(lines)

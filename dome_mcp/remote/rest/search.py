"""Search, as one answer or line by line."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from dome_mcp.app import Dome
from dome_mcp.core.model import SearchMode, SearchResult
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import Among, Names, Text, accepts
from dome_mcp.services import search as searching
from dome_mcp.services.search import SearchRequest
from dome_mcp.tools import _cursor
from dome_mcp.tools.found import Found, index_state
from dome_mcp.tools.results import passage_result

router = APIRouter(route_class=DomeRoute, tags=["search"])

LINES = "application/x-ndjson"

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Search(Among):
    """What to look for, where, and which page of it."""

    q: Annotated[Text, Field(description='A question, words or an "exact phrase".')]
    mode: SearchMode = "hybrid"
    limit: Annotated[int, Field(ge=1, le=searching.MAX_LIMIT)] = 10
    note_ids: Annotated[Names, Field(description="Only in these notes.")] = ()
    cursor: str = ""


@router.get(
    "/search",
    response_model=Found,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
async def search(
    request: Request, dome: Annotated[Dome, needs("notes:read")], wanted: Annotated[Search, Query()]
) -> Response:
    """Finds passages of the notes by meaning and keywords, best first.

    With `Accept: application/x-ndjson` each passage is a line of its own, `{"passage": …}`, and
    the last line is `{"end": …}`.
    """
    among = wanted.as_filter(dome.zone, note_ids=wanted.note_ids)
    asked = SearchRequest(wanted.q, limit=wanted.limit, mode=wanted.mode, among=among)
    if wanted.cursor:
        asked = replace(asked, offset=_cursor.decode(wanted.cursor, asked))
    result = await searching.search(asked, dome.ports, user_id=dome.user_id)
    end: dict[str, Any] = {"index_state": index_state(result.index)}
    if result.next_offset is not None:
        end["next_cursor"] = _cursor.encode(result.next_offset, asked)
    if accepts(request, LINES):
        return StreamingResponse(_lines(result, end, zone=dome.zone), media_type=LINES)
    passages = [passage_result(each, each.text, zone=dome.zone) for each in result.passages]
    return JSONResponse({"passages": passages, **end})


async def _lines(result: SearchResult, end: dict[str, Any], *, zone: tzinfo) -> AsyncIterator[str]:
    for passage in result.passages:
        yield _ENCODE({"passage": passage_result(passage, passage.text, zone=zone)}) + "\n"
    yield _ENCODE({"end": end}) + "\n"

"""The structured result of a search."""

from datetime import tzinfo
from typing import NotRequired

from typing_extensions import TypedDict

from dome_mcp.core.model import IndexState, SearchResult
from dome_mcp.services.search import SearchRequest
from dome_mcp.tools import _cursor
from dome_mcp.tools.results import PassageResult, passage_result

READY = "ready"


class Found(TypedDict):
    """What search gives."""

    passages: list[PassageResult]
    next_cursor: NotRequired[str]
    index_state: str


def found_result(result: SearchResult, request: SearchRequest, *, zone: tzinfo) -> Found:
    """The page of a search, with its passages whole."""
    found: Found = {
        "passages": [passage_result(each, each.text, zone=zone) for each in result.passages],
        "index_state": index_state(result.index),
    }
    if result.next_offset is not None:
        found["next_cursor"] = _cursor.encode(result.next_offset, request)
    return found


def index_state(index: IndexState) -> str:
    """`ready`, or in words what search by meaning does not see yet."""
    return index.note or READY

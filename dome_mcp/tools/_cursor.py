"""The cursor of a search: a digest of the search it belongs to, and an offset.

In this order, and with a digest that is no number, it can never be taken for a cursor of
list_notes, nor the other way about.
"""

import base64
import hashlib
import json

from dome_mcp.core.errors import InvalidInput
from dome_mcp.services.search import SearchRequest


def encode(offset: int, request: SearchRequest) -> str:
    """The opaque cursor of the page that starts at `offset` of this search."""
    content = json.dumps([_digest(request), offset])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(cursor: str, request: SearchRequest) -> int:
    """The offset in a cursor of this search.

    Raises:
        InvalidInput: no cursor at all, or one of another search.
    """
    digest, position = _content(cursor)
    if digest != _digest(request):
        raise InvalidInput(
            "The cursor belongs to a search with another query, mode or filters.",
            "Repeat that search with its cursor, or send none to start this one.",
        )
    return position


def offset_in(cursor: str) -> int:
    """The offset in a cursor, whichever search it belongs to.

    Raises:
        InvalidInput: no cursor at all.
    """
    return _content(cursor)[1]


def _content(cursor: str) -> tuple[object, int]:
    try:
        digest, offset = json.loads(base64.urlsafe_b64decode(cursor + "=" * 3))
        return digest, int(offset)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            "The cursor is not one that search gave.",
            "Send next_cursor of the last page as it was, or none for the first page.",
        ) from error


def _digest(request: SearchRequest) -> str:
    search = repr((request.query, request.mode, request.among))
    return "s" + hashlib.sha256(search.encode("utf-8", "surrogatepass")).hexdigest()[:12]

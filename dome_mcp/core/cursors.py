"""Cursors of listings: the position of the last thing on a page, as clients pass it back."""

import base64
import json

from dome_mcp.core.errors import InvalidInput

_EXACT = 2**53
"""Numbers from here on are not whole in every binding of the database."""


def to_cursor(position: tuple[int, str]) -> str:
    """The opaque cursor of what comes after a position."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def from_cursor(cursor: str, *, tool: str) -> tuple[int, str]:
    """The position in a cursor.

    Raises:
        InvalidInput: `tool` gave no such cursor.
    """
    try:
        number, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * 3))
        position = int(number), str(key)
    except (ValueError, TypeError, OverflowError) as error:
        raise _foreign(tool) from error
    if abs(position[0]) >= _EXACT or not position[1].isascii():
        raise _foreign(tool)
    return position


def _foreign(tool: str) -> InvalidInput:
    return InvalidInput(
        f"The cursor is not one that {tool} gave.",
        "Send next_cursor of the last page as it was, or none for the first page.",
    )

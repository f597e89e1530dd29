"""The inbox over REST: what fired and nobody acknowledged, and why something may not fire."""

from typing import Annotated

from fastapi import APIRouter
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.tools.attention import InboxResult, attention

router = APIRouter(prefix="/inbox", route_class=DomeRoute, tags=["reminders"])


class Inbox(TypedDict):
    """What the user has to be told; `has_more` where there is more than these."""

    inbox: list[InboxResult]
    has_more: bool
    warnings: list[str]


@router.get("")
async def read_inbox(dome: Annotated[Dome, needs("tasks:read")]) -> Inbox:
    """The newest reminders that fired and wait to be acknowledged, and what needs attention."""
    attend = await attention(dome)
    return {
        "inbox": list(attend.inbox),
        "has_more": attend.has_more,
        "warnings": list(attend.warnings),
    }

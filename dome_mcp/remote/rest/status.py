"""How much the user has stored, and how it is doing."""

from typing import Annotated, Any, Literal, NotRequired

from fastapi import APIRouter
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.surroundings import Here
from dome_mcp.resources.status import status_of
from dome_mcp.tools.attention import InboxResult

router = APIRouter(route_class=DomeRoute, tags=["status"])


class CompanionStatus(TypedDict):
    """How whoever fires the reminders is doing; `last_errors` are for an admin."""

    running: bool
    last_beat: str | None
    lag_seconds: float
    last_errors: NotRequired[list[str]]


class Status(TypedDict):
    """What is stored, and how far the index is.

    `companion` and `inbox` need tasks:read besides, `bytes` and `versions` admin.
    """

    health: Literal["ok", "degraded"]
    warnings: list[str]
    notes: int
    chunks: int
    pending_chunks: int
    tags: dict[str, int]
    contexts: dict[str, int]
    embedding_model: str | None
    embedding_model_loaded: bool
    language_model: str | None
    timezone: str
    tasks_pending: NotRequired[int]
    tasks_overdue: NotRequired[int]
    tasks_closed: NotRequired[int]
    reminders_upcoming: NotRequired[int]
    unacknowledged: NotRequired[int]
    deliveries_failed: NotRequired[int]
    channels: NotRequired[int]
    companion: NotRequired[CompanionStatus]
    inbox: NotRequired[list[InboxResult]]
    bytes: NotRequired[dict[str, int]]
    versions: NotRequired[dict[str, str]]


@router.get("/status", response_model=Status)
async def read_status(dome: Annotated[Dome, needs("notes:read")], here: Here) -> dict[str, Any]:
    """How much is stored, how far the index is, and what is not as it should be."""
    return await status_of(dome, describe=here.describe)

"""Who the caller is, as the server sees them."""

from typing import Annotated

from fastapi import APIRouter
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.core.access import SCOPES, Scope
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute

router = APIRouter(route_class=DomeRoute, tags=["me"])


class Me(TypedDict):
    """The user behind a token, and what the token may do."""

    user_id: str
    scopes: list[Scope]
    credential: str
    timezone: str


@router.get("/me")
async def read_me(dome: Annotated[Dome, needs()]) -> Me:
    """Who this token stands for, and what it may do."""
    principal = dome.principal
    return {
        "user_id": principal.user_id,
        "scopes": [scope for scope in SCOPES if scope in principal.scopes],
        "credential": principal.credential,
        "timezone": dome.zone.key,
    }

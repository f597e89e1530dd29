"""Sessions: what was asked of the notes and answered, listed, read and deleted."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response
from typing_extensions import TypedDict

from dome_mcp.app import Dome
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.services import sessions
from dome_mcp.tools.session_results import (
    ExchangeResult,
    SessionResult,
    exchange_result,
    session_result,
)

router = APIRouter(prefix="/sessions", route_class=DomeRoute, tags=["chat"])

Reading = Annotated[Dome, needs("notes:read")]
Writing = Annotated[Dome, needs("notes:write")]


class Sessions(TypedDict):
    """The sessions, the last one used first."""

    sessions: list[SessionResult]


class SessionShown(TypedDict):
    """A session with what was said in it, the first first."""

    session_id: str
    exchanges: list[ExchangeResult]


@router.get("")
async def list_sessions(dome: Reading) -> Sessions:
    """Lists the last hundred sessions; each exchange is kept for 30 days."""
    listed = await sessions.list_sessions(dome.ports, user_id=dome.user_id, now=dome.now())
    return {"sessions": [session_result(each, zone=dome.zone) for each in listed]}


@router.get("/{session_id}")
async def read_session(dome: Reading, session_id: str) -> SessionShown:
    """Reads a session, at most its last two hundred questions."""
    exchanges = await sessions.read_session(
        session_id, dome.ports, user_id=dome.user_id, now=dome.now()
    )
    shown = [exchange_result(each, zone=dome.zone) for each in exchanges]
    return {"session_id": session_id, "exchanges": shown}


@router.delete("/{session_id}", status_code=204)
async def delete_session(dome: Writing, session_id: str) -> Response:
    """Deletes a session for good."""
    await sessions.delete_session(session_id, dome.ports, user_id=dome.user_id)
    return Response(status_code=204)

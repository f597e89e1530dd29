"""`dome-mcp session`: what was asked of the notes and answered, here or where the data are."""

from dome_mcp.api_client.connection import connected, path_of
from dome_mcp.app import opened
from dome_mcp.commands.shell import Invocation
from dome_mcp.services import sessions
from dome_mcp.settings import Settings
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.session_results import (
    ExchangeResult,
    SessionResult,
    exchange_result,
    session_result,
)

_PATH = "sessions"

_QUESTION_CHARACTERS = 60


async def list_sessions(invocation: Invocation) -> int:
    """Prints the sessions, the last one used first."""
    output, settings = invocation.output, invocation.settings()
    shown = await _listed(settings)
    output.value({"sessions": shown})
    output.table(
        ("id", "last used", "questions", "first question"),
        [
            (
                each["session_id"],
                each["last_at"][:10],
                str(each["exchanges"]),
                shortened(each["question"], _QUESTION_CHARACTERS),
            )
            for each in shown
        ],
    )
    return 0


async def show(invocation: Invocation) -> int:
    """Prints the questions of a session with their answers."""
    session_id: str = invocation.arguments.session_id
    output, settings = invocation.output, invocation.settings()
    shown = await _read(session_id, settings)
    output.value({"session_id": session_id, "exchanges": shown})
    for each in shown:
        output.line(f"{each['asked_at'][:10]}  {each['question']}", "bold")
        output.line(f"{each['answer']}\n")
    return 0


async def delete(invocation: Invocation) -> int:
    """Deletes sessions for good."""
    output, settings = invocation.output, invocation.settings()
    session_ids: list[str] = invocation.arguments.session_ids
    await _delete(session_ids, settings)
    output.value({"deleted": session_ids})
    output.line(f"Deleted {', '.join(session_ids)}.")
    return 0


async def _listed(settings: Settings) -> list[SessionResult]:
    if settings.api_url is not None:
        async with connected(settings) as api:
            return (await api.get(_PATH))["sessions"]
    async with opened(settings) as dome:
        found = await sessions.list_sessions(dome.ports, user_id=dome.user_id, now=dome.now())
        return [session_result(each, zone=dome.zone) for each in found]


async def _read(session_id: str, settings: Settings) -> list[ExchangeResult]:
    if settings.api_url is not None:
        async with connected(settings) as api:
            return (await api.get(path_of(_PATH, session_id)))["exchanges"]
    async with opened(settings) as dome:
        found = await sessions.read_session(
            session_id, dome.ports, user_id=dome.user_id, now=dome.now()
        )
        return [exchange_result(each, zone=dome.zone) for each in found]


async def _delete(session_ids: list[str], settings: Settings) -> None:
    if settings.api_url is not None:
        async with connected(settings) as api:
            for session_id in session_ids:
                await api.send("DELETE", path_of(_PATH, session_id))
        return
    async with opened(settings) as dome:
        for session_id in session_ids:
            await sessions.delete_session(session_id, dome.ports, user_id=dome.user_id)

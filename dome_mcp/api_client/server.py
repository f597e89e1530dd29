"""The MCP server of a machine without data: every tool as ever, done by one request elsewhere."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver.tools import Tool

from dome_mcp.api_client.agenda_calls import (
    complete_task,
    create_reminder,
    create_task,
    list_reminders,
    list_tasks,
    update_reminder,
    update_task,
)
from dome_mcp.api_client.asking import rag_answer
from dome_mcp.api_client.connection import Api, connected
from dome_mcp.api_client.ingest_call import ingest
from dome_mcp.api_client.note_calls import (
    delete_note,
    get_note,
    list_notes,
    search,
    update_note,
)
from dome_mcp.api_client.shelf import Clock, finders_of, read_day, shelf_of
from dome_mcp.api_client.standing import Standing
from dome_mcp.app import Dome, Door
from dome_mcp.core.access import EVERYTHING, Principal
from dome_mcp.dome_server import DomeServer
from dome_mcp.resources.catalogue import catalogue_of
from dome_mcp.resources.completions import completer_of
from dome_mcp.resources.prompts import prompts
from dome_mcp.server import Offer, build_server
from dome_mcp.server import tools as local_tools
from dome_mcp.settings import Settings
from dome_mcp.tools._boundary import Arguments, Call, Perform

__all__ = ["PERFORM", "build_api_server", "connected", "tools_over"]

PerformThere = Callable[[Api, Arguments, Call], Awaitable[Mapping[str, Any]]]

_CALLS: tuple[PerformThere, ...] = (
    *(ingest, search, rag_answer, get_note, list_notes, update_note, delete_note),
    *(create_task, list_tasks, update_task, complete_task),
    *(create_reminder, list_reminders, update_reminder),
)
PERFORM: Mapping[str, PerformThere] = {getattr(each, "__name__", ""): each for each in _CALLS}
"""What each tool does over the API, by the tool's name."""


class DoorElsewhere(Door):
    """Tells the listeners of this process, and has no application behind it."""

    async def dome(self) -> Dome:
        raise RuntimeError("this process has no data of its own")


def _now() -> datetime:
    return datetime.now(UTC)


def build_api_server(api: Api, settings: Settings, *, clock: Clock = _now) -> DomeServer:
    """The server over the API; a client sees what the token may do, once the server has said it."""
    # As whom the token acts, the server knows; within this process there is nobody else.
    someone = Principal(settings.user, EVERYTHING, credential="DOME_API_TOKEN")
    standing = Standing(api, someone)
    server = build_server(
        DoorElsewhere(settings),
        identify=lambda _: standing.principal,
        offer=Offer(
            tools=partial(tools_over, api),
            prompts=partial(prompts, partial(read_day, api, standing, clock)),
            catalogue=catalogue_of(shelf_of(api)),
            complete=completer_of(finders_of(api)),
        ),
    )
    # Before what identifies the sender of a message, who may be better known after it.
    server.middleware.insert(0, _learning(standing))
    return server


def tools_over(api: Api) -> list[Tool]:
    """Every tool, told as ever and done by the API."""
    found = local_tools()
    for tool in found:
        tool.fn = _performed(api, PERFORM[tool.name])
    return found


def _performed(api: Api, perform: PerformThere) -> Perform:
    async def performed(*, call: Call, **sent: Any) -> Mapping[str, Any]:
        return await perform(api, sent, call)

    return performed


def _learning(standing: Standing) -> ServerMiddleware[Any]:
    """Learns what the token may do before anything is listed; a call needs no such question."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method.endswith("/list"):
            await standing.learn()
        return await call_next(ctx)

    return middleware

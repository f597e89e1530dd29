"""Completions: the ids, tags and contexts there are, for templates and prompts."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from mcp.types import CompleteRequestParams, CompleteResult, Completion

from dome_mcp.app import Caller
from dome_mcp.core.ports import Ports
from dome_mcp.services import status

MAX_VALUES = 100
"""Source: https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion
(2026-11): the most values a completion may have."""


Find = Callable[[Caller, str], Awaitable[list[str]]]
"""The caller's values that start as the text does, best first."""


def completer_of(
    finders: Mapping[str, Find],
) -> Callable[[Caller, CompleteRequestParams], Awaitable[CompleteResult]]:
    """Completes each argument that has a finder; any other is free text.

    It raises InsufficientScope where the caller may not read notes, from which all values are.
    """
    return partial(_complete, finders)


async def _complete(
    finders: Mapping[str, Find], caller: Caller, params: CompleteRequestParams
) -> CompleteResult:
    caller.principal.require("notes:read")
    find = finders.get(params.argument.name)
    if find is None:
        return CompleteResult(completion=Completion(values=[]))
    found = await find(caller, params.argument.value)
    has_more = len(found) >= MAX_VALUES
    return CompleteResult(completion=Completion(values=found[:MAX_VALUES], has_more=has_more))


def _here(find: Callable[..., Awaitable[list[str]]]) -> Find:
    """Finds by the application behind the caller's door."""

    async def found(caller: Caller, prefix: str) -> list[str]:
        dome = await caller.dome()
        return await find(prefix, dome.ports, user_id=dome.user_id)

    return found


async def _topics(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """Tags and contexts: what users have named their topics."""
    tags = await status.tags_with_prefix(prefix, ports, user_id=user_id)
    contexts = await status.contexts_with_prefix(prefix, ports, user_id=user_id)
    return list(dict.fromkeys([*tags, *contexts]))


complete = completer_of(
    {
        "id": _here(status.note_ids_with_prefix),
        "tag": _here(status.tags_with_prefix),
        "context": _here(status.contexts_with_prefix),
        "topic": _here(_topics),
    }
)
"""Completes from what the application behind the caller's door holds."""

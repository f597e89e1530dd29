"""Completions: the ids, tags and contexts there are, for templates and prompts."""

from collections.abc import Awaitable, Callable, Mapping

from mcp.types import CompleteRequestParams, CompleteResult, Completion

from dome_mcp.app import Caller
from dome_mcp.core.ports import Ports
from dome_mcp.services import status

MAX_VALUES = 100
"""Source: https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion
(2026-11): the most values a completion may have."""


async def complete(caller: Caller, params: CompleteRequestParams) -> CompleteResult:
    """The caller's values that start as the argument does; none where it is free text.

    Raises:
        InsufficientScope: the caller may not read notes, from which all values are.
    """
    caller.principal.require("notes:read")
    find = _FINDERS.get(params.argument.name)
    if find is None:
        return CompleteResult(completion=Completion(values=[]))
    dome = await caller.dome()
    found = await find(params.argument.value, dome.ports, user_id=dome.user_id)
    values = found[:MAX_VALUES]
    has_more = len(found) >= MAX_VALUES
    return CompleteResult(completion=Completion(values=values, has_more=has_more))


async def _topics(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """Tags and contexts: what users have named their topics."""
    tags = await status.tags_with_prefix(prefix, ports, user_id=user_id)
    contexts = await status.contexts_with_prefix(prefix, ports, user_id=user_id)
    return list(dict.fromkeys([*tags, *contexts]))


_FINDERS: Mapping[str, Callable[..., Awaitable[list[str]]]] = {
    "id": status.note_ids_with_prefix,
    "tag": status.tags_with_prefix,
    "context": status.contexts_with_prefix,
    "topic": _topics,
}

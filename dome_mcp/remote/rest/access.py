"""What every route asks for first: the application on the caller's behalf, after a scope check."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, Request

from dome_mcp.app import Dome
from dome_mcp.core.access import Scope
from dome_mcp.remote.callers import caller_of

SCOPES_ATTRIBUTE = "needed_scopes"
"""Where a dependency made by `needs` says which scopes it checks, for tests and OpenAPI."""


def needs(*scopes: Scope) -> Any:
    """A dependency that gives the caller's `Dome`, once they are known to have all the scopes.

    Used as `dome: Annotated[Dome, needs("notes:read")]`. Without a scope any token will do. For a
    repeated request the `Dome` has the instant at which the first one began.
    """

    async def dome_of(request: Request) -> Dome:
        caller = caller_of(request)
        caller.principal.require(*scopes)
        dome = await caller.dome()
        started_at = getattr(request.state, "started_at", None)
        return dome if started_at is None else dome.at(started_at)

    dependency: Callable[[Request], Awaitable[Dome]] = dome_of
    setattr(dependency, SCOPES_ATTRIBUTE, scopes)
    return Depends(dependency)

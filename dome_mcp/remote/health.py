"""Whether the process lives, and whether it can serve: a word each, for whoever watches it.

Both are public, so they say nothing else: no version, no path, no reason.
"""

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dome_mcp.app import Door
from dome_mcp.core.errors import DomeError
from dome_mcp.core.ports import Statement

LIVES = "/healthz"
READY = "/readyz"

_PATIENCE_SECONDS = 1.0
_ANSWERS = Statement("SELECT count(*) FROM d1_migrations")


def routes(door: Door) -> list[BaseRoute]:
    """`/healthz` and `/readyz`."""

    async def lives(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_: Request) -> Response:
        if await is_ready(door):
            return PlainTextResponse("ready")
        return PlainTextResponse("not ready", 503, headers={"Retry-After": "1"})

    return [Route(LIVES, lives), Route(READY, ready)]


async def is_ready(door: Door) -> bool:
    """Whether the application is open and its database answers within a second."""
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            dome = await door.dome()
            await dome.ports.database.query(_ANSWERS)
    except (DomeError, TimeoutError):
        return False
    return True

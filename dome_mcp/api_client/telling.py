"""Telling this process's own listeners what one of its calls has changed on the server."""

from dome_mcp.feed import Change
from dome_mcp.tools._boundary import Call


def tell(call: Call, change: Change) -> None:
    """Tells whoever listens on behalf of the one who sent the call."""
    caller = call.request_context.lifespan_context
    caller.door.feed.tell(caller.principal.user_id, change)

"""What the rest of the process may know of an MCP call: who, what, how it ended. No content."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from pydantic import ValidationError

from dome_mcp.core.access import Principal
from dome_mcp.core.audit import Outcome
from dome_mcp.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from dome_mcp.tools.uris import note_id_of

Observer = Callable[[Principal, str, str, Outcome, float], None]
"""Called in the event loop after a call, with the principal, the action such as
`tools/call search`, the id of what it was about or an empty string, how it ended, and how many
seconds it took. It must neither block nor raise."""

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_ID_ARGUMENTS = ("note_id", "task_id", "reminder_id")
_REFUSALS = (InvalidInput, NotFound, Conflict, Forbidden, ValidationError)


@contextmanager
def observed(
    observe: Observer | None, principal: Principal, action: str, target: str = ""
) -> Iterator[None]:
    """Tells the observer, where there is one, how the block ended; a cancelled one has failed."""
    started = time.monotonic()
    outcome: Outcome = "failed"
    try:
        yield
        outcome = "ok"
    except Exception as error:  # raised again: only how it ended is noted
        outcome = _outcome(error)
        raise
    finally:
        if observe is not None:
            observe(principal, action, target, outcome, time.monotonic() - started)


def target_of(arguments: Mapping[str, object]) -> str:
    """The id that a call is about, by its arguments; what is no id of ours is content, and not it.

    Only ids pass: a caller may send whatever text where an id is asked for.
    """
    values = (arguments.get(name) for name in _ID_ARGUMENTS)
    ids = (note_id_of(value) for value in values if isinstance(value, str))
    return next(filter(is_id, ids), "")


def is_id(text: str) -> bool:
    """Whether the text has the form of an id of a note, a task or a reminder."""
    return _ID.fullmatch(text) is not None


def _outcome(error: Exception) -> Outcome:
    """`refused` where the caller may not, or sent what cannot work; `failed` where we could not."""
    if isinstance(error, MCPError):
        return "failed" if error.error.code == INTERNAL_ERROR else "refused"
    cause = error.__cause__ if isinstance(error, ToolError) else error
    is_refusal = cause is None or isinstance(cause, (*_REFUSALS, ResourceNotFoundError))
    return "refused" if is_refusal else "failed"

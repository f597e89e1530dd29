"""Why a job failed, as the REST API tells it (RFC 9457), in the job's row."""

import json

from dome_mcp.core.errors import DomeError
from dome_mcp.remote.rest.problem_kinds import INTERNAL, Kind, kind_of, problem_address
from dome_mcp.unexpected import log_unexpected


def problem_text(error: Exception) -> str:
    """The problem that an error is, as JSON; what is not ours is logged, and a reference told."""
    if isinstance(error, DomeError):
        return _told(kind_of(error), error.message, hint=error.hint)
    reference = log_unexpected(error)
    return _told(INTERNAL, f"Internal error, reference {reference}.", reference=reference)


GIVEN_UP = "The Worker ended each time it worked on this."
DEAD_LETTER = "The message of this job was given up: the Worker failed each time it came."


def given_up(what: str) -> str:
    """The problem, as JSON, of a job that nobody came back from."""
    return _told(INTERNAL, what, hint="Send the file in another form, for example as plain text.")


def _told(kind: Kind, detail: str, *, hint: str = "", reference: str = "") -> str:
    members = {
        "type": problem_address(kind),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "hint": hint,
        "reference": reference,
    }
    return json.dumps({name: value for name, value in members.items() if value})

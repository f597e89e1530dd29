"""Entity tags and the conditions that clients put on them (RFC 9110, section 13)."""

import re
from typing import Any

from starlette.requests import Request

from dome_mcp.core.errors import Conflict, InvalidInput

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

_ETAG = {"type": "string", "examples": ['"3"']}


def _described(name: str, about: str, *, required: bool = False) -> dict[str, Any]:
    """What OpenAPI says of a conditional header; for a route's `openapi_extra`."""
    described = {"name": name, "in": "header", "required": required, "description": about}
    return {"parameters": [{**described, "schema": _ETAG}]}


_CHANGED = "The ETag of what was read: what somebody else changed since is not overwritten."
IF_MATCH = _described("If-Match", _CHANGED)
IF_MATCH_REQUIRED = _described("If-Match", _CHANGED, required=True)
IF_NONE_MATCH = _described("If-None-Match", "The ETag of what is known already.")


class RevisionRequired(InvalidInput):
    """The change does not say which revision it is made to."""


class StaleRevision(Conflict):
    """The change was made to a revision that is not the `present` one, where that is known."""

    def __init__(self, message: str, hint: str, present: int | None = None) -> None:
        super().__init__(message, hint)
        self.present = present


def etag_of(revision: int) -> str:
    """The strong entity tag of a revision."""
    return f'"{revision}"'


def require_if_match(request: Request) -> None:
    """Does nothing where the request says what it changes.

    Raises:
        RevisionRequired: it has no If-Match.
    """
    if "if-match" not in request.headers:
        raise RevisionRequired(
            "If-Match is missing.",
            "Send the ETag of what you read, so that no change of somebody else is lost.",
        )


def is_matched(request: Request, revision: int) -> bool:
    """Whether If-Match allows a change of this revision; without the header it does.

    The comparison is strong: a weak tag matches nothing.

    Raises:
        InvalidInput: the header holds no list of entity tags.
    """
    wanted = request.headers.getlist("if-match")
    if not wanted or _is_any(wanted):
        return True
    return (False, str(revision)) in _tags("If-Match", wanted)


def is_known(request: Request, revision: int) -> bool:
    """Whether If-None-Match says that the client has this revision.

    The comparison is weak, because a proxy that compresses makes the tags it passes on weak.

    Raises:
        InvalidInput: the header holds no list of entity tags.
    """
    known = request.headers.getlist("if-none-match")
    if not known:
        return False
    return _is_any(known) or str(revision) in {tag for _, tag in _tags("If-None-Match", known)}


def stale(kind: str, key: str, present: int | None = None) -> StaleRevision:
    """The error for a change of a revision that is not the present one."""
    return StaleRevision(
        f"The {kind} {key} is no longer at the revision that If-Match names.",
        "Read it again, and repeat the change on what it says now with its ETag.",
        present,
    )


def _is_any(values: list[str]) -> bool:
    return ",".join(values).strip() == "*"


def _tags(name: str, values: list[str]) -> set[tuple[bool, str]]:
    """Each tag of the header, and whether it is weak."""
    text = ",".join(values)
    if _TAG.sub("", text).strip(", \t") or not text.strip(", \t"):
        raise InvalidInput(f"{name} is not a list of entity tags.", 'Send an ETag, such as "3".')
    return {(bool(weak), tag) for weak, tag in _TAG.findall(text)}

"""What Vectorize is asked to leave out, and under which names things stand there.

It filters exactly by what is the same for all chunks of a note and fits its limits: the context
(by a digest, because only 64 bytes of a text are indexed) and the day (because ranges over
milliseconds lose accuracy). The hours of a date, tags and named notes are left to the database,
whose word is the last in any case.

Source: https://developers.cloudflare.com/vectorize/reference/metadata-filtering/ (2026-09).
"""

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

from dome_mcp.backends.cloudflare.vectorize_shapes import MAX_NAME_BYTES
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.timestamps import to_ms

_DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)


def namespace_of(user_id: str) -> str:
    """Where a user's vectors are: under the user's id, or a digest of one that is too long."""
    if len(user_id.encode()) <= MAX_NAME_BYTES:
        return user_id
    return f"#{_digest(user_id)}"


def metadata_of(*, context: str, created_at_ms: int) -> dict[str, str | int]:
    """What stands beside each vector of a note."""
    return {"context": _digest(context), "day": created_at_ms // _DAY_MS}


def where(among: NoteFilter) -> dict[str, Any]:
    """The filter for notes in `among`; it may let others of the same days through."""
    found: dict[str, Any] = {}
    if among.context is not None:
        found["context"] = {"$eq": _digest(among.context)}
    days: dict[str, int] = {}
    if among.since is not None:
        days["$gte"] = _day(among.since)
    if among.until is not None:
        days["$lte"] = _day(among.until)
    return {**found, "day": days} if days else found


def _day(moment: datetime) -> int:
    return to_ms(moment) // _DAY_MS


def _digest(text: str) -> str:
    """43 characters that stand for a text of any length."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")

"""The arguments that several tools share: their types, descriptions and meaning."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Annotated, cast

from pydantic import BeforeValidator, Field

from dome_mcp.core.drafts import clean_context, clean_tags
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.timestamps import parse_end, parse_instant
from dome_mcp.tools.uris import note_id_of


def _as_id(value: object) -> object:
    """Some models send a note's address where its id is asked for."""
    return note_id_of(value) if isinstance(value, str) else value


def _as_names(value: object) -> object:
    """Some models send one name, several with commas, or numbers where a list is asked for."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        items = [item for item in cast("list[object]", value) if item is not None]
        return [str(item) if type(item) in (int, float) else item for item in items]
    return value


NoteId = Annotated[str, BeforeValidator(_as_id)]
NoteIds = Annotated[tuple[NoteId, ...], BeforeValidator(_as_names)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_names)]
TaskId = Annotated[str, BeforeValidator(_as_id)]
ReminderId = TaskId
When = Annotated[str, Field(description="ISO 8601, +90m, +2d")]
Zone = Annotated[str, Field(description="IANA")]
Repeat = Annotated[
    str,
    Field(description="daily, weekdays, every 2 weeks, every! 10 days (from completion), or RRULE"),
]
Since = Annotated[str, Field(description="ISO 8601")]
Until = Annotated[str, Field(description="Inclusive")]


def note_filter(
    *,
    zone: tzinfo,
    tags: Sequence[str] = (),
    context: str = "",
    note_ids: Sequence[str] = (),
    since: str = "",
    until: str = "",
) -> NoteFilter:
    """The filter that these arguments mean; dates without an offset are in `zone`.

    Raises:
        InvalidInput: a date that is none, dates in the wrong order, or a label that is too long.
    """
    among = NoteFilter(
        tags=clean_tags(tuple(tags)),
        context=clean_context(context) or None,
        note_ids=tuple(note_ids),
        since=parse_instant(since, zone, name="since") if since else None,
        until=parse_end(until, zone, name="until") if until else None,
    )
    if among.since and among.until and among.since >= among.until:
        raise InvalidInput(f"since {since!r} is after until {until!r}.", "Send the earlier first.")
    return among

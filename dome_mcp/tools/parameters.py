"""The arguments that several tools share: their types, descriptions and meaning."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Annotated

from pydantic import BeforeValidator, Field

from dome_mcp.core.drafts import clean_context, clean_tags
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.timestamps import parse_instant


def _as_list(value: object) -> object:
    """Some models send one name, or several with commas, where a list is asked for."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
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
        InvalidInput: a date that is none, or a label that is too long.
    """
    return NoteFilter(
        tags=clean_tags(tuple(tags)),
        context=clean_context(context) or None,
        note_ids=tuple(note_ids),
        since=parse_instant(since, zone, name="since") if since else None,
        until=parse_instant(until, zone, name="until", end_of_day=True) if until else None,
    )

"""What the routes take and give, where it is not what the tools take and give."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from dome_mcp.app import Dome
from dome_mcp.core.drafts import Labels
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.model import Ingested, Note, NoteFilter
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.tools.note_results import Stored, stored_result
from dome_mcp.tools.parameters import note_filter

Text = Annotated[str, Field(min_length=1)]
Names = tuple[str, ...]
Moment = Annotated[str, Field(description="ISO 8601.", examples=["2026-03-01"])]


class Sent(BaseModel):
    """What a client sends: nothing that nobody asked for, so that a slip is not passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def example(**sent: JsonValue) -> ConfigDict:
    """What the documentation shows of a body, and the contract test sends."""
    examples: list[JsonValue] = [sent]
    return ConfigDict(json_schema_extra={"examples": examples})


class Among(Sent):
    """Which notes a listing, a search or an answer is about."""

    tags: Annotated[Names, Field(description="All of these.")] = ()
    context: Annotated[str, Field(description="A project or conversation.")] = ""
    since: Moment = ""
    until: Annotated[str, Field(description="ISO 8601, inclusive.")] = ""

    def as_filter(self, zone: tzinfo, *, note_ids: Sequence[str] = ()) -> NoteFilter:
        """The filter that this means; dates without an offset are in `zone`.

        Raises:
            InvalidInput: a date that is none, or a label that is too long.
        """
        return note_filter(
            zone=zone,
            tags=self.tags,
            context=self.context,
            note_ids=note_ids,
            since=self.since,
            until=self.until,
        )


class Labelled(Sent):
    """What can be said about a note besides its content."""

    title: Annotated[str, Field(description="Inferred where it is left out.")] = ""
    tags: Annotated[Names, Field(examples=[["travel"]])] = ()
    context: Annotated[str, Field(description="A project or conversation.")] = ""
    source: Annotated[str, Field(description="Where it comes from.")] = ""
    created_at: Moment = ""

    def as_labels(self, zone: tzinfo) -> Labels:
        """The labels that this means.

        Raises:
            InvalidInput: `created_at` is no date.
        """
        created_at = self.created_at
        return Labels(
            title=self.title or None,
            tags=self.tags,
            context=self.context or None,
            source=self.source or None,
            created_at=parse_instant(created_at, zone, name="created_at") if created_at else None,
        )


def stored(ingested: Ingested, dome: Dome) -> Stored:
    """What became of an ingest.

    A note that an earlier run of the same repeated request wrote is no duplicate of anything.
    """
    is_known = ingested.duplicate and not _is_of_this_request(ingested.note, dome)
    return {**stored_result(ingested, dome), "duplicate": is_known}


def address(request: Request, *parts: str) -> str:
    """The path of something else in the API, for a Location header."""
    return "/".join((request.scope.get("root_path", ""), *parts))


def accepts(request: Request, media_type: str) -> bool:
    """Whether the client asks for this very type; `*/*` does not."""
    ranges = ",".join(request.headers.getlist("accept")).lower().replace(" ", "").split(",")
    return any(each == media_type or each.startswith(f"{media_type};") for each in ranges)


def prefers(request: Request, preference: str) -> bool:
    """Whether the client asks for this in its `Prefer` (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(each.partition(";")[0].strip() == preference for each in preferences)


def _is_of_this_request(note: Note, dome: Dome) -> bool:
    made_now = sortable_id(dome.now(), note.user_id, note.context or "", note.content_hash)
    return note.note_id == made_now

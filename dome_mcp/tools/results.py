"""The structured results of the tools; a key without a value is left out, never null."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NotRequired

# The standard library's TypedDict lacks what pydantic needs of it before Python 3.12.
from typing_extensions import TypedDict

from dome_mcp.core.model import Citation, Note, Passage
from dome_mcp.core.timestamps import local_iso
from dome_mcp.tools.uris import note_uri


class Location(TypedDict):
    """Where in its note a passage stands; offsets are characters of the note's text."""

    page: NotRequired[int]
    heading: NotRequired[str]
    start: int
    end: int


class Scores(TypedDict):
    """What each search found; one that did not find the passage is left out."""

    keyword: NotRequired[float]
    semantic: NotRequired[float]


class PassageResult(TypedDict):
    """A passage, with all that is needed to cite it."""

    note_id: str
    chunk_id: str
    title: str
    date: str
    source: NotRequired[str]
    text: str
    location: Location
    tags: list[str]
    score: float
    scores: Scores


class CitationResult(TypedDict):
    """Where a sentence of an answer comes from; `uri` is the note as a resource."""

    n: int
    note_id: str
    uri: str
    title: str
    date: str
    location: Location
    quote: str
    start: int
    end: int


class NoteSummary(TypedDict):
    """A note without its text. `pending` counts the chunks that are not indexed for meaning yet."""

    note_id: str
    title: str
    date: str
    tags: list[str]
    context: NotRequired[str]
    source: NotRequired[str]
    revision: int
    characters: int
    chunks: int
    pending: int


class NoteText(NoteSummary):
    """A note with a stretch of its text."""

    updated: str
    content_type: str
    text: str
    next_offset: NotRequired[int]


def passage_result(passage: Passage, text: str, *, zone: tzinfo) -> PassageResult:
    """The passage, showing `text` of it."""
    result: PassageResult = {
        "note_id": passage.note_id,
        "chunk_id": passage.chunk_id,
        "title": passage.title,
        "date": local_iso(passage.created_at, zone),
        "text": text,
        "location": location(passage),
        "tags": list(passage.tags),
        "score": round(passage.score, 4),
        "scores": _scores(passage),
    }
    if passage.source:
        result["source"] = passage.source
    return result


def citation_result(citation: Citation, *, zone: tzinfo) -> CitationResult:
    """The citation with its date in the user's zone."""
    return {
        "n": citation.n,
        "note_id": citation.note_id,
        "uri": note_uri(citation.note_id),
        "title": citation.title,
        "date": local_iso(citation.created_at, zone),
        "location": location(citation),
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
    }


def note_summary(note: Note, *, zone: tzinfo) -> NoteSummary:
    """What there is to know about a note besides its text."""
    result: NoteSummary = {
        "note_id": note.note_id,
        "title": note.title,
        "date": local_iso(note.created_at, zone),
        "tags": list(note.tags),
        "revision": note.revision,
        "characters": note.characters,
        "chunks": note.chunks,
        "pending": note.pending,
    }
    if note.context:
        result["context"] = note.context
    if note.source:
        result["source"] = note.source
    return result


def location(place: Passage | Citation) -> Location:
    """Page and heading where the document has them, and the offsets."""
    result: Location = {"start": place.start, "end": place.end}
    if place.page is not None:
        result["page"] = place.page
    if place.heading:
        result["heading"] = place.heading
    return result


def _scores(passage: Passage) -> Scores:
    result: Scores = {}
    if passage.scores.keyword is not None:
        result["keyword"] = round(passage.scores.keyword, 4)
    if passage.scores.semantic is not None:
        result["semantic"] = round(passage.scores.semantic, 4)
    return result


def passage_results(
    passages: Sequence[Passage], texts: Sequence[str], *, zone: tzinfo
) -> list[PassageResult]:
    """Each passage with the text to show of it."""
    return [
        passage_result(passage, text, zone=zone)
        for passage, text in zip(passages, texts, strict=True)
    ]

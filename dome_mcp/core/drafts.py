"""From a document to the note that is to be written: all the work that needs no backend.

This is the part of an ingest that costs CPU, so shells run it on a worker thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dome_mcp.core.chunking import split
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.identifiers import chunk_ids, content_hash, sortable_id
from dome_mcp.core.model import Chunk, Document, Original

MAX_TITLE = 200
MAX_TAGS = 50
MAX_LABEL = 100
MAX_SOURCE = 2_000


@dataclass(frozen=True, slots=True)
class Labels:
    """What the caller says about a note; None where it is to be inferred or left empty."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    context: str | None = None
    source: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DraftChunk:
    """A chunk with the id it will be stored under and the hash of what it says and where."""

    chunk_id: str
    content_hash: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A note that is complete but for the database."""

    note_id: str
    title: str
    text: str
    tags: tuple[str, ...]
    context: str
    source: str | None
    content_type: str
    content_hash: str
    created_at: datetime
    chunks: tuple[DraftChunk, ...]
    original: Original | None
    origin: str | None
    """The URI the bytes were read from: a later draft of the same origin takes its place."""


def draft_note(
    document: Document,
    labels: Labels,
    *,
    user_id: str,
    now: datetime,
    original: Original | None = None,
    origin: str | None = None,
) -> NoteDraft:
    """The note that storing `document` with these labels makes.

    It has the labels' tags and the document's own. `origin` is the URI of the file or page that
    was read; it is the note's source unless the labels name another.

    Raises:
        InvalidInput: no text, or a label that is too long.
    """
    if not document.text.strip():
        raise InvalidInput("There is no text to store.", "Send a text with at least one word.")
    digest = content_hash(original.data if original else document.text)
    context = clean_context(labels.context)
    source = clean_source(labels.source)
    note_id = sortable_id(now, user_id, context, digest)
    return NoteDraft(
        note_id=note_id,
        title=clean_title(labels.title or document.title or infer_title(document.text)),
        text=document.text,
        tags=clean_tags((*labels.tags, *document.tags)),
        context=context,
        source=source or origin,
        content_type=document.content_type,
        content_hash=digest,
        created_at=labels.created_at or document.created_at or now,
        chunks=draft_chunks(note_id, document),
        original=original,
        origin=None if source else origin,
    )


def draft_chunks(note_id: str, document: Document) -> tuple[DraftChunk, ...]:
    """The document's chunks under the ids they have in this note."""
    chunks = split(document.text, document.sections)
    hashes = [content_hash(f"{chunk.heading or ''}\x00{chunk.text}") for chunk in chunks]
    ids = chunk_ids(note_id, hashes)
    return tuple(map(DraftChunk, ids, hashes, chunks))


def rename_chunks(drafts: Sequence[DraftChunk], note_id: str) -> tuple[DraftChunk, ...]:
    """The same chunks under the ids they have in another note."""
    ids = chunk_ids(note_id, [draft.content_hash for draft in drafts])
    return tuple(replace(draft, chunk_id=new) for draft, new in zip(drafts, ids, strict=True))


def infer_title(text: str) -> str:
    """The first line that says something, without Markdown marks, cut at a word."""
    line = next((line for line in text.splitlines() if any(map(str.isalnum, line))), text.strip())
    line = " ".join(line.strip("#>*-_ \t").split())
    if len(line) <= 80:
        return line
    return line[:80].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


def clean_title(title: str) -> str:
    """The title on one line, cut to what a row holds."""
    return " ".join(title.split())[:MAX_TITLE] or "Untitled"


def clean_context(context: str | None) -> str:
    """The context without outer space; the empty string for none.

    Raises:
        InvalidInput: it is too long.
    """
    return _label("context", context or "")


def clean_source(source: str | None) -> str | None:
    """The source without outer space; None for none.

    Raises:
        InvalidInput: it is too long; it is shown with every passage.
    """
    named = " ".join((source or "").split())
    if len(named) > MAX_SOURCE:
        raise InvalidInput(
            f"The source is {len(named)} characters long.",
            f"Send a name or an address of at most {MAX_SOURCE} characters.",
        )
    return named or None


def clean_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The tags without `#` and outer space, lower-cased, sorted, each once.

    Raises:
        InvalidInput: too many, or one is too long.
    """
    cleaned = sorted({_label("tag", tag.strip().lstrip("#")).casefold() for tag in tags} - {""})
    if len(cleaned) > MAX_TAGS:
        raise InvalidInput(f"{len(cleaned)} tags are too many.", f"Send at most {MAX_TAGS}.")
    return tuple(cleaned)


def _label(kind: str, value: str) -> str:
    label = " ".join(value.split())
    if len(label) > MAX_LABEL:
        raise InvalidInput(
            f"The {kind} is {len(label)} characters long.",
            f"Send a {kind} of at most {MAX_LABEL} characters.",
        )
    return label

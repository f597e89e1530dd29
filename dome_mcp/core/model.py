"""The values DOME works with. Instants are aware UTC datetimes; offsets are code points."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

SearchMode = Literal["hybrid", "semantic", "keyword"]


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch `[start, end)` of a document's text that shares one location."""

    start: int
    end: int
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a parser takes from bytes: one text, and where each stretch of it stood.

    `sections` are in order, do not overlap and may leave gaps; `page` counts from 1 (pages,
    slides, sheets); `heading` is the path of headings, joined by ` > `. `tags` are those that
    stand in the document itself.
    """

    text: str
    content_type: str
    title: str | None = None
    created_at: datetime | None = None
    """Naive where the document gives no offset: the wall clock of whoever wrote it."""
    sections: tuple[Section, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """The bytes a document came from, kept in the blob store."""

    data: bytes
    filename: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored slice of a note's text, `text == note text[start:end]`."""

    ordinal: int
    start: int
    end: int
    text: str
    page: int | None = None
    heading: str | None = None


@dataclass(frozen=True, slots=True)
class NoteFilter:
    """Which notes a search or a listing may see; an empty filter sees all of the user's.

    A note must carry every one of `tags`. `since` is inclusive, `until` exclusive, both over the
    note's `created_at`.
    """

    tags: tuple[str, ...] = ()
    context: str | None = None
    note_ids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self == EVERY_NOTE


EVERY_NOTE = NoteFilter()


@dataclass(frozen=True, slots=True)
class Note:
    """What the user stored. `text` is None where only the row was read (listings)."""

    note_id: str
    user_id: str
    title: str
    context: str | None
    tags: tuple[str, ...]
    source: str | None
    content_type: str
    created_at: datetime
    updated_at: datetime
    revision: int
    characters: int
    chunks: int
    pending: int
    """Chunks whose vector is not made yet; they are found by keyword only."""
    content_hash: str
    blob_key: str | None = None
    """Where the original bytes are; None for a note that came as text."""
    body_key: str | None = None
    """Where the text is, when it is too long for the row."""
    text: str | None = None

    @property
    def is_indexed(self) -> bool:
        return self.pending == 0


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that a vector index found, and its cosine similarity (-1 to 1)."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Where a passage's score came from; None where that search did not find it.

    `keyword` is BM25 (higher is better), `semantic` the cosine similarity.
    """

    keyword: float | None = None
    semantic: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk retrieved for a query, with all that is needed to cite it."""

    note_id: str
    chunk_id: str
    title: str
    text: str
    created_at: datetime
    start: int
    end: int
    ordinal: int
    score: float
    scores: Scores = Scores()
    page: int | None = None
    heading: str | None = None
    tags: tuple[str, ...] = ()
    context: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class IndexState:
    """How far the vectors are behind the notes, so that "no match" can be told from "not yet".

    `note` says in words what is missing (a model that is loading, that failed, that is absent),
    None when nothing is.
    """

    pending_chunks: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of passages, best first, and the offset of the next page where there is one."""

    passages: tuple[Passage, ...]
    index: IndexState
    next_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of an answer comes from: `quote` is the note's text `[start, end)`."""

    n: int
    note_id: str
    chunk_id: str
    title: str
    created_at: datetime
    quote: str
    start: int
    end: int
    page: int | None = None
    heading: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a language model read and wrote, counted by its server; None where it did not say."""

    prompt: int | None = None
    completion: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How many seconds an answer took: to find its passages, and to make it from them."""

    search: float
    answer: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its evidence; `answered` is False where the notes do not hold one.

    `text` carries `[n]` after each sentence, n counting `citations` from 1. `model` is
    `extractive` or the language model's name. `warnings` say what the reader should know: a
    sentence without support, a model that did not answer. `confidence`, 0 to 1, is how far the
    notes bear the answer out, 0 where there is none.
    """

    text: str
    answered: bool
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    model: str
    index: IndexState
    warnings: tuple[str, ...] = ()
    confidence: float = 0.0
    tokens: Tokens | None = None
    """None where no language model was asked."""
    timing: Timing | None = None
    """None where whoever asked brought no stopwatch."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one ingest.

    `duplicate`: the same content was there already, nothing was written. `updated`: the same
    source was there with other content, its note now holds the new one.
    """

    note: Note
    duplicate: bool = False
    updated: bool = False


@dataclass(frozen=True, slots=True)
class NoteChanges:
    """What `update_note` is to change; None leaves a field as it is."""

    document: Document | None = None
    """The new text, with its headings found."""
    title: str | None = None
    tags: tuple[str, ...] | None = None
    context: str | None = None
    """The empty string takes the note out of its context."""


@dataclass(frozen=True, slots=True)
class NotePage:
    """Notes of a listing, newest first, and where the next page starts."""

    notes: tuple[Note, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message to or from a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model answered; `None` counts where the server did not say."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a user has stored."""

    notes: int
    chunks: int
    pending_chunks: int
    tags: Sequence[tuple[str, int]] = field(default_factory=tuple[tuple[str, int], ...])
    contexts: Sequence[tuple[str, int]] = field(default_factory=tuple[tuple[str, int], ...])

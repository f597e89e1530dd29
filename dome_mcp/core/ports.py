"""The ports: what the services need from the outside, and what a driver promises.

A driver translates values and exceptions and does nothing else: no policy, no retry of a
business step, no clock. Whatever a driver raises is a `BackendError` (core/errors.py), never the
vendor's exception; cancellation passes through. A port's methods may be called from several
tasks at once. Each port has one conformance suite (tests/conformance) over all drivers.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.model import Completion, Match, NoteFilter, Turn
from dome_mcp.core.sessions import SessionManager
from dome_mcp.core.statements import Row, Statement, Vector, VectorEntry
from dome_mcp.core.statements import Value as Value  # ports.Value, as its neighbours


class Database(Protocol):
    """Rows, by SQL. The truth: everything else can be rebuilt from it and the blob store.

    A number may reach SQLite as REAL or as text (D1 binds so); statements compare it with an
    INTEGER column or a CAST.
    """

    async def query(self, statement: Statement) -> Sequence[Row]:
        """The rows of one statement, which may write (`… RETURNING`).

        A write is durable when this returns, and not done at all when it raises.

        Raises:
            BackendUnavailable: the database stayed busy, or cannot be reached.
            BackendRejected: the statement is wrong, or a constraint forbids it.
            QuotaExhausted: the disk is full, or the account's allowance is used up.
        """
        ...

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        """The rows of each statement, in order, run as one transaction: all of them, or none.

        Others see no state in between; durability is as for `query`. An empty batch does nothing.

        Raises:
            BackendError: as for `query`; then nothing of the batch was written.
        """
        ...


class Embedder(Protocol):
    """Text to vectors by one model. The same text gives the same vector, within rounding."""

    @property
    def model(self) -> str:
        """The id that stands with every vector; vectors of two ids are never compared."""
        ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_batch(self) -> int:
        """The most texts one `embed_passages` call should carry."""
        ...

    @property
    def is_ready(self) -> bool:
        """False while the first call would have to wait for the model to load."""
        ...

    async def warm_up(self) -> None:
        """Loads the model where there is one to load; harmless to repeat.

        Raises:
            BackendUnavailable: the model cannot be loaded or reached now.
        """
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One unit vector per text, in order; a longer text is cut to what the model reads.

        Raises:
            BackendUnavailable: the model cannot be loaded or reached now.
            BackendRejected: the model refuses the input.
        """
        ...

    async def embed_query(self, text: str) -> Vector:
        """The unit vector of a question, with the model's query prefix where it has one.

        Raises:
            BackendError: as for `embed_passages`.
        """
        ...


class Lookup(Protocol):
    """A search under way, whose last question goes along in a batch of the caller's.

    `chunk_ids` were found so far. `statement` asks the database what it knows better: what is
    staged, gone, filtered out; None where the index is in the same database.
    """

    @property
    def chunk_ids(self) -> Sequence[str]: ...

    @property
    def statement(self) -> Statement | None: ...

    async def matches(self, rows: Sequence[Row]) -> Sequence[Match]:
        """The result of `VectorIndex.search`, and its errors, given the rows of `statement`."""
        ...


class VectorIndex(Protocol):
    """Nearest neighbours by cosine, per user, for the vectors of one model.

    What is searched is decided in the database: `stage` and `unstage` give statements that the
    caller runs in the batch that writes the chunks themselves, so that a vector and its row become
    durable together. An index that lives elsewhere (Vectorize) stages into a ledger table, and
    `settle` carries the ledger out; an index in the same database has nothing to settle. Either
    way a staged vector is found by the next search.
    """

    @property
    def model(self) -> str: ...

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        """Statements that put entries in the index, replacing what their ids had.

        They do nothing for a chunk id that has no row in `chunks` when they run.
        """
        ...

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        """Statements that take ids, known or not, out; to be run before the rows are deleted."""
        ...

    async def settle(self) -> int:
        """Carries staged changes out; returns how many the index has not taken in yet.

        Harmless to repeat, also in several processes at once.

        Raises:
            BackendError: the index cannot be written; what is left stays staged.
        """
        ...

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        """Begins a `search`, and leaves its last question to the caller."""
        ...

    async def search(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Sequence[Match]:
        """The user's nearest chunks, best first, at most `limit`, only from notes in `among`.

        Raises:
            BackendUnavailable: the index cannot be read; an outage is never an empty list.
            BackendRejected: there is no such index, or it is one for other vectors.
            QuotaExhausted: the account's allowance is used up.
        """
        ...


class BlobStore(Protocol):
    """Bytes by key. Keys are `/`-separated segments of letters, digits, `.`, `_`, `-`."""

    async def put(self, key: str, data: bytes) -> None:
        """Stores the bytes; durable, and visible whole or not at all, when this returns.

        The same key again replaces the bytes.

        Raises:
            BackendUnavailable: the store cannot be reached.
            QuotaExhausted: no space left.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The bytes of a key.

        Raises:
            NotFound: there is no such key.
            BackendUnavailable: the store cannot be reached.
        """
        ...

    async def delete(self, key: str) -> None:
        """Removes a key; a key that is not there is no error.

        Raises:
            BackendUnavailable: the store cannot be reached.
        """
        ...

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Every key that starts with `prefix`, sorted.

        Raises:
            BackendUnavailable: the store cannot be reached.
        """
        ...


class EventQueue(Protocol):
    """Wakes whoever delivers. A message may be lost, repeated or reordered; rows decide."""

    async def send(self, bodies: Sequence[str]) -> None:
        """Hands over messages, each a short JSON text; returns when the queue has them.

        Raises:
            BackendUnavailable: the queue cannot be reached; the deliveries stay claimable.
        """
        ...


class Notifier(Protocol):
    """Brings a notice to the user by one kind of channel. It tries once; retry is the policy's."""

    @property
    def kind(self) -> str: ...

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        """Sends the notice and returns a receipt: what the other side called it, or its status.

        The same key again is the same notice: where the protocol has a place for it (a header, a
        Message-ID, a tag), the receiver can tell a repetition.

        Raises:
            DeliveryFailed: it was not taken; `retryable` where it may be later.
            NotServed: it was not tried, because this driver does not reach the channel.
        """
        ...


class LanguageModel(Protocol):
    """A chat model behind some server."""

    @property
    def model(self) -> str: ...

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and answer may have together; a refusal may teach it better."""
        ...

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        """The model's next message.

        Raises:
            BackendUnavailable: no answer in time, or the server is overloaded.
            BackendRejected: wrong key, unknown model, prompt too long.
            QuotaExhausted: the account's allowance is used up.
            BackendProtocolError: the answer has no message in it.
        """
        ...

    def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        """The same in pieces, the counts last and alone; to close it ends the model's work."""
        ...


class Reranker(Protocol):
    """How well texts answer a question, by a model that reads the question and a text together."""

    @property
    def model(self) -> str: ...

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text, in the order of the texts; the higher, the better it answers.

        Scores compare within one call only. What the model does not read of a text counts nothing.

        Raises:
            BackendUnavailable: the model cannot be reached now.
            BackendRejected: the model refuses the input.
            QuotaExhausted: the account's allowance is used up.
            BackendProtocolError: the answer leaves a text without its score.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The drivers one set of services runs on; None: not configured (`sessions`: rows)."""

    database: Database
    vectors: VectorIndex | None
    blobs: BlobStore
    embedder: Embedder | None
    language_model: LanguageModel | None = None
    sessions: SessionManager | None = None
    reranker: Reranker | None = None

"""The ports with spans of OpenTelemetry, so that a trace shows where a request's time went.

A span says what was done, how much of it, and the type of what failed. It holds no parameter, no
text, no key, and no words of an error.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from dome_mcp.core.model import Completion, Match, NoteFilter, Turn
from dome_mcp.core.ports import (
    BlobStore,
    Database,
    Embedder,
    LanguageModel,
    Lookup,
    Ports,
    Reranker,
    Row,
    Statement,
    Vector,
    VectorEntry,
    VectorIndex,
)


def traced(ports: Ports, tracer: Tracer) -> Ports:
    """The same ports, with a span around each call."""
    return Ports(
        database=TracedDatabase(ports.database, tracer),
        vectors=ports.vectors and TracedVectors(ports.vectors, tracer),
        blobs=TracedBlobs(ports.blobs, tracer),
        embedder=ports.embedder and TracedEmbedder(ports.embedder, tracer),
        language_model=ports.language_model and TracedModel(ports.language_model, tracer),
        sessions=ports.sessions,
        reranker=ports.reranker and TracedReranker(ports.reranker, tracer),
    )


@contextmanager
def _span(tracer: Tracer, name: str, **attributes: str | int) -> Iterator[Span]:
    """A span whose attributes are these under `dome.`; an error leaves its type in it alone."""
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes={f"dome.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:  # raised again: only its kind is noted
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


@dataclass(frozen=True, slots=True)
class TracedDatabase:
    """A `Database` with spans `database query` and `database batch`."""

    database: Database
    tracer: Tracer

    async def query(self, statement: Statement) -> Sequence[Row]:
        with _span(self.tracer, "database query") as span:
            rows = await self.database.query(statement)
            span.set_attribute("dome.rows", len(rows))
            return rows

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        with _span(self.tracer, "database batch", statements=len(statements)) as span:
            results = await self.database.batch(statements)
            span.set_attribute("dome.rows", sum(map(len, results)))
            return results


@dataclass(frozen=True, slots=True)
class TracedVectors:
    """A `VectorIndex` with spans `vector search` and `vector settle`."""

    vectors: VectorIndex
    tracer: Tracer

    @property
    def model(self) -> str:
        return self.vectors.model

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        return self.vectors.stage(entries)

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        return self.vectors.unstage(chunk_ids)

    async def settle(self) -> int:
        with _span(self.tracer, "vector settle") as span:
            left = await self.vectors.settle()
            span.set_attribute("dome.left", left)
            return left

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        with _span(self.tracer, "vector search", limit=limit) as span:
            lookup = await self.vectors.look_up(user_id, vector, limit=limit, among=among)
            span.set_attribute("dome.matches", len(lookup.chunk_ids))
            return lookup

    async def search(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Sequence[Match]:
        with _span(self.tracer, "vector search", limit=limit) as span:
            matches = await self.vectors.search(user_id, vector, limit=limit, among=among)
            span.set_attribute("dome.matches", len(matches))
            return matches


@dataclass(frozen=True, slots=True)
class TracedBlobs:
    """A `BlobStore` with spans `blob put`, `blob get`, `blob delete` and `blob keys`."""

    blobs: BlobStore
    tracer: Tracer

    async def put(self, key: str, data: bytes) -> None:
        with _span(self.tracer, "blob put", bytes=len(data)):
            await self.blobs.put(key, data)

    async def get(self, key: str) -> bytes:
        with _span(self.tracer, "blob get") as span:
            data = await self.blobs.get(key)
            span.set_attribute("dome.bytes", len(data))
            return data

    async def delete(self, key: str) -> None:
        with _span(self.tracer, "blob delete"):
            await self.blobs.delete(key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        with _span(self.tracer, "blob keys") as span:
            keys = await self.blobs.keys(prefix)
            span.set_attribute("dome.keys", len(keys))
            return keys


@dataclass(frozen=True, slots=True)
class TracedEmbedder:
    """An `Embedder` with spans `embed passages` and `embed query`."""

    embedder: Embedder
    tracer: Tracer

    @property
    def model(self) -> str:
        return self.embedder.model

    @property
    def dimensions(self) -> int:
        return self.embedder.dimensions

    @property
    def max_batch(self) -> int:
        return self.embedder.max_batch

    @property
    def is_ready(self) -> bool:
        return self.embedder.is_ready

    async def warm_up(self) -> None:
        with _span(self.tracer, "embed warm up", model=self.model):
            await self.embedder.warm_up()

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        with _span(self.tracer, "embed passages", model=self.model, texts=len(texts)):
            return await self.embedder.embed_passages(texts)

    async def embed_query(self, text: str) -> Vector:
        with _span(self.tracer, "embed query", model=self.model):
            return await self.embedder.embed_query(text)


@dataclass(frozen=True, slots=True)
class TracedReranker:
    """A `Reranker` with spans `rerank`."""

    reranker: Reranker
    tracer: Tracer

    @property
    def model(self) -> str:
        return self.reranker.model

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        with _span(self.tracer, "rerank", model=self.model, texts=len(texts)):
            return await self.reranker.rerank(query, texts)


@dataclass(frozen=True, slots=True)
class TracedModel:
    """A `LanguageModel` with spans `language model complete` and `language model stream`."""

    language_model: LanguageModel
    tracer: Tracer

    @property
    def model(self) -> str:
        return self.language_model.model

    @property
    def context_tokens(self) -> int:
        return self.language_model.context_tokens

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        with _span(self.tracer, "language model complete", model=self.model, turns=len(turns)):
            return await self.language_model.complete(
                turns, max_tokens=max_tokens, temperature=temperature
            )

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        # Not the current span: between two pieces the reader's own spans begin and end.
        span = self.tracer.start_span(
            "language model stream", attributes={"dome.model": self.model, "dome.turns": len(turns)}
        )
        pieces = 0
        said = self.language_model.stream(turns, max_tokens=max_tokens, temperature=temperature)
        try:
            async with aclosing(said):
                async for piece in said:
                    pieces += 1
                    yield piece
        except Exception as error:  # raised again: only its kind is noted
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.set_attribute("dome.pieces", pieces)
            span.end()

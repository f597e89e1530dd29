"""Ports that stop the program at a chosen call, before or after it reached the driver.

`Crash` is no `Exception`: nothing in the services can catch it, as nothing catches a kill -9.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from dome_mcp.core.agenda import Channel, Notice
from dome_mcp.core.model import Match, NoteFilter
from dome_mcp.core.ports import (
    BlobStore,
    Database,
    Embedder,
    EventQueue,
    Lookup,
    Notifier,
    Ports,
    Row,
    Statement,
    Vector,
    VectorEntry,
    VectorIndex,
)

Moment = Literal["before", "after"]
T = TypeVar("T")


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Counts awaited port calls and blows at call `at`; with `at` None it only counts."""

    at: int | None = None
    moment: Moment = "before"
    calls: int = 0

    async def through(self, call: Callable[[], Awaitable[T]]) -> T:
        number, self.calls = self.calls, self.calls + 1
        if number == self.at and self.moment == "before":
            raise Crash
        try:
            return await call()
        finally:  # an answer that is an error, such as a refusal, has been given as well
            if number == self.at:
                raise Crash


def with_fuse(ports: Ports, fuse: Fuse) -> Ports:
    """The same ports, every awaited call of them going through the fuse."""
    return replace(
        ports,
        database=database_with_fuse(ports.database, fuse),
        blobs=_Blobs(ports.blobs, fuse),
        embedder=ports.embedder and _Embedder(ports.embedder, fuse),
        vectors=ports.vectors and _Vectors(ports.vectors, fuse),
    )


def database_with_fuse(database: Database, fuse: Fuse) -> Database:
    return _Database(database, fuse)


def queue_with_fuse(queue: EventQueue, fuse: Fuse) -> EventQueue:
    return _Queue(queue, fuse)


def notifier_with_fuse(notifier: Notifier, fuse: Fuse) -> Notifier:
    return _Notifier(notifier, fuse)


@dataclass
class _Database:
    inner: Database
    fuse: Fuse

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.fuse.through(lambda: self.inner.query(statement))

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self.fuse.through(lambda: self.inner.batch(statements))


@dataclass
class _Blobs:
    inner: BlobStore
    fuse: Fuse

    async def put(self, key: str, data: bytes) -> None:
        await self.fuse.through(lambda: self.inner.put(key, data))

    async def get(self, key: str) -> bytes:
        return await self.fuse.through(lambda: self.inner.get(key))

    async def delete(self, key: str) -> None:
        await self.fuse.through(lambda: self.inner.delete(key))

    async def keys(self, prefix: str = "") -> Sequence[str]:
        return await self.fuse.through(lambda: self.inner.keys(prefix))


@dataclass
class _Embedder:
    inner: Embedder
    fuse: Fuse

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    @property
    def max_batch(self) -> int:
        return self.inner.max_batch

    @property
    def is_ready(self) -> bool:
        return self.inner.is_ready

    async def warm_up(self) -> None:
        await self.inner.warm_up()

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        return await self.fuse.through(lambda: self.inner.embed_passages(texts))

    async def embed_query(self, text: str) -> Vector:
        return await self.fuse.through(lambda: self.inner.embed_query(text))


@dataclass
class _Vectors:
    inner: VectorIndex
    fuse: Fuse

    @property
    def model(self) -> str:
        return self.inner.model

    def stage(self, entries: Sequence[VectorEntry]) -> Sequence[Statement]:
        return self.inner.stage(entries)

    def unstage(self, chunk_ids: Sequence[str]) -> Sequence[Statement]:
        return self.inner.unstage(chunk_ids)

    async def settle(self) -> int:
        return await self.fuse.through(self.inner.settle)

    async def look_up(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Lookup:
        return await self.fuse.through(
            lambda: self.inner.look_up(user_id, vector, limit=limit, among=among)
        )

    async def search(
        self, user_id: str, vector: Vector, *, limit: int, among: NoteFilter
    ) -> Sequence[Match]:
        return await self.fuse.through(
            lambda: self.inner.search(user_id, vector, limit=limit, among=among)
        )


@dataclass
class _Queue:
    inner: EventQueue
    fuse: Fuse

    async def send(self, bodies: Sequence[str]) -> None:
        await self.fuse.through(lambda: self.inner.send(bodies))


@dataclass
class _Notifier:
    inner: Notifier
    fuse: Fuse

    @property
    def kind(self) -> str:
        return self.inner.kind

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        return await self.fuse.through(
            lambda: self.inner.notify(notice, channel, idempotency_key=idempotency_key)
        )

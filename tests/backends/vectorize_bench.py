"""Vectorize that lags, a database that can be cut off, and what drives the two, for tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import (
    METADATA_INDEXES,
    StoredVector,
    VectorizeIndex,
)
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Row, Statement, VectorEntry
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.conformance.vector_suite import (
    DIMENSIONS,
    NEW_YEAR,
    note,
    toward,
)
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.vectorize import (
    INDEX_NAME,
    MEDIAN_DELAY_SECONDS,
    VectorizeSimulator,
)
from tests.simulators.cloudflare.vectorize_index import SimulatedIndex

LATER = MEDIAN_DELAY_SECONDS + 1
GARDEN = NoteFilter(context="garden")


async def at_once(_seconds: float) -> None:
    """Waits for no time at all."""


class Cut(Exception):
    """The process was killed here."""


@dataclass
class CutDatabase:
    """A database that the process does not live to hear from again, after `left` batches."""

    inner: SqliteDatabase
    left: int = 10_000
    queries: int = 0

    async def query(self, statement: Statement) -> Sequence[Row]:
        self.queries += 1
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        if not self.left:
            raise Cut
        self.left -= 1
        return await self.inner.batch(statements)


class WatchedIndex(VectorizeIndex):
    """An index during whose writes something else may happen, before the answer is read."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().upsert(vectors)


@dataclass
class Bench:
    """A Vectorize index that lags, a database, and what drives them."""

    account: SimulatedAccount
    simulator: VectorizeSimulator
    simulated: SimulatedIndex
    api: CloudflareApi
    database: CutDatabase
    index: WatchedIndex = field(init=False)
    vectors: VectorizeVectors = field(init=False)

    def __post_init__(self) -> None:
        self.index = WatchedIndex(self.api, INDEX_NAME)
        self.vectors = VectorizeVectors(
            self.index,
            self.database,
            ledger=vector_ledger,
            score=matrix_scores,
            model="test-model/fp32",
            dimensions=DIMENSIONS,
        )

    async def settle_in_time(self) -> None:
        """Settles until nothing is left, with time enough for the index in between."""
        for _ in range(6):
            left = await self.vectors.settle()
            self.simulator.advance(LATER)
            if not left:
                return
        raise AssertionError("something is never settled")

    def asked(self, operation: str) -> int:
        """How many calls of this operation were made."""
        return sum(each.endswith(f"/{operation}") for each in self.account.asked)

    def values(self, chunk_id: str) -> list[float]:
        return list(self.simulated.vectors[chunk_id].values)


@asynccontextmanager
async def vectorize_bench() -> AsyncIterator[Bench]:
    account, simulator = SimulatedAccount(), VectorizeSimulator()
    simulated = simulator.create(DIMENSIONS)
    simulated.metadata_indexes.update(METADATA_INDEXES)
    account.register("vectorize", simulator)
    async with (
        SqliteDatabase.open(None) as database,
        CloudflareApi.open(account.account, transport=account.transport, sleep=at_once) as api,
    ):
        await migrate(database)
        yield Bench(account, simulator, simulated, api, CutDatabase(database))


async def store_many(
    bench: Bench,
    prefix: str,
    count: int,
    *,
    degrees: float,
    context: str = "",
    tag: str = "",
    created_at: datetime = NEW_YEAR,
) -> None:
    """So many notes of one chunk at nearly one angle."""
    statements = [
        statement
        for number in range(count)
        for statement in note(
            f"{prefix}{number}",
            context=context,
            tags=[tag] if tag else [],
            created_at=created_at,
        )
    ]
    entries = [
        VectorEntry(f"{prefix}{number}", toward(degrees + number / 1000)) for number in range(count)
    ]
    await bench.database.batch([*statements, *bench.vectors.stage(entries)])

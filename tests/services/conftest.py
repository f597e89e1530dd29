"""The services on the real embedded drivers, with a small embedder that needs no model."""

import hashlib
import math
import re
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import VECTOR_SCHEMA, SqliteVectors, WatchedDatabase
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Ports, Row, Statement, Vector
from dome_mcp.store.notes import eligible_notes
from dome_mcp.store.schema import migrate
from tests.conformance.conftest import BINDINGS
from tests.services.clouds import Site, process_at, simulated_site
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.opening import open_d1


@dataclass
class WordEmbedder:
    """Texts that share words are alike: each word adds a direction of its own."""

    model: str = "words/1"
    dimensions: int = 64
    max_batch: int = 32
    is_ready: bool = True
    embedded: list[str] = field(default_factory=list)
    refused: str = "no text has this in it"
    """The embedder refuses a batch with a text that has these words in it."""

    async def warm_up(self) -> None:
        self.is_ready = True

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        if any(self.refused in text for text in texts):
            raise BackendRejected("words", "embed", "The model refuses a text.")
        self.embedded += texts
        return [self._vector(text) for text in texts]

    async def embed_query(self, text: str) -> Vector:
        return self._vector(text)

    def _vector(self, text: str) -> Vector:
        values = [0.0] * self.dimensions
        for word in re.findall(r"\w+", text.lower()) or [""]:
            digest = hashlib.sha256(word.encode()).digest()
            values[digest[0] % self.dimensions] += 1.0
            values[digest[1] % self.dimensions] -= 0.5
        length = math.hypot(*values) or 1.0
        return array("f", [value / length for value in values])


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@dataclass
class WatchedD1:
    """D1 with the change counter that the embedded vector index asks its database for."""

    database: D1Database
    simulator: D1Simulator

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.database.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        return await self.database.batch(statements)

    async def data_version(self) -> int:
        return self.simulator.rows_written


@asynccontextmanager
async def open_database(binding: str, path: Path) -> AsyncIterator[WatchedDatabase]:
    """A database that binds numbers as they are, as REAL, or as text; or D1 over REST."""
    if binding == "d1":
        simulator = D1Simulator()
        async with open_d1(SimulatedAccount(), simulator) as database:
            yield WatchedD1(database, simulator)
        return
    async with SqliteDatabase.open(path, bind=BINDINGS[binding]) as database:
        yield database


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A simulated account with an empty DOME, whose Vectorize lags."""
    async with simulated_site() as made:
        yield made


ON_CLOUDFLARE = frozenset(
    """
    access actions agenda_archive agenda_crashes answer archive channels clocks companions context
    dispatch dispatch_attempts dispatch_holders firings idempotency indexing ingest jobs notes
    races reminders scenarios search sessions tasks
    """.split()  # noqa: SIM905 - twenty quoted words cannot be read
)
"""The modules that run on Cloudflare as a whole; `tests/workers/services` runs them on a local one.
The others look into the tables of the embedded index."""

IN_EMBEDDED_INDEX = frozenset({"test_deleted_is_deleted_everywhere"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out `cloudflare` where it cannot be, and `real-bound` elsewhere: D1 binds so too."""
    left_out = {item for item in items if _is_left_out(item)}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=list(left_out))


def _is_left_out(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)  # only parametrised tests have one
    kind = callspec.params.get("ports") if callspec else None
    if kind is None or item.path.parent != Path(__file__).parent:
        return False
    module, name = item.path.stem.removeprefix("test_"), getattr(item, "originalname", "")
    is_on_cloudflare = module in ON_CLOUDFLARE and name not in IN_EMBEDDED_INDEX
    return kind == ("real-bound" if is_on_cloudflare else "cloudflare")


@pytest.fixture(params=["sqlite", "real-bound", "text-bound", "d1", "cloudflare"])
async def ports(
    request: pytest.FixtureRequest, tmp_path: Path, embedder: WordEmbedder
) -> AsyncIterator[Ports]:
    """Ports on every kind of database; and all of them Cloudflare's, with a Vectorize that lags."""
    if request.param == "cloudflare":
        async with (
            simulated_site(embedder.dimensions) as made,
            process_at(made.place, embedder=embedder) as process,
        ):
            yield process.ports
        return
    async with open_database(request.param, tmp_path / "dome.db") as database:
        yield await make_ports(database, tmp_path, embedder)


async def make_ports(
    database: WatchedDatabase, folder: Path, embedder: WordEmbedder | None
) -> Ports:
    await migrate(database)
    await database.batch([Statement(sql) for sql in VECTOR_SCHEMA])
    vectors = embedder and SqliteVectors(
        database,
        model=embedder.model,
        dimensions=embedder.dimensions,
        eligible=eligible_notes,
    )
    return Ports(database, vectors, FileBlobs(folder / "blobs"), embedder)

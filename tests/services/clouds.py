"""A DOME whose every driver is Cloudflare's, and the wire on which its requests get lost."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import anyio
import anyio.lowlevel
import httpx

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.matrix_scores import matrix_scores
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.backends.cloudflare.r2 import R2Blobs
from dome_mcp.backends.cloudflare.r2_requests import Bucket
from dome_mcp.backends.cloudflare.vectorize import VectorizeVectors
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES, VectorizeIndex
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.core.ports import Embedder, Ports
from dome_mcp.store import vector_ledger
from dome_mcp.store.schema import migrate
from tests.services.crashing import Crash, Moment
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.queues import QueuesSimulator, SimulatedQueue
from tests.simulators.cloudflare.r2 import R2Simulator
from tests.simulators.cloudflare.vectorize import INDEX_NAME, VectorizeSimulator

MODEL = embedding_model("@cf/baai/bge-small-en-v1.5")
LAG_SECONDS = 300.0
"""How long a mutation of Vectorize takes here; the documentation says seconds to minutes."""

_QUEUE = "q1"
_PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Cut:
    """What a process gets in place of an answer, before or after the request was carried out.

    One that `lasts` meets every later request too.
    """

    error: Callable[[], BaseException]
    moment: Moment
    lasts: bool = False


CUTS: Mapping[str, Cut] = {
    "the process dies": Cut(Crash, "after", lasts=True),
    "one request never arrives": Cut(lambda: httpx.ReadTimeout("lost"), "before"),
    "one answer is lost": Cut(lambda: httpx.ReadTimeout("lost"), "after"),
    "no answer comes from then on": Cut(lambda: httpx.ReadTimeout("lost"), "after", lasts=True),
}
"""A process that dies before a request leaves what it leaves when it dies after the one before."""


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """The way to Cloudflare, on which request `at`, the first being 0, meets a cut."""

    inner: httpx.AsyncBaseTransport
    at: int | None = None
    cut: Cut = CUTS["one answer is lost"]
    sent: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number, self.sent = self.sent, self.sent + 1
        is_met = self.at is not None and (
            number == self.at or (self.cut.lasts and number > self.at)
        )
        if is_met and self.cut.moment == "before":
            raise self.cut.error()
        response = await self.inner.handle_async_request(request)
        if is_met:
            await response.aread()
            await response.aclose()
            raise self.cut.error()
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()

    def cut_off(self, at: int, cut: Cut) -> None:
        """Lets the `at`-th request from now on meet the cut."""
        self.at, self.cut, self.sent = at, cut, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything of one DOME is, and how it is reached."""

    account: Account
    database_id: str
    index: str
    bucket: Bucket
    queue_id: str
    transport: Callable[[], httpx.AsyncBaseTransport]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Process:
    """One process of that DOME; each of its requests goes over the wire."""

    place: Place
    ports: Ports
    queue: CloudflareQueue
    api: CloudflareApi
    wire: Wire

    @property
    def vectors(self) -> VectorizeVectors:
        assert isinstance(self.ports.vectors, VectorizeVectors)
        return self.ports.vectors

    async def held(self) -> set[str]:
        """The chunk ids that Vectorize has, as far as it has come."""
        listed = await self.api.call(
            "GET",
            f"/vectorize/v2/indexes/{self.place.index}/list",
            params={"count": 1000},
            backend="vectorize",
            operation="list",
            is_repeatable=True,
        )
        assert not listed["isTruncated"]
        return {each["id"] for each in listed["vectors"]}

    async def settled(self) -> None:
        """Waits until Vectorize has taken in all that is staged."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while await self.vectors.settle():
                await anyio.lowlevel.checkpoint()


class Site(Protocol):
    """An account of Cloudflare's with an empty DOME on it; Vectorize lags by LAG_SECONDS."""

    @property
    def place(self) -> Place: ...

    def let_the_lag_pass(self) -> None:
        """From here on Vectorize has taken in what it was sent so far, and takes in the rest as
        it comes."""
        ...

    def lag_again(self) -> None:
        """From here on Vectorize lags anew, in what it has not taken in yet."""
        ...


NewSite = Callable[[], AbstractAsyncContextManager[Site]]


@asynccontextmanager
async def process_at(place: Place, *, embedder: Embedder | None = None) -> AsyncIterator[Process]:
    """A process that starts now; the tables are made where there are none.

    Without an embedder it is MODEL at Workers AI that embeds.
    """
    wire = Wire(place.transport())
    async with (
        CloudflareApi.open(place.account, transport=wire, sleep=at_once) as api,
        R2Blobs.open(place.bucket, transport=wire, clock=place.clock, sleep=at_once) as blobs,
    ):
        database = D1Database(api, place.database_id)
        embedder = embedder or workers_ai_embedder(api, MODEL)
        vectors = VectorizeVectors(
            VectorizeIndex(api, place.index),
            database,
            ledger=vector_ledger,
            score=matrix_scores,
            model=embedder.model,
            dimensions=embedder.dimensions,
        )
        await migrate(database)
        ports = Ports(database, vectors, blobs, embedder)
        yield Process(place, ports, CloudflareQueue(api, place.queue_id), api, wire)


async def at_once(seconds: float) -> None:
    """Waits for no time at all."""
    del seconds
    await anyio.lowlevel.checkpoint()


@dataclass(slots=True)
class SimulatedSite:
    """A simulated account, and its services one by one."""

    d1: D1Simulator
    dimensions: int = MODEL.dimensions
    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    vectorize: VectorizeSimulator = field(default_factory=lambda: VectorizeSimulator(LAG_SECONDS))
    r2: R2Simulator = field(default_factory=R2Simulator)
    queue: SimulatedQueue = field(default_factory=SimulatedQueue)

    def __post_init__(self) -> None:
        self.vectorize.create(self.dimensions).metadata_indexes.update(METADATA_INDEXES)
        self.account.register("d1", self.d1)
        self.account.register("vectorize", self.vectorize)
        self.account.register("queues", QueuesSimulator(**{_QUEUE: self.queue}))
        self.account.register("ai", WorkersAiSimulator())

    @property
    def place(self) -> Place:
        return Place(
            account=self.account.account,
            database_id=self.d1.database_id,
            index=INDEX_NAME,
            bucket=self.r2.bucket,
            queue_id=_QUEUE,
            transport=lambda: httpx.MockTransport(self._answer),
            clock=lambda: self.r2.now,
        )

    def let_the_lag_pass(self) -> None:
        self.vectorize.advance(LAG_SECONDS)
        for index in self.vectorize.indexes.values():
            index.delay_seconds = 0.0

    def lag_again(self) -> None:
        for index in self.vectorize.indexes.values():
            index.delay_seconds = LAG_SECONDS

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        is_object = request.url.host == httpx.URL(self.r2.endpoint).host
        return await (self.r2 if is_object else self.account)(request)


@asynccontextmanager
async def simulated_site(dimensions: int = MODEL.dimensions) -> AsyncIterator[SimulatedSite]:
    """A new account, whose index is for vectors of so many dimensions."""
    with closing(D1Simulator()) as simulator:
        yield SimulatedSite(simulator, dimensions)

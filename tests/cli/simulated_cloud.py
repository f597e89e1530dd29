"""A Cloudflare account on this machine with all that DOME uses, and settings that lead to it."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx

from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from tests.simulators.cloudflare.account import (
    ACCOUNT_ID,
    TOKEN,
    SimulatedAccount,
    failed,
    succeeded,
)
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.d1 import DATABASE_ID, D1Simulator
from tests.simulators.cloudflare.email import EmailSimulator
from tests.simulators.cloudflare.loopback import on_loopback
from tests.simulators.cloudflare.r2 import BUCKET, SECRETS, WRITER, R2Simulator
from tests.simulators.cloudflare.vectorize import INDEX_NAME, VectorizeSimulator

TOKEN_ID = "f" * 32
QUEUE_ID = "fedcba9876543210fedcba9876543210"


@dataclass
class Tokens:
    """`/tokens/verify`, for a token of the account."""

    status: str = "active"

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        return succeeded({"id": TOKEN_ID, "status": self.status})


@dataclass
class Queues:
    """The one queue, as `GET /queues/{id}` describes it, `facts` besides its name."""

    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path != f"/{QUEUE_ID}":
            return failed(404, 10404, "The specified queue does not exist.")
        return succeeded({"queue_id": QUEUE_ID, "queue_name": "dome-jobs", **self.facts})


@dataclass
class SimulatedCloud:
    """The account's services; `settings` are the environment of a program that uses them all."""

    d1: D1Simulator
    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    vectorize: VectorizeSimulator = field(default_factory=lambda: VectorizeSimulator(0.0))
    ai: WorkersAiSimulator = field(default_factory=WorkersAiSimulator)
    tokens: Tokens = field(default_factory=Tokens)
    queues: Queues = field(default_factory=Queues)
    email: EmailSimulator = field(default_factory=EmailSimulator)
    r2: R2Simulator = field(default_factory=R2Simulator)
    settings: Mapping[str, str] = field(default_factory=dict)
    date: datetime | None = None
    """What the answers' Date header says; None is the present."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        response = await self.account(request)
        response.headers["Date"] = format_datetime(self.date or datetime.now(UTC))
        return response

    async def answer_s3(self, request: httpx.Request) -> httpx.Response:
        self.r2.now = datetime.now(UTC)
        return await self.r2(request)


@contextmanager
def simulated_cloud(dimensions: int = 1024) -> Iterator[SimulatedCloud]:
    """An account whose index has so many dimensions, and nothing in it."""
    with closing(D1Simulator()) as d1:
        cloud = SimulatedCloud(d1)
        services = {
            "d1": d1,
            "vectorize": cloud.vectorize,
            "ai": cloud.ai,
            "tokens": cloud.tokens,
            "queues": cloud.queues,
            "email": cloud.email,
        }
        for name, service in services.items():
            cloud.account.register(name, service)
        index = cloud.vectorize.create(dimensions)
        index.metadata_indexes.update(METADATA_INDEXES)
        with on_loopback(cloud.answer) as api, on_loopback(cloud.answer_s3) as s3:
            cloud.account.base_url = f"{api}/client/v4"
            cloud.r2.endpoint = s3
            cloud.settings = {
                "DOME_BACKEND": "cloudflare",
                "DOME_EMBEDDING_MODEL": "",
                "CLOUDFLARE_ACCOUNT_ID": ACCOUNT_ID,
                "CLOUDFLARE_API_TOKEN": TOKEN,
                "DOME_CLOUDFLARE_BASE_URL": cloud.account.base_url,
                "DOME_D1_DATABASE_ID": DATABASE_ID,
                "DOME_VECTORIZE_INDEX": INDEX_NAME,
                "DOME_R2_BUCKET": BUCKET,
                "DOME_R2_ENDPOINT": s3,
                "DOME_R2_ACCESS_KEY_ID": WRITER,
                "DOME_R2_SECRET_ACCESS_KEY": SECRETS[WRITER],
                "DOME_QUEUE_ID": QUEUE_ID,
            }
            yield cloud

"""The REST API that the Worker serves, for the suites of tests/remote/rest and tests of its own.

Each module here collects the suite of its name from there; what a suite asks of anything but `api`,
such as an application in this process, is left out.
`api` is a client of the owner with a token of every scope; `api.as_("ann", "notes:read")` has a
token of another user, or another token. The rows are reached through the bench.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes
from types import SimpleNamespace
from typing import Self, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import anyio
import httpx
import pytest

from dome_mcp.backends.cloudflare.embedding_models import DEFAULT_EMBEDDING_MODEL, embedding_model
from dome_mcp.core.access import SCOPES, Scope
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.ports import Database, Ports, Statement
from dome_mcp.core.tokens import ID_BYTES, SECRET_BYTES, token_text
from dome_mcp.services import access, users
from dome_mcp.services.companions import beat
from dome_mcp.services.dispatch import tick
from dome_mcp.services.users import UserChanges
from dome_mcp.store.schema import migrate
from tests.companion_workers.conftest import PATIENCE_SECONDS, PUBLIC_URL
from tests.companion_workers.remote import Binding, RemoteBlobs, RemoteDatabase, emptied
from tests.companion_workers.remote_bindings import RemoteBindings
from tests.companion_workers.running import RunningWorkers

HERE = Path(__file__).parent
OWNER = "me"
DIMENSIONS = embedding_model(DEFAULT_EMBEDDING_MODEL).dimensions
_HOST = urlsplit(PUBLIC_URL).netloc
_TABLES = """
SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'd1_migrations'
AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' AND name NOT LIKE '%_fts_%'
ORDER BY name LIKE '%_fts' DESC"""


@dataclass
class TokenOf(httpx.Auth):
    """The token of a user, which is made for the first request."""

    ports: Ports
    user_id: str
    scopes: frozenset[Scope]
    zone: str = ""
    text: str = ""

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not self.text:
            self.text = await self._made()
        request.headers["Authorization"] = f"Bearer {self.text}"
        yield request

    async def _made(self) -> str:
        text = token_text(token_bytes(ID_BYTES), token_bytes(SECRET_BYTES))
        now = datetime.now(UTC)
        await access.create_token(
            text,
            self.ports,
            user_id=self.user_id,
            name="test",
            scopes=self.scopes,
            now=now,
            expires_at=None,
        )
        if self.zone:
            changes = UserChanges(zone=ZoneInfo(self.zone).key)
            await users.set_user(self.user_id, changes, self.ports, now=now)
        return text


class WorkerApi(httpx.AsyncClient):
    """A client of the Worker, as one user with some scopes."""

    ports: Ports
    others: list["WorkerApi"]
    """The clients of other callers, which are closed with this one."""

    @classmethod
    def of(
        cls, url: str, ports: Ports, user: str, scopes: Sequence[Scope], *, zone: str = ""
    ) -> Self:
        client = cls(
            base_url=url,
            headers={"Host": _HOST},
            auth=TokenOf(ports, user, frozenset(scopes), zone) if scopes else None,
            timeout=PATIENCE_SECONDS,
        )
        client.ports, client.others = ports, []
        return client

    def as_(self, user: str, *scopes: Scope, zone: str = "") -> Self:
        """The same API for another caller."""
        self.others.append(self.of(str(self.base_url), self.ports, user, scopes, zone=zone))
        return cast("Self", self.others[-1])

    def unknown(self) -> Self:
        """The same API for a caller without a token."""
        return self.as_("")

    async def aclose(self) -> None:
        for other in self.others:
            await other.aclose()
        await super().aclose()


@dataclass
class WorkerAgenda:
    """The rows of tasks and reminders, and the companion that the test plays."""

    database: Database
    fired: list[str] = field(default_factory=list)

    async def send(self, bodies: Sequence[str]) -> None:
        """Takes what a tick would put on the queue."""
        self.fired += bodies

    async def fire(self, **later: float) -> int:
        """Fires what is due after so long; returns how many fired."""
        now = datetime.now(UTC) + timedelta(**later)
        return (await tick(self.database, self, DeliveryPolicy(), now=now)).fired

    async def beat(self) -> None:
        """The sign of life of a companion."""
        await beat(self.database, "test", now=datetime.now(UTC), details={})


@pytest.fixture
async def ports(client: httpx.AsyncClient, remote: RemoteBindings) -> Ports:
    """The Workers' own rows and files, empty but for the tables."""
    remote.empty("VECTORIZE", dimensions=DIMENSIONS)
    database = RemoteDatabase(Binding(client, "DB"))
    tables = await database.query(Statement(_TABLES))
    if tables:
        deletions = [Statement(f'DELETE FROM "{row["name"]}"') for row in tables]  # noqa: S608  names of ours
        await database.batch([Statement("PRAGMA defer_foreign_keys = on"), *deletions])
    else:
        await migrate(await emptied(database))
    return Ports(database, None, RemoteBlobs(Binding(client, "BLOBS_DOME")), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what the suites ask of a process alone."""
    items[:] = [
        item
        for item in items
        if item.path.parent != HERE
        or item.path.name == "test_worker.py"
        or "worker_api" in cast("pytest.Function", item).fixturenames
    ]


@pytest.fixture
def api(worker_api: WorkerApi) -> WorkerApi:
    return worker_api


@pytest.fixture
async def worker_api(ports: Ports, workers: RunningWorkers) -> AsyncIterator[WorkerApi]:
    """The owner's client of an API without any notes or tasks; a test with it has a minute."""
    with anyio.fail_after(PATIENCE_SECONDS):
        opened = WorkerApi.of(workers.url, ports, OWNER, SCOPES)
        yield opened
        await opened.aclose()


@pytest.fixture
def served(ports: Ports) -> SimpleNamespace:
    """What the suites take of an application: its ports, and whose it is."""
    return SimpleNamespace(dome=SimpleNamespace(ports=ports, user_id=OWNER))


@pytest.fixture
def agenda(ports: Ports) -> WorkerAgenda:
    return WorkerAgenda(ports.database)

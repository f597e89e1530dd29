"""A server whose clock the test sets, with the two steps of a companion at hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from dome_mcp.app import Dome
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.access import owner
from dome_mcp.core.agenda import Channel, DeliveryPolicy, Notice
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import Database
from dome_mcp.services.companions import beat
from dome_mcp.services.dispatch import attempt_delivery, tick
from dome_mcp.settings import Companion, Settings
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import ERAS, Serving, serving

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""Nine o'clock in Berlin, where the user is."""

POLICY = DeliveryPolicy(desktop_user="me")


@dataclass
class Clock:
    """The time the server thinks it is."""

    now: datetime = MONDAY

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass(frozen=True, slots=True)
class ClockedDome(Dome):
    """The application by a clock that the test sets."""

    clock: Clock = field(default_factory=Clock)

    def now(self) -> datetime:
        return self.clock.now


@dataclass
class Desktop:
    """A desktop that shows notices, or refuses them with the words it is given."""

    refusal: str = ""
    shown: list[Notice] = field(default_factory=list)
    kind: str = "desktop"

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        if self.refusal:
            raise DeliveryFailed(self.refusal, retryable=False)
        self.shown.append(notice)
        return "shown"


@dataclass
class _Bodies:
    sent: list[str] = field(default_factory=list)

    async def send(self, bodies: Sequence[str]) -> None:
        self.sent += bodies


@dataclass
class AgendaServing:
    """A server, its clock, and the companion that the test plays."""

    served: Serving
    clock: Clock
    domes: list[ClockedDome]
    desktop: Desktop = field(default_factory=Desktop)

    @property
    def dome(self) -> ClockedDome:
        return self.domes[-1]

    @property
    def database(self) -> Database:
        return self.dome.ports.database

    async def fire(self, **later: float) -> int:
        """Lets time pass, fires what is due then and delivers it; returns how many fired."""
        self.clock.advance(**later)
        queue = _Bodies()
        ticked = await tick(self.database, queue, POLICY, now=self.clock.now)
        for body in queue.sent:
            await attempt_delivery(
                body, self.database, {"desktop": self.desktop}, POLICY, now=self.clock.now
            )
        return ticked.fired

    async def beat(self) -> None:
        """The sign of life of a companion."""
        await beat(self.database, "test", now=self.clock.now, details={})


@asynccontextmanager
async def agenda_serving(
    home: Path, *, companion: Companion = "off"
) -> AsyncIterator[AgendaServing]:
    """A server over a data folder, on Monday at nine."""
    clock, domes = Clock(), list[ClockedDome]()

    @asynccontextmanager
    async def open_here(settings: Settings) -> AsyncIterator[Dome]:
        async with SqliteDatabase.open(None) as database:
            ports = await make_ports(database, settings.home, WordEmbedder())
            settings = replace(settings, companion=companion)
            domes.append(
                ClockedDome(
                    settings, ports, holder="test", clock=clock, principal=owner(settings.user)
                )
            )
            yield domes[-1]

    async with serving(home, opener=open_here) as served:
        yield AgendaServing(served, clock, domes)


@pytest.fixture
async def agenda(tmp_path: Path) -> AsyncIterator[AgendaServing]:
    """A server without any tasks, beside which no companion runs."""
    async with agenda_serving(tmp_path / "home") as running_server:
        yield running_server


@pytest.fixture(params=ERAS)
async def agenda_client(
    request: pytest.FixtureRequest, agenda: AgendaServing
) -> AsyncIterator[Client]:
    """A client of the server, in each era of the protocol."""
    async with Client(agenda.served.server, mode=request.param) as connected:
        yield connected

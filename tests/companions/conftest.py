"""A companion in the test's own process: real database, a notifier in memory, a clock to set."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest

from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.companion_wiring import Agenda, Rows, link_secret
from dome_mcp.core.agenda import Channel, DeliveryPolicy, Notice
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import Ports
from dome_mcp.services.channels import add_channel
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE, Settings
from dome_mcp.store.schema import migrate
from worker_companions.loops import Companion

PATIENCE_SECONDS = 20.0
"""Far more than anything here takes; a test that waits so long has failed."""


@dataclass
class Clock:
    """A clock that goes, and that a test may set forward or back."""

    offset: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **by: float) -> None:
        self.offset += timedelta(**by)


@dataclass
class Mailbox:
    """A notifier that keeps what it is given; `refusals` are raised first, one for each notice."""

    kind: str = "webhook"
    notices: list[Notice] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    held: anyio.Event | None = None
    """While it is not set, notices are taken up and not finished."""
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        self.keys.append(idempotency_key)
        self._ring()
        if self.held is not None:
            await self.held.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.notices.append(notice)
        self._ring()
        return "taken"

    async def wait_for(self, count: int) -> None:
        """Returns when so many notices were taken."""
        while len(self.notices) < count:
            await self._news.wait()

    async def wait_for_attempts(self, count: int) -> None:
        """Returns when it was tried so often."""
        while len(self.keys) < count:
            await self._news.wait()

    def _ring(self) -> None:
        self._news.set()
        self._news = anyio.Event()


@dataclass
class Stage:
    """A data folder with one channel, and what the companions on it share."""

    home: Path
    database: SqliteDatabase
    clock: Clock
    mailbox: Mailbox
    policy: DeliveryPolicy = field(
        default_factory=lambda: DeliveryPolicy(retry_seconds=(0.05,), lease_seconds=90.0)
    )
    public_url: str | None = None
    count: int = 0

    @property
    def ports(self) -> Ports:
        return Ports(self.database, None, FileBlobs(self.home / BLOB_FOLDER), None)

    @property
    def settings(self) -> Settings:
        zone = ZoneInfo("Europe/Berlin")
        return Settings(home=self.home, timezone=zone, public_url=self.public_url)

    async def remind(self, text: str, at: str = "+1m") -> str:
        """The id of a new reminder."""
        new = NewReminder(text=text, at=at)
        view = await create_reminder(
            new, self.ports, user_id="me", now=self.clock(), zone="Europe/Berlin"
        )
        return view.reminder.reminder_id

    async def companion(self) -> Companion:
        """One more companion, not yet running."""
        self.count += 1
        agenda = Agenda(
            settings=self.settings,
            rows=Rows(self.database, self.database.data_version, file=self.home / DATABASE_FILE),
            ports=self.ports,
            notifiers={self.mailbox.kind: self.mailbox},
            policy=self.policy,
            secret=await link_secret(self.database),
            holder=f"companion-{self.count}",
        )
        return Companion(agenda, self.clock, pid=self.count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Companion]:
        """A companion at work for as long as the block runs; it then ends in good order."""
        companion = await self.companion()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(companion.run)
            yield companion
            companion.stop()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    home = tmp_path / "home"
    async with SqliteDatabase.open(home / DATABASE_FILE) as database:
        await migrate(database)
        stage = Stage(home, database, Clock(), Mailbox())
        hook = Channel("hook", "me", "webhook", "https://example.com/hook")
        await add_channel(hook, stage.ports, user_id="me", now=stage.clock(), allow_private=False)
        with anyio.fail_after(PATIENCE_SECONDS):
            yield stage


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the database says so: what other tasks write there has no event."""
    while not await is_so():  # noqa: ASYNC110
        await anyio.sleep(0.01)


def refused(*, retryable: bool = True) -> DeliveryFailed:
    return DeliveryFailed("The channel is closed.", retryable=retryable)

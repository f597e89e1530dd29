"""A companion of this machine whose tasks and reminders are in D1, with mail by Cloudflare."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest

from dome_mcp.cloudflare_settings import CloudflareSettings
from dome_mcp.companion_wiring import Agenda, open_agenda, open_rows
from dome_mcp.core.agenda import Channel, DeliveryPolicy
from dome_mcp.core.errors import BackendUnavailable, ConfigurationError
from dome_mcp.core.ports import Database, Row, Statement
from dome_mcp.services.channels import add_channel
from dome_mcp.services.companions import companion_state
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.setting_values import Secret
from dome_mcp.settings import DATABASE_FILE, Settings
from tests.companions.conftest import PATIENCE_SECONDS, Clock, until
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator
from tests.simulators.cloudflare.email import EmailSimulator
from tests.simulators.cloudflare.queues import QueuesSimulator, SimulatedQueue
from worker_companions.loops import Companion
from worker_companions.pulling import AGAIN_SECONDS

pytestmark = pytest.mark.anyio

ZONE = "Europe/Berlin"


@dataclass
class Cloud:
    """An account with all that reminders need, and a laptop that is told of it."""

    home: Path
    clock: Clock = field(default_factory=Clock)
    account: SimulatedAccount = field(default_factory=SimulatedAccount)
    d1: D1Simulator = field(default_factory=D1Simulator)
    queue: SimulatedQueue = field(default_factory=SimulatedQueue)
    mail: EmailSimulator = field(default_factory=EmailSimulator)

    def __post_init__(self) -> None:
        self.account.register("d1", self.d1)
        self.account.register("queues", QueuesSimulator(q1=self.queue))
        self.account.register("email", self.mail)

    @property
    def settings(self) -> Settings:
        cloud = CloudflareSettings(
            database="cloudflare",
            queue="cloudflare",
            cloudflare_account_id=self.account.account_id,
            cloudflare_api_token=Secret(self.account.token),
            cloudflare_base_url=self.account.base_url,
            d1_database_id=self.d1.database_id,
            queue_id="q1",
            email_sender="dome@example.com",
        )
        return Settings(home=self.home, timezone=ZoneInfo(ZONE), cloudflare=cloud)

    @asynccontextmanager
    async def agenda(self) -> AsyncIterator[Agenda]:
        """What a companion is given, with one channel; it looks at the rows without a pause."""
        async with open_agenda(self.settings, transport=self.account.transport) as agenda:
            channel = Channel("mail", "me", "email", "cloudflare:me@example.org")
            await add_channel(
                channel,
                agenda.ports,
                user_id="me",
                now=self.clock(),
                allow_private=False,
                replaces=True,
            )
            yield replace(agenda, rows=replace(agenda.rows, look_seconds=0.02))

    @asynccontextmanager
    async def running(self, agenda: Agenda) -> AsyncIterator[Companion]:
        companion = Companion(agenda, self.clock, pid=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(companion.run)
            yield companion
            companion.stop()

    async def remind(self, agenda: Agenda, text: str) -> None:
        new = NewReminder(text=text, at="+1m")
        await create_reminder(new, agenda.ports, user_id="me", now=self.clock(), zone=ZONE)

    async def claim(self, agenda: Agenda, text: str) -> None:
        """A reminder that came due and was claimed by a Worker's tick, its message on the queue."""
        await self.remind(agenda, text)
        self.clock.advance(minutes=1)
        assert agenda.pulled is not None
        # The claim keeps everybody off the delivery but who has the message.
        policy = DeliveryPolicy(claim_seconds=3600)
        ticked = await tick(agenda.database, agenda.pulled, policy, now=self.clock())
        assert (ticked.claimed, len(self.queue.messages)) == (1, 1)

    async def is_waiting_until(self, moment_ms: int) -> bool:
        """Whether the one message on the queue comes again then."""
        (message,) = self.queue.messages
        return message.visible_at_ms == moment_ms

    @property
    def subjects(self) -> list[str]:
        return [mail["subject"] for mail in self.mail.sent]

    async def arrived(self, count: int) -> bool:
        return len(self.mail.sent) >= count


@dataclass
class Unreachable:
    """The database of a companion that can read what is due, and begin no delivery."""

    inner: Database

    async def query(self, statement: Statement) -> Sequence[Row]:
        return await self.inner.query(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        raise BackendUnavailable("d1", "batch", "The database cannot be reached.")


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path / "home")
    with anyio.fail_after(PATIENCE_SECONDS):
        yield made
    made.d1.close()


async def test_a_reminder_in_d1_is_mailed_with_links_and_nothing_is_kept_on_the_laptop(
    cloud: Cloud,
) -> None:
    async with cloud.agenda() as agenda, cloud.running(agenda):
        await cloud.remind(agenda, "Call Anna")
        cloud.clock.advance(minutes=1)
        await until(lambda: cloud.arrived(1))
    (mail,) = cloud.mail.sent
    assert (mail["subject"], mail["from"]) == ("Call Anna", "dome@example.com")
    assert "http://127.0.0.1:" in mail["html"]
    assert not (cloud.home / DATABASE_FILE).exists()


async def test_it_delivers_what_a_worker_claimed_and_put_on_the_queue(cloud: Cloud) -> None:
    async with cloud.agenda() as agenda:
        await cloud.claim(agenda, "Call Anna")
        async with cloud.running(agenda):
            await until(lambda: cloud.arrived(1))
    assert cloud.subjects == ["Call Anna"]
    assert cloud.queue.messages == []


async def test_a_pulled_message_whose_rows_cannot_be_reached_is_asked_for_again(
    cloud: Cloud,
) -> None:
    async with cloud.agenda() as agenda:
        await cloud.claim(agenda, "Call Anna")
        rows = replace(agenda.rows, database=Unreachable(agenda.database))
        async with cloud.running(replace(agenda, rows=rows)):
            comes_again_ms = AGAIN_SECONDS * 1000
            await until(lambda: cloud.is_waiting_until(comes_again_ms))
    assert cloud.subjects == []


async def test_it_ends_when_idle_though_there_is_a_queue_to_pull_from(cloud: Cloud) -> None:
    async with cloud.agenda() as agenda:
        with anyio.fail_after(5):
            await Companion(agenda, cloud.clock, pid=1).run(until_idle=timedelta())


async def test_two_laptops_and_a_queue_mail_each_reminder_once(cloud: Cloud) -> None:
    async with cloud.agenda() as agenda, cloud.agenda() as other:
        for number in range(10):
            await cloud.remind(agenda, f"Number {number}")
        cloud.clock.advance(minutes=2)
        async with cloud.running(agenda), cloud.running(other):
            await until(lambda: cloud.arrived(10))
    assert sorted(cloud.subjects) == sorted(f"Number {number}" for number in range(10))


async def test_a_queue_that_a_worker_serves_is_left_to_it(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="worker_companions")
    cloud.queue.consumer = "worker"
    async with cloud.agenda() as agenda, cloud.running(agenda):
        await cloud.remind(agenda, "Call Anna")
        cloud.clock.advance(minutes=1)
        await until(lambda: cloud.arrived(1))
    assert sum("/messages/pull" in each for each in cloud.account.asked) == 1
    assert "served by a Worker" in caplog.text


async def test_a_queue_that_is_down_does_not_stop_what_the_companion_claims_itself(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.account.fail_next("/queues/", 503, times=99)
    async with cloud.agenda() as agenda, cloud.running(agenda):
        await cloud.remind(agenda, "Call Anna")
        cloud.clock.advance(minutes=1)
        await until(lambda: cloud.arrived(1))
    assert "HTTP 503" in caplog.text


async def test_its_heart_beats_in_d1_and_the_beat_goes_with_it(cloud: Cloud) -> None:
    async with cloud.agenda() as agenda:

        async def is_running() -> bool:
            return (await companion_state(agenda.database, now=cloud.clock())).is_running

        async with cloud.running(agenda):
            await until(is_running)
    async with open_rows(cloud.settings, transport=cloud.account.transport) as rows:
        state = await companion_state(rows.database, now=cloud.clock())
    assert state.last_beat is None


async def test_a_database_on_cloudflare_without_an_account_is_refused(cloud: Cloud) -> None:
    settings = replace(
        cloud.settings, cloudflare=replace(cloud.settings.cloudflare, cloudflare_api_token=None)
    )
    with pytest.raises(ConfigurationError, match="account"):
        async with open_rows(settings, transport=cloud.account.transport):
            pass


async def test_without_a_database_on_cloudflare_none_of_its_requests_is_made(cloud: Cloud) -> None:
    at_home = replace(cloud.settings.cloudflare, database="embedded", queue="embedded")
    settings = replace(cloud.settings, cloudflare=at_home)
    async with open_agenda(settings, transport=cloud.account.transport) as agenda:
        assert agenda.pulled is None
        assert agenda.rows.file == cloud.home / DATABASE_FILE
    assert cloud.account.calls == []

"""The rows that the companion Workers share, as a test writes and reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dome_mcp.backends.embedded.queue import MemoryQueue
from dome_mcp.core.agenda import Channel, DeliveryPolicy
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.services.channels import add_channel
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import NewReminder, create_reminder
from tests.companion_workers.remote import RemoteQueue
from tests.companion_workers.running import RunningWorkers

ZONE = "Europe/Berlin"
USER = "me"
_DELIVERIES = """
SELECT delivery_key, channel, state, attempt, refusals, not_before_ms, last_error
FROM deliveries ORDER BY channel, delivery_key"""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Cloud:
    """What DOME's services work on, the Workers' cron, and the queue between them."""

    ports: Ports
    workers: RunningWorkers
    queue: RemoteQueue

    async def add_channel(
        self, name: str, kind: str, address: str, *, allow_private: bool = True
    ) -> None:
        channel = Channel(name, USER, kind, address)
        await add_channel(channel, self.ports, user_id=USER, now=now(), allow_private=allow_private)

    async def remind(self, text: str, *channels: str) -> None:
        """A reminder that was asked for two minutes ago, and came due a minute ago."""
        new = NewReminder(text=text, at="+1m", channels=channels)
        asked_at = now() - timedelta(minutes=2)
        await create_reminder(new, self.ports, user_id=USER, now=asked_at, zone=ZONE)

    async def run_cron(self, *, in_minutes: float = 0, count: int = 1) -> list[str]:
        at = now() + timedelta(minutes=in_minutes)
        return await self.workers.run_cron("dome-cron", at=at, count=count)

    async def claimed(self, *, at: datetime | None = None) -> str:
        """The message for the one delivery that is due, now or then, in nobody's hands yet."""
        with MemoryQueue.open(1) as queue:
            await tick(self.ports.database, queue, DeliveryPolicy(), now=at or now())
            return await anext(queue.messages())

    async def deliveries(self) -> Sequence[Row]:
        return await self.ports.database.query(Statement(_DELIVERIES))

    async def states(self) -> list[object]:
        return [row["state"] for row in await self.deliveries()]

    async def settled(self) -> Sequence[Row]:
        """The deliveries, when none is under way or waits for its first attempt any more."""
        while True:
            found = await self.deliveries()
            if found and not any(map(_is_under_way, found)):
                return found

    async def all_delivered(self) -> None:
        """Returns when every delivery is done, after whatever went wrong before."""
        while set(await self.states()) != {"DELIVERED"}:
            pass


def _is_under_way(row: Row) -> bool:
    return row["state"] == "SENDING" or (row["state"] == "PENDING" and not row["last_error"])

"""What the tests of the reminder engine work with: reminders, a queue, a sink and a companion."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from dome_mcp.core.agenda import (
    Channel,
    Delivery,
    DeliveryPolicy,
    DeliveryState,
    Firing,
    Notice,
    Reminder,
    Schedule,
)
from dome_mcp.core.errors import DeliveryFailed
from dome_mcp.core.ports import Database, Statement
from dome_mcp.core.recurrence import first_at, wall_of
from dome_mcp.services.dispatch import Ticked, attempt_delivery, tick
from dome_mcp.store.channels import insert_channel
from dome_mcp.store.firings import to_delivery, to_firing
from dome_mcp.store.reminder_listings import last_deliveries, last_firings
from dome_mcp.store.reminders import insert_reminder, reminder_by_id, to_reminder
from tests.services.crashing import Fuse, database_with_fuse, notifier_with_fuse, queue_with_fuse

USER = "me"
ALL = 1000
"""More than any reminder of a test has."""
BERLIN = "Europe/Berlin"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""A Monday, nine o'clock in Berlin."""

HOOK = Channel("hook", USER, kind="webhook", address="https://example.com/hook")
POLICY = DeliveryPolicy(max_attempts=3, retry_seconds=(5.0, 60.0), batch=50)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def busy() -> DeliveryFailed:
    return DeliveryFailed("The hook answered 503.", retryable=True)


def refused_for_good() -> DeliveryFailed:
    return DeliveryFailed("The hook answered 410.", retryable=False)


def reminder(
    name: str = "r1", at: datetime = NOW, *, rule: str | None = None, **changes: object
) -> Reminder:
    """A reminder of the text `name`, first due at `at`, by the channel `hook`."""
    schedule = Schedule(wall_of(at, BERLIN), BERLIN, rule)
    first = first_at(schedule)
    made = Reminder(
        reminder_id=name,
        user_id=USER,
        text=name,
        schedule=schedule,
        state="active",
        created_at=NOW,
        updated_at=NOW,
        revision=1,
        due_at=first,
        next_at=first,
        channels=("hook",),
    )
    return replace(made, **cast("dict[str, str]", changes))


async def store(database: Database, *reminders: Reminder, channel: Channel | None = HOOK) -> None:
    if channel is not None:
        await database.query(insert_channel(channel, now=NOW, replaces=True))
    await database.batch([insert_reminder(each) for each in reminders])


async def stored(database: Database, name: str = "r1") -> Reminder:
    return to_reminder((await database.query(reminder_by_id(name, USER)))[0])


async def firings(database: Database, *names: str) -> list[Firing]:
    """The firings of reminders, oldest first."""
    rows = await database.query(last_firings(names or ("r1",), USER, each=ALL))
    return sorted(map(to_firing, rows), key=lambda each: (each.due_at, each.reminder_id))


async def all_deliveries(database: Database, *names: str) -> list[Delivery]:
    """The deliveries of reminders, oldest first."""
    rows = await database.query(last_deliveries(names or ("r1",), USER, each=ALL))
    return sorted(map(to_delivery, rows), key=lambda each: (each.due_at, each.delivery_key))


async def only_delivery(database: Database) -> Delivery:
    (delivery,) = await all_deliveries(database)
    return delivery


async def snapshot(database: Database) -> list[object]:
    """Every row that the engine writes."""
    return [
        await database.query(Statement("SELECT * FROM reminders ORDER BY reminder_id")),
        await database.query(Statement("SELECT * FROM firings ORDER BY reminder_id, due_at_ms")),
        await database.query(Statement("SELECT * FROM deliveries ORDER BY delivery_key")),
    ]


def body_of(key: str, attempt: int) -> str:
    return json.dumps({"key": key, "attempt": attempt})


@dataclass
class MemoryQueue:
    """A queue that keeps the bodies until they are taken."""

    bodies: list[str] = field(default_factory=list[str])

    async def send(self, bodies: Sequence[str]) -> None:
        self.bodies += bodies

    def take(self) -> list[str]:
        taken, self.bodies = self.bodies, []
        return taken


@dataclass
class Sink:
    """A channel that keeps what it is sent; `answers` are what it raises, in turn, before that."""

    kind: str = "webhook"
    answers: list[DeliveryFailed] = field(default_factory=list[DeliveryFailed])
    received: list[tuple[str, Notice]] = field(default_factory=list[tuple[str, Notice]])
    during: Callable[[], Awaitable[object]] | None = None
    """What happens elsewhere while the first notice is on its way."""

    async def notify(self, notice: Notice, channel: Channel, *, idempotency_key: str) -> str:
        del channel
        if self.during is not None:
            elsewhere, self.during = self.during, None
            await elsewhere()
        if self.answers:
            raise self.answers.pop(0)
        self.received.append((idempotency_key, notice))
        return f"{self.kind} {len(self.received)}"

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.received]

    @property
    def notices(self) -> list[Notice]:
        """What a receiver shows that knows a repeated key."""
        shown: dict[str, Notice] = {}
        for key, notice in self.received:
            shown.setdefault(key, notice)
        return list(shown.values())


@dataclass
class Companion:
    """A tick and a sender in one, as a companion runs them; `fuse` may stop it at a port call."""

    database: Database
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    sink: Sink = field(default_factory=Sink)
    policy: DeliveryPolicy = POLICY
    fuse: Fuse = field(default_factory=Fuse)

    async def tick(self, now: datetime = NOW) -> Ticked:
        database = database_with_fuse(self.database, self.fuse)
        return await tick(database, queue_with_fuse(self.queue, self.fuse), self.policy, now=now)

    async def claims(self, now: datetime) -> int:
        """How many deliveries a tick claims."""
        return (await self.tick(now)).claimed

    async def attempt(self, body: str, now: datetime = NOW) -> DeliveryState | None:
        database = database_with_fuse(self.database, self.fuse)
        notifiers = {self.sink.kind: notifier_with_fuse(self.sink, self.fuse)}
        return await attempt_delivery(body, database, notifiers, self.policy, now=now)

    async def work(self, now: datetime = NOW) -> list[DeliveryState | None]:
        """Tries what is on the queue."""
        return [await self.attempt(body, now) for body in self.queue.take()]

    async def run(self, now: datetime = NOW) -> list[DeliveryState | None]:
        """A tick, and a try of what is on the queue then."""
        await self.tick(now)
        return await self.work(now)

    async def run_until_quiet(self, now: datetime = NOW) -> None:
        """Works on, the clock jumping from one thing that waits to the next, until none does.

        Nothing may wait for longer than a day.
        """
        end = now + timedelta(days=1)
        while now < end:
            next_due = (await self.tick(now)).next_due
            if self.queue.bodies:
                await self.work(now)
            elif next_due is None:
                return
            else:
                now = max(now, next_due)
        raise AssertionError("something still waits after a day")

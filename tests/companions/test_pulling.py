"""Messages that are pulled: settled when they are done, seldom asked for when there are none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest

from dome_mcp.backends.cloudflare.queues import Leased
from dome_mcp.core.errors import BackendRejected, BackendUnavailable
from worker_companions.pulling import deliver_pulled, keep_pulling

pytestmark = pytest.mark.anyio


@dataclass
class Queue:
    """Gives the batches in turn, or raises them, and writes down what is settled."""

    batches: list[Sequence[str] | Exception]
    done: list[str] = field(default_factory=list[str])
    again: list[str] = field(default_factory=list[str])

    async def pull(self, *, limit: int, lease_seconds: float) -> Sequence[Leased]:
        assert (limit, lease_seconds) == (32, 90.0)
        await anyio.lowlevel.checkpoint()
        batch = self.batches.pop(0) if self.batches else ()
        if isinstance(batch, Exception):
            raise batch
        return [Leased(f"lease-{body}", body, 1) for body in batch]

    async def settle(
        self, done: Sequence[str], *, again: Sequence[str] = (), delay_seconds: int = 0
    ) -> None:
        assert delay_seconds == 30
        self.done += done
        self.again += again


@dataclass
class Run:
    """A loop over a queue that ends when all batches were given and so many pauses were made."""

    queue: Queue
    most_pauses: int
    pauses: list[float] = field(default_factory=list[float])
    errors: list[Exception] = field(default_factory=list[Exception])

    async def keep(self, deliver: Callable[[str], bool] = lambda _: True) -> None:
        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            await anyio.lowlevel.checkpoint()

        async def work(body: str) -> bool:
            await anyio.lowlevel.checkpoint()
            return deliver(body)

        with anyio.fail_after(5):
            await keep_pulling(
                self.queue,
                work,
                limit=32,
                lease_seconds=90.0,
                note=self.errors.append,
                is_ending=lambda: len(self.pauses) >= self.most_pauses,
                sleep=sleep,
            )


async def test_what_was_delivered_is_settled_and_what_was_not_comes_again() -> None:
    queue = Queue([["a", "b", "c"]])

    async def deliver(body: str) -> bool:
        await anyio.lowlevel.checkpoint()
        return body != "b"

    assert await deliver_pulled(queue, deliver, limit=32, lease_seconds=90.0) == 3
    assert sorted(queue.done) == ["lease-a", "lease-c"]
    assert queue.again == ["lease-b"]


async def test_messages_of_a_batch_are_delivered_at_once() -> None:
    queue, together = Queue([["a", "b"]]), anyio.Event()
    under_way: list[str] = []

    async def deliver(body: str) -> bool:
        under_way.append(body)
        if len(under_way) == 2:
            together.set()
        await together.wait()
        return True

    with anyio.fail_after(5):
        assert await deliver_pulled(queue, deliver, limit=32, lease_seconds=90.0) == 2


async def test_an_empty_queue_is_asked_more_and_more_seldom_until_there_is_something() -> None:
    run = Run(Queue([(), (), (), ["a"], ()]), most_pauses=10)
    await run.keep()
    assert run.pauses == [1, 2, 4, 1, 2, 4, 8, 16, 30, 30]
    assert run.queue.done == ["lease-a"]


@pytest.mark.parametrize(
    "outage", [BackendUnavailable("queues", "pull", "Down."), RuntimeError("a mistake")]
)
async def test_a_queue_that_fails_is_told_of_and_asked_again_later(outage: Exception) -> None:
    run = Run(Queue([outage, ["a"]]), most_pauses=2)
    await run.keep()
    assert run.errors == [outage]
    assert run.pauses[0] == 30
    assert run.queue.done == ["lease-a"]


async def test_a_queue_that_is_not_to_be_pulled_from_is_let_be() -> None:
    run = Run(Queue([BackendRejected("queues", "pull", "A Worker serves it."), ["a"]]), 10)
    await run.keep()
    assert (run.errors, run.pauses, run.queue.done) == ([], [], [])

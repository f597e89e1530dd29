"""Deliveries that a Worker claimed and put on a Cloudflare queue, for whoever pulls them.

A companion delivers what it claims by itself, without a queue on the network. It pulls as well, so
that a queue with a pull consumer is emptied where the Workers only tick. A message is a wake-up
and no more: one that is lost, or comes twice, changes nothing but the time.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from dome_mcp.core.errors import BackendRejected

Deliver = Callable[[str], Awaitable[bool]]
"""Does what a message asks; False where it is worth doing again."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
"""An empty queue answers at once, so it is asked more and more seldom."""
AGAIN_SECONDS = 30

_log = logging.getLogger(__name__)


class Lease(Protocol):
    @property
    def lease_id(self) -> str: ...

    @property
    def body(self) -> str: ...


class Leases(Protocol):
    """A queue whose messages are leased, as CloudflareQueue."""

    async def pull(self, *, limit: int, lease_seconds: float) -> Sequence[Lease]: ...

    async def settle(
        self, done: Sequence[str], *, again: Sequence[str] = (), delay_seconds: int = 0
    ) -> None: ...


async def deliver_pulled(
    queue: Leases, deliver: Deliver, *, limit: int, lease_seconds: float
) -> int:
    """Delivers what the queue has, at most `limit` at once, and returns how much that was.

    Raises:
        BackendError: the queue failed; what was not settled comes again.
    """
    leased = await queue.pull(limit=limit, lease_seconds=lease_seconds)
    done: list[str] = []
    again: list[str] = []

    async def work(lease: Lease) -> None:
        is_done = await deliver(lease.body)
        (done if is_done else again).append(lease.lease_id)

    async with anyio.create_task_group() as tasks:
        for lease in leased:
            tasks.start_soon(work, lease)
    if leased:
        await queue.settle(done, again=again, delay_seconds=AGAIN_SECONDS)
    return len(leased)


async def keep_pulling(
    queue: Leases,
    deliver: Deliver,
    *,
    limit: int,
    lease_seconds: float,
    note: Callable[[Exception], None],
    is_ending: Callable[[], bool],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Empties the queue again and again until `is_ending`; `note` hears of failures.

    Returns also where the queue is not to be pulled from: a Worker serves it, which is usual, or
    it is not there.
    """
    pause = FIRST_PAUSE_SECONDS
    while not is_ending():
        try:
            if await deliver_pulled(queue, deliver, limit=limit, lease_seconds=lease_seconds):
                pause = FIRST_PAUSE_SECONDS
                continue
        except BackendRejected as error:
            _log.info("the queue is not pulled from: %s", error)
            return
        except Exception as error:  # noqa: BLE001  the loop outlives whatever one round meets
            note(error)
            pause = LONGEST_PAUSE_SECONDS
        await sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

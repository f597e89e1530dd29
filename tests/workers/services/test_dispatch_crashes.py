"""A companion that dies over D1 and a queue that are real loses no reminder."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest

from dome_mcp.core.errors import BackendError
from dome_mcp.services.dispatch import attempt_delivery, tick
from tests.services.clouds import CUTS, NewSite, Process, process_at
from tests.services.crashing import Crash
from tests.services.dispatching import POLICY, Companion, Sink
from tests.services.test_dispatch_crashes import WOKEN, check_delivered, store_three
from worker_companions.pulling import deliver_pulled

pytestmark = pytest.mark.anyio

LEASE_SECONDS = 0.05
"""For a message that a companion died with; its rows have leases of their own."""
PATIENCE_SECONDS = 30
CUT_AT: Sequence[int] = range(0, 14, 2)


@pytest.mark.parametrize("name", ["the process dies", "one answer is lost"])
async def test_a_companion_cut_off_delivers_every_reminder_once(
    new_site: NewSite, name: str
) -> None:
    for at in CUT_AT:
        sink, where = Sink(), f"{name} at request {at}"
        async with new_site() as site:
            async with process_at(site.place) as process:
                await store_three(process.ports.database)
                process.wire.cut_off(at, CUTS[name])
                try:
                    await run_until_quiet(process, sink)
                except* Crash:
                    pass
            async with process_at(site.place) as other:
                await run_until_quiet(other, sink)
                await check_delivered(Companion(other.ports.database, sink=sink), where=where)
                times = Counter(key for key, _ in sink.received)
                assert max(times.values()) <= 2, where  # all that was under way comes again


async def run_until_quiet(process: Process, sink: Sink) -> None:
    """Ticks and delivers, the clock jumping from one thing that waits to the next, until none does.

    What the queue brings only after the jump is older than what the rows say by then.
    """
    database, now = process.ports.database, WOKEN

    async def deliver(body: str) -> bool:
        try:
            await attempt_delivery(body, database, {"webhook": sink}, POLICY, now=now)
        except BackendError:
            return False
        return True

    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            try:
                next_due = (await tick(database, process.queue, POLICY, now=now)).next_due
                taken = await deliver_pulled(
                    process.queue, deliver, limit=100, lease_seconds=LEASE_SECONDS
                )
            except BackendError:
                now += timedelta(seconds=5)
                continue
            if not taken and next_due is None:
                return
            now = max(now, next_due or now)

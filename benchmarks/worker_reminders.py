"""The promises of the companion Workers, tried in workerd: is a reminder lost, or told twice?

    python -m benchmarks.worker_reminders [--reminders 500] [--aborts 12]

That many reminders come due at once, by a webhook of whose answers a third are failures. Two crons
run at a time, and the Workers are ended in the middle of whatever they are at, again and again,
with all that waits on the queue. What a lease or a pause holds back is fetched by crons of later
hours. Exits with 1 where a reminder was lost, came under two keys, or failed without being listed.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
import httpx

from benchmarks.reminder_report import USER, Report, count, tally
from benchmarks.reminder_run import WEBHOOK, fill
from benchmarks.reminder_sinks import WEBHOOK_FAULTS, Receiver, webhook_server
from dome_mcp.core.agenda import Channel
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services.channels import add_channel
from dome_mcp.store.schema import migrate
from tests.companion_workers.cloud import Cloud, now
from tests.companion_workers.conftest import BENCH, gathered
from tests.companion_workers.remote import Binding, RemoteBlobs, RemoteDatabase, RemoteQueue
from tests.companion_workers.running import Deployed, running_workers
from worker_companions.bundle import FOLDER

BRISK_FAULTS = tuple(fault for fault in WEBHOOK_FAULTS if fault != "timeout")
_WORKERS = (BENCH, FOLDER / "cron", FOLDER / "notify")
_NOWHERE = "http://127.0.0.1:9"
"""Answers for Workers AI and Vectorize, which no reminder needs."""
_CRONS = 2
_HOURS = 2
"""Between two crons, so that every pause is over: the longest is an hour."""
_FAULTS = (*BRISK_FAULTS * 3, "timeout")
"""Seldom a sink that does not answer: each holds up a batch for a quarter of a minute."""
_LOOK_SECONDS = 0.25
_QUIET_LOOKS = 8


@dataclass(frozen=True, slots=True)
class Trial:
    """`failing` is the share of the sink's answers that are `faults`; `aborts` how often the
    Workers are ended, each time within `abort_seconds` after a cron."""

    reminders: int
    aborts: int
    failing: float = 1 / 3
    faults: tuple[str, ...] = _FAULTS
    abort_seconds: float = 4.0
    give_up_after_seconds: float = 1800.0
    seed: int = 1


async def run(cloud: Cloud, trial: Trial) -> Report:
    """Does what the trial says to Workers whose database is empty, and returns what came of it.

    Raises:
        TimeoutError: not everything was delivered or given up in time.
    """
    chance = random.Random(trial.seed)
    receiver = Receiver(trial.failing, chance)
    database = cloud.ports.database
    started = time.monotonic()
    with anyio.fail_after(trial.give_up_after_seconds):
        async with webhook_server(receiver, faults=trial.faults) as port:
            hook = Channel(WEBHOOK, USER, "webhook", f"http://127.0.0.1:{port}/hook")
            await add_channel(hook, cloud.ports, user_id=USER, now=now(), allow_private=True)
            first = now() - timedelta(minutes=2)
            await fill(database, trial.reminders, first=first, seconds=60, channels=(WEBHOOK,))
            aborts = await _drive(cloud, trial, chance)
    report = await tally(cloud.ports, receiver, trial.reminders)
    report.kills = aborts
    report.seconds = time.monotonic() - started
    return report


async def _drive(cloud: Cloud, trial: Trial, chance: random.Random) -> int:
    """Runs crons, each hours after the other, until nothing is left; returns the aborts."""
    hours = aborts = 0
    while not await _is_done(cloud.ports.database):
        await cloud.run_cron(in_minutes=60 * hours, count=_CRONS)
        if aborts < trial.aborts:
            await anyio.sleep(chance.uniform(0.1, trial.abort_seconds))
            await cloud.workers.abort()
            aborts += 1
        else:
            await _quiet(cloud)
        hours += _HOURS
    return aborts


async def _is_done(database: Database) -> bool:
    counts = await count(database)
    return not counts["waiting"] and not counts["under_way"]


async def _quiet(cloud: Cloud) -> None:
    """Returns when the queue is empty, and no row has changed for a while.

    A cron of a later hour claims what waits on the queue anew; one that came too early each time
    would have the consumer see to nothing but messages that are out of date.
    """
    before, looks = await cloud.deliveries(), 0
    while looks < _QUIET_LOOKS:
        await anyio.sleep(_LOOK_SECONDS)
        after = await cloud.deliveries()
        is_still = after == before and not await cloud.queue.backlog()
        looks = looks + 1 if is_still else 0
        before = after


@asynccontextmanager
async def open_cloud() -> AsyncIterator[Cloud]:
    """The Workers that reminders need, on an empty database, until the block ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deployed = [Deployed(gathered(source, folder)) for source in _WORKERS]
        with running_workers(deployed, folder, remote=_NOWHERE) as running:
            async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
                database = RemoteDatabase(Binding(client, "DB"))
                await migrate(database)
                blobs = RemoteBlobs(Binding(client, "BLOBS"))
                queue = RemoteQueue(Binding(client, "MESSAGES_DELIVERIES"), database)
                yield Cloud(Ports(database, None, blobs, None), running, queue)


async def _tried(trial: Trial) -> bool:
    async with open_cloud() as cloud:
        report = await run(cloud, trial)
    print(
        f"{report.reminders} reminders: {report.taken} taken, {report.lost} lost, "
        f"{report.duplicates} twice under another key, {report.repeats} again under the same key, "
        f"{report.failed} failed for good ({report.failed_and_listed} of them listed), "
        f"{report.untrue} called delivered and not taken, {report.firings} firings\n"
        f"Workers ended {report.kills} times; failures answered: {report.faults}; "
        f"{report.seconds:.0f} s"
    )
    return report.is_kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reminders", type=int, default=500)
    parser.add_argument("--aborts", type=int, default=12)
    arguments = parser.parse_args()
    return 0 if anyio.run(_tried, Trial(arguments.reminders, arguments.aborts)) else 1


if __name__ == "__main__":
    sys.exit(main())

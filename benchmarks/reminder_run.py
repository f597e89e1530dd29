"""One run of the reminder engine: reminders, two companion processes, sinks, and what goes wrong.

`run` is what benchmarks/reminders.py prints, and what a smaller test asserts.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from benchmarks.reminder_report import USER, Report, count, tally
from benchmarks.reminder_sinks import Receiver, mail_server, webhook_server
from dome_mcp.backends.embedded.blobs import FileBlobs
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.agenda import Channel, Reminder, Schedule
from dome_mcp.core.ports import Database, Ports
from dome_mcp.services.channels import add_channel
from dome_mcp.settings import BLOB_FOLDER, DATABASE_FILE
from dome_mcp.store import deliveries
from dome_mcp.store.reminders import insert_reminder
from dome_mcp.store.schema import migrate

WEBHOOK, MAIL = "hook", "mail"
_INSERTS = 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """What is done to the engine. Seconds are those of a wall clock.

    `failing` is the share of the sinks' answers that are failures. Every `kill_every_seconds` a
    companion is killed with SIGKILL and started again; the clock is set forward by
    `jump_seconds` `jumps` times while the reminders come due, and then by as much as it takes,
    so that nobody waits for the pauses between attempts.
    """

    reminders: int
    seconds: float
    failing: float = 0.0
    kill_every_seconds: float | None = None
    jumps: int = 0
    jump_seconds: float = 0.0
    timeout_seconds: float = 15.0
    policy: dict[str, Any] = field(default_factory=dict)
    lead_seconds: float = 3.0
    give_up_after_seconds: float = 600.0
    seed: int = 1


class Fleet:
    """The companion processes, and the clock they share."""

    def __init__(self, home: Path, trial: Trial, *, size: int = 2) -> None:
        self._home = home
        self._trial = trial
        self._offset_file = home / "offset"
        self._offset = 0.0
        self.set_forward(0.0)
        self._processes = [self._start() for _ in range(size)]
        self.kills = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset)

    def set_forward(self, seconds: float) -> None:
        self._offset += seconds
        fresh = self._offset_file.with_suffix(".new")
        fresh.write_text(str(self._offset))
        os.replace(fresh, self._offset_file)

    def kill(self, which: int) -> None:
        """Kills a companion in the middle of whatever it does, and starts another."""
        self._processes[which].kill()
        self._processes[which].wait()
        self.kills += 1
        self._processes[which] = self._start()

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(20)

    def require_alive(self) -> None:
        """Raises RuntimeError where a companion has ended on its own."""
        if any(process.poll() is not None for process in self._processes):
            raise RuntimeError("A companion has ended; see its log above.")

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def _start(self) -> "subprocess.Popen[bytes]":
        options = {"timeout_seconds": self._trial.timeout_seconds, "policy": self._trial.policy}
        program = [sys.executable, "-m", "benchmarks.reminder_companion"]
        arguments = [str(self._home), str(self._offset_file), json.dumps(options)]
        return subprocess.Popen([*program, *arguments])


@asynccontextmanager
async def data_folder(home: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase.open(home / DATABASE_FILE) as database:
        await migrate(database)
        yield database


async def fill(
    database: Database,
    number: int,
    *,
    first: datetime,
    seconds: float,
    channels: Sequence[str] = (WEBHOOK, MAIL),
) -> None:
    """Stores reminders that come due one after the other, by each of the channels in turn."""
    now = datetime.now(UTC)
    for start in range(0, number, _INSERTS):
        numbers = range(start, min(start + _INSERTS, number))
        dues = [first + timedelta(seconds=seconds * n / number) for n in numbers]
        await database.batch(
            [
                insert_reminder(_reminder(n, due, channels[n % len(channels)], now=now))
                for n, due in zip(numbers, dues, strict=True)
            ]
        )


def _reminder(number: int, due: datetime, channel: str, *, now: datetime) -> Reminder:
    return Reminder(
        reminder_id=f"reminder-{number:06}",
        user_id=USER,
        text=f"Water plant {number:06}",
        schedule=Schedule(due.replace(tzinfo=None), "UTC"),
        state="active",
        created_at=now,
        updated_at=now,
        revision=1,
        due_at=due,
        next_at=due,
        channels=(channel,),
    )


async def add_channels(ports: Ports, *, webhook_port: int, mail_port: int) -> None:
    mail = f"smtp://127.0.0.1:{mail_port}?from=dome@example.com&to=me@example.com&tls=none"
    hook = f"http://127.0.0.1:{webhook_port}/hook"
    for channel in (Channel(MAIL, USER, "email", mail), Channel(WEBHOOK, USER, "webhook", hook)):
        await add_channel(channel, ports, user_id=USER, now=datetime.now(UTC), allow_private=True)


async def run(home: Path, trial: Trial) -> Report:
    """Does what the trial says and returns what came of it.

    Raises:
        TimeoutError: not everything was delivered or given up in time.
    """
    chance = random.Random(trial.seed)
    receiver = Receiver(trial.failing, chance)
    async with (
        webhook_server(receiver) as webhook_port,
        mail_server(receiver) as mail_port,
        data_folder(home) as database,
    ):
        ports = Ports(database, None, FileBlobs(home / BLOB_FOLDER), None)
        await add_channels(ports, webhook_port=webhook_port, mail_port=mail_port)
        fleet = Fleet(home, trial)
        try:
            first = datetime.now(UTC) + timedelta(seconds=trial.lead_seconds)
            await fill(database, trial.reminders, first=first, seconds=trial.seconds)
            with anyio.fail_after(trial.give_up_after_seconds):
                async with anyio.create_task_group() as tasks:
                    if trial.kill_every_seconds:
                        tasks.start_soon(_kill_now_and_then, fleet, trial, chance)
                    await _until_due(fleet, trial, first)
                    await _until_settled(database, fleet)
                    tasks.cancel_scope.cancel()
        finally:
            fleet.end()
        return await _report(ports, receiver, trial, fleet=fleet, first=first)


async def _kill_now_and_then(fleet: Fleet, trial: Trial, chance: random.Random) -> None:
    assert trial.kill_every_seconds
    while True:
        await anyio.sleep(chance.uniform(0.5, 1.5) * trial.kill_every_seconds)
        fleet.kill(chance.randrange(len(fleet.pids)))


async def _until_due(fleet: Fleet, trial: Trial, first: datetime) -> None:
    """Returns when the last reminder is due, setting the clock forward now and then."""
    end = first + timedelta(seconds=trial.seconds)
    for number in range(trial.jumps):
        left = (end - fleet.now()).total_seconds() - (trial.jumps - number) * trial.jump_seconds
        await anyio.sleep(max(0.0, left / (trial.jumps - number + 1)))
        fleet.set_forward(trial.jump_seconds)
    await anyio.sleep(max(0.0, (end - fleet.now()).total_seconds()))


async def _until_settled(database: Database, fleet: Fleet) -> None:
    """Returns when nothing is left to fire or to deliver, setting the clock to what is next."""
    while True:
        fleet.require_alive()
        counts = await count(database)
        if not counts["waiting"] and not counts["under_way"]:
            return
        (times,) = await database.query(deliveries.next_times())
        next_time = deliveries.to_next_time(times)
        ahead = (next_time - fleet.now()).total_seconds() if next_time else 0.0
        if ahead > 1:
            fleet.set_forward(ahead)
        await anyio.sleep(0.25)


async def _report(
    ports: Ports, receiver: Receiver, trial: Trial, *, fleet: Fleet, first: datetime
) -> Report:
    report = await tally(ports, receiver, trial.reminders)
    step = trial.seconds / trial.reminders
    arrived = receiver.arrived_at
    report.kills = fleet.kills
    report.seconds = max(arrived.values()) - first.timestamp()
    report.lateness = [at - first.timestamp() - n * step for n, at in arrived.items()]
    return report

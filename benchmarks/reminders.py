"""The promises of the reminder engine, tried: late, lost or twice?

    python -m benchmarks.reminders [--reminders 10000] [--seconds 60] [--only PART]

`punctual`: that many reminders come due one after the other, half by mail and half by webhook, to
sinks that take everything, with two companions. `chaos`: the same while a third of the sinks'
answers are failures, a companion is killed with SIGKILL every few seconds, and the clock is set
forward. `idle`: memory and CPU of a companion with nothing to do. `tick`: what one tick costs
beside 100,000 reminders that are not due. Policy and timeouts are those of the product. Exits
with 1 where a reminder was lost, came twice, or failed without being listed. `idle` reads /proc,
so Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from benchmarks.footprint import cpu_ms, rss_mb
from benchmarks.reminder_report import Report
from benchmarks.reminder_run import Trial, data_folder, fill, run
from dome_mcp.backends.embedded.queue import MemoryQueue
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.ports import Database
from dome_mcp.services.dispatch import tick

PENDING = 100_000
TICKS = 200
DUE_EVERY_SECONDS = 0.25
SETTLE_SECONDS, WATCH_SECONDS = 20.0, 60.0


async def punctual(reminders: int, seconds: float) -> bool:
    report = await _tried(Trial(reminders, seconds))
    print(
        f"lateness: p50 {report.late_ms(0.5):.0f} ms, p99 {report.late_ms(0.99):.0f} ms, "
        f"at most {report.late_ms(1):.0f} ms"
    )
    return report.is_kept


async def chaos(reminders: int, seconds: float) -> bool:
    trial = Trial(
        reminders,
        seconds,
        failing=1 / 3,
        kill_every_seconds=4.0,
        jumps=2,
        jump_seconds=seconds / 10,
    )
    return (await _tried(trial)).is_kept


async def idle(_reminders: int, _seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        async with data_folder(Path(folder)) as database:
            await fill(database, 100, first=datetime.now(UTC) + timedelta(days=30), seconds=60)
            process = _companion(folder)
            try:
                await anyio.sleep(SETTLE_SECONDS)
                before = cpu_ms(process.pid)
                await anyio.sleep(WATCH_SECONDS)
                share = (cpu_ms(process.pid) - before) / (WATCH_SECONDS * 1000)
                print(f"RSS {rss_mb(process.pid)[0]:.1f} MB, CPU {share:.3%} of a core")
            finally:
                process.terminate()
                process.wait(20)
    return True


def _companion(home: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "DOME_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "worker_companions.local", "--home", home]
    return subprocess.Popen(command, env=environment)


async def ticks(_reminders: int, _seconds: float) -> bool:
    now = datetime.now(UTC)
    first = now + timedelta(days=1)
    with tempfile.TemporaryDirectory() as folder:
        async with data_folder(Path(folder)) as database:
            step = timedelta(seconds=DUE_EVERY_SECONDS)
            await fill(database, PENDING, first=first, seconds=PENDING * DUE_EVERY_SECONDS)
            await _time_ticks(database, "nothing", [now + n * step for n in range(TICKS)])
            await _time_ticks(database, "one", [first + n * step for n in range(TICKS)])
    return True


async def _time_ticks(database: Database, what: str, times: list[datetime]) -> None:
    costs: list[float] = []
    fired = 0
    with MemoryQueue.open(len(times)) as queue:
        for at in times:
            start = time.perf_counter()
            fired += (await tick(database, queue, DeliveryPolicy(), now=at)).fired
            costs.append((time.perf_counter() - start) * 1000)
    costs.sort()
    print(
        f"tick beside {PENDING} reminders, {what} due ({fired} fired in {len(costs)}): "
        f"p50 {costs[len(costs) // 2]:.2f} ms, at most {costs[-1]:.2f} ms"
    )


async def _tried(trial: Trial) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        report = await run(Path(folder), trial)
    print(
        f"{report.reminders} reminders over {trial.seconds:.0f} s: {report.taken} taken, "
        f"{report.lost} lost, {report.duplicates} twice under another key, {report.repeats} again "
        f"under the same key, {report.failed} failed for good ({report.failed_and_listed} of them "
        f"listed), {report.untrue} called delivered and not taken, {report.firings} firings"
    )
    print(f"kills: {report.kills}; failures answered: {report.faults}; {report.seconds:.0f} s")
    return report


PARTS: dict[str, Callable[[int, float], Awaitable[bool]]] = {
    "punctual": punctual,
    "chaos": chaos,
    "idle": idle,
    "tick": ticks,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reminders", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", choices=list(PARTS))
    arguments = parser.parse_args()
    is_kept = True
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            print(f"\n{name}")
            is_kept &= anyio.run(part, arguments.reminders, arguments.seconds)
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())

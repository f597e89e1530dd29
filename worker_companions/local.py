"""The companion of one machine: it fires reminders and delivers their notices.

    python -m worker_companions.local        does the same as `dome-mcp companion run`

One process with a few loops (worker_companions/loops.py). Any number of companions may run at
once: rows and leases decide who does what.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio

from dome_mcp import settings as settings_module
from dome_mcp.companion_wiring import open_agenda
from dome_mcp.core.errors import DomeError
from dome_mcp.settings import Settings
from worker_companions.loops import Clock, Companion

FAILED = 1

_TALKATIVE = ("httpx", "httpcore")
"""Libraries whose INFO messages repeat requests, and with them addresses."""

_log = logging.getLogger("worker_companions.local")  # __name__ is __main__ under -m


def now() -> datetime:
    return datetime.now(UTC)


async def run_companion(
    settings: Settings, *, until_idle: timedelta | None = None, clock: Clock = now
) -> None:
    """Runs a companion until a signal ends it, or it had nothing to do for `until_idle`.

    Raises:
        BackendError: the data folder or the database cannot be used.
    """
    async with open_agenda(settings) as agenda:
        companion = Companion(agenda, clock, pid=os.getpid())
        async with _stopped_by_signals(companion):
            _log.info("companion %s is running", agenda.holder)
            await companion.run(until_idle=until_idle)
            _log.info("companion %s has ended", agenda.holder)


def log_to_stderr(settings: Settings) -> None:
    """Sends log records to standard error."""
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a companion on the settings of the environment; returns the exit code."""
    parser = argparse.ArgumentParser(prog="worker_companions.local", description=__doc__)
    parser.add_argument("--home", metavar="DIR", help="the data folder (DOME_HOME)")
    parser.add_argument("--until-idle", type=float, metavar="HOURS", help="end when idle so long")
    arguments = parser.parse_args(argv)
    overrides = {"home": str(Path(arguments.home).absolute())} if arguments.home else {}
    hours: float | None = arguments.until_idle
    until_idle = None if hours is None else timedelta(hours=hours)
    try:
        settings = settings_module.load(overrides=overrides)
        log_to_stderr(settings)
        anyio.run(lambda: run_companion(settings, until_idle=until_idle))
    except DomeError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


@asynccontextmanager
async def _stopped_by_signals(companion: Companion) -> AsyncIterator[None]:
    """Stops the companion at the first signal while the block runs, and the process at the second.

    Windows cannot wait for signals; there the process just ends, which the rows survive.
    """
    if os.name == "nt":
        yield
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen_for_signals, companion)
        yield
        tasks.cancel_scope.cancel()


async def _listen_for_signals(companion: Companion) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        is_stopping = False
        async for number in signals:
            if is_stopping:
                os._exit(128 + number)
            is_stopping = True
            companion.stop()


if __name__ == "__main__":
    sys.exit(main())

"""Several processes on the same sockets: started, replaced when they die, and ended together.

They share nothing but the sockets and the database, whose leases see to it that only one makes
vectors. Each writes its figures into a folder that all of them read (remote/metrics.py).
"""

import logging
import multiprocessing
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.context import SpawnProcess

import anyio
from prometheus_client.multiprocess import mark_process_dead

from dome_mcp.remote import logs, process
from dome_mcp.settings import Settings, pass_on

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Has prometheus_client share its figures; it looks when it is imported, so in a new process."""

_CLOSING_SECONDS = 5.8
_SOON_SECONDS = 5.0
"""A process that lived no longer failed to start, and is not replaced at once."""
_MAX_PAUSE_SECONDS = 30.0

_log = logging.getLogger(__name__)


async def supervise(settings: Settings, listeners: Sequence[socket.socket]) -> None:
    """Serves in as many processes as the settings say, until a signal ends them all.

    A second signal ends them at once.
    """
    with tempfile.TemporaryDirectory(prefix="dome-metrics-") as folder:
        pass_on(METRICS_VARIABLE, folder)
        team = _Team(settings, listeners, folder)
        async with anyio.create_task_group() as signalled:
            signalled.start_soon(team.end_on_signal)
            async with anyio.create_task_group() as tasks:
                for place in range(settings.http.http_workers):
                    tasks.start_soon(team.keep, place)
            signalled.cancel_scope.cancel()


@dataclass(slots=True)
class _Team:
    """The processes, by their place."""

    settings: Settings
    listeners: Sequence[socket.socket]
    folder: str
    processes: dict[int, SpawnProcess] = field(default_factory=dict[int, SpawnProcess])
    ending: anyio.Event = field(default_factory=anyio.Event)

    async def keep(self, place: int) -> None:
        """Has a process at this place until the team ends."""
        failures = 0
        is_first = place == 0
        while not self.ending.is_set():
            started_at = anyio.current_time()
            one = self.processes[place] = self._start(is_first=is_first)
            await anyio.wait_readable(one.sentinel)
            one.join()
            mark_process_dead(one.pid, self.folder)
            if self.ending.is_set():
                return
            _log.error("process %s ended with code %s and is replaced", one.pid, one.exitcode)
            is_first = False
            lived_seconds = anyio.current_time() - started_at
            failures = failures + 1 if lived_seconds < _SOON_SECONDS else 0
            with anyio.move_on_after(min(_MAX_PAUSE_SECONDS, 2.0**failures - 1)):
                await self.ending.wait()

    async def end_on_signal(self) -> None:
        """Ends all at the first signal; kills them at the second, or when they take too long."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            await anext(signals)
            self.ending.set()
            self._each(SpawnProcess.terminate)
            with anyio.move_on_after(_CLOSING_SECONDS):
                await anext(signals)
            self._each(SpawnProcess.kill)

    def _each(self, end: Callable[[SpawnProcess], None]) -> None:
        for one in self.processes.values():
            if one.exitcode is None:
                end(one)

    def _start(self, *, is_first: bool) -> SpawnProcess:
        one = multiprocessing.get_context("spawn").Process(
            target=_work,
            args=(self.settings, list(self.listeners), self.folder),
            kwargs={"is_first": is_first},
            # So that none is waited for without end, should this process fail.
            daemon=True,
        )
        one.start()
        return one


def _work(
    settings: Settings, listeners: Sequence[socket.socket], folder: str, *, is_first: bool
) -> None:
    """What one of the processes does."""
    # Ctrl-C reaches every process of a terminal; the supervisor's word counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(replace(settings, warnings=()))
    anyio.run(partial(process.serve, settings, listeners, metrics_folder=folder, is_first=is_first))

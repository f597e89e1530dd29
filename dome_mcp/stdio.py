"""The server on standard input and output, and how it ends."""

import importlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from dome_mcp.app import Dome, Door
from dome_mcp.background import running
from dome_mcp.companion_launch import companion_kept
from dome_mcp.dome_server import DomeServer
from dome_mcp.server import build_server
from dome_mcp.settings import Settings

_CLOSING_SECONDS = 5.0
"""What is not closed by then is left to the database's own recovery."""

_TALKATIVE = ("httpx", "httpx2", "httpcore", "mcp")
"""Libraries whose INFO messages repeat requests, and with them addresses and arguments."""

_log = logging.getLogger(__name__)


async def serve_stdio(settings: Settings) -> int:
    """Serves one client until it closes standard input; returns the exit code.

    A signal ends the process itself, with 128 and its number, as soon as the application is
    closed: the thread that reads standard input cannot be interrupted, so nobody waits for it.
    """
    log_to_stderr(settings)
    if settings.api_url is None:
        door = Door(settings)
        return await _serve(build_server(door), partial(door.keep, _at_work))
    # Here, so that whoever has the data on this machine does not need it.
    there = importlib.import_module("dome_mcp.api_client.server")
    async with there.connected(settings) as api:
        return await _serve(there.build_api_server(api, settings), anyio.sleep_forever)


async def _serve(server: DomeServer, keep: Callable[[], Awaitable[None]]) -> int:
    session = _Session(keep)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.keep_application)
        tasks.start_soon(session.leave_on_signal)
        with session.serving:
            await server.run_stdio_async()
        tasks.cancel_scope.cancel()
    return 0


def log_to_stderr(settings: Settings) -> None:
    """Sends log records to standard error: standard output belongs to the protocol.

    To be called before the server is built, which would set up logging in its own way.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for warning in settings.warnings:
        _log.warning("%s", warning)


@asynccontextmanager
async def _at_work(dome: Dome) -> AsyncIterator[None]:
    """What goes on beside the calls: vectors are made, and somebody fires the reminders."""
    async with running(dome), companion_kept(dome):
        yield


@dataclass(frozen=True, slots=True)
class _Session:
    """What runs beside the serving, and the order in which it ends."""

    keep: Callable[[], Awaitable[None]]
    """Holds open, until it is cancelled, whatever the calls need."""
    serving: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    application: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    closed: anyio.Event = field(default_factory=anyio.Event)

    async def keep_application(self) -> None:
        """Holds the application open, once it is asked for, until its scope is cancelled."""
        try:
            with self.application:
                await self.keep()
        finally:
            self.closed.set()

    async def leave_on_signal(self) -> None:
        """Ends the process at the first signal: calls, then application, then at once."""
        if os.name == "nt":
            # Windows cannot wait for signals; what the database holds is safe at any moment.
            signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
            return
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self.serving.cancel()
                self.application.cancel()
                with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
                    await self.closed.wait()
                logging.shutdown()
                os._exit(128 + number)

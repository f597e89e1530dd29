"""One process that serves, and how it ends.

Within six seconds of SIGTERM or SIGINT, and with exit code 0:

1. nobody new is let in, and answers that would stay open end: subscriptions with a last message,
   the others by the gate;
2. ordinary requests have four seconds to finish;
3. the application closes: sessions, loops, database;
4. what still runs after 5.5 s is left where it is. The database survives that at any moment.

A second signal ends the process at once.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence

import anyio
import uvicorn

from dome_mcp.app import Door
from dome_mcp.core.errors import DomeError
from dome_mcp.remote import sockets, telemetry
from dome_mcp.remote.app import Endpoint, build_app
from dome_mcp.remote.connections import KEEP_ALIVE_SECONDS, PatientProtocol
from dome_mcp.services.access import list_tokens
from dome_mcp.settings import Settings, environment

REQUEST_SECONDS = 4
"""For requests under way when the end begins."""

_CLOSING_SECONDS = 5.5

_log = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    listeners: Sequence[socket.socket],
    *,
    metrics_folder: str | None = None,
    is_first: bool = True,
) -> None:
    """Serves in this process alone until it is to end; `metrics_folder` makes it one of several.

    One of several ends with the process that started it, and a second signal changes nothing.
    """
    is_worker = metrics_folder is not None
    sockets.raise_file_limit()
    telemetry.set_up(environment())
    door = Door(settings, telemetry.opened_traced)
    endpoint = build_app(door, settings, metrics_folder=metrics_folder)
    server = EndpointServer(endpoint)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_signal, server, is_worker)
        if is_worker:
            tasks.start_soon(_end_with_supervisor, server)
        if is_first:
            tasks.start_soon(_hint_at_tokens, door)
        await server.serve(list(listeners))
        tasks.cancel_scope.cancel()
    await anyio.to_thread.run_sync(telemetry.flush)


class EndpointServer(uvicorn.Server):
    """uvicorn's server as the endpoint needs it; it ends when `should_exit` is set."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        super().__init__(
            uvicorn.Config(
                endpoint,
                interface="asgi3",
                http=PatientProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=REQUEST_SECONDS,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own would raise the signal again after all is closed, and with it the exit code.
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._endpoint.close_streams()
        await super().shutdown(sockets)


async def _end_on_signal(server: EndpointServer, is_worker: bool) -> None:
    if os.name == "nt":
        # Windows cannot wait for signals; what the database holds is safe at any moment.
        signal.signal(signal.SIGINT, lambda *_: _end(server))
        return
    # A terminal sends SIGINT to every process, a service manager SIGTERM. So one of several has it
    # from two sides, and leaves it to its supervisor to be impatient.
    heeded = (signal.SIGTERM,) if is_worker else (signal.SIGTERM, signal.SIGINT)
    with anyio.open_signal_receiver(*heeded) as signals:
        async for number in signals:
            if server.should_exit and not is_worker:
                _leave(128 + number)
            _end(server)


async def _end_with_supervisor(server: EndpointServer) -> None:
    """Ends the server when whoever started it is gone, however that went."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        await anyio.wait_readable(supervisor.sentinel)
        _end(server)


async def _hint_at_tokens(door: Door) -> None:
    """Says how to make the first token; with the application closed it says why that is."""
    try:
        dome = await door.dome()
        if not await list_tokens(dome.ports, user_id=None):
            _log.info("nobody has a token yet: dome-mcp token create --scope all --name laptop")
    except DomeError as error:
        _log.error("nothing can be served: %s", error)


def _end(server: EndpointServer) -> None:
    """Has the server end; whatever is not closed in time is left to the database's recovery."""
    if not server.should_exit:
        server.should_exit = True
        # A thread, because what hangs may be the event loop.
        deadline = threading.Timer(_CLOSING_SECONDS, _leave, [0])
        deadline.daemon = True
        deadline.start()


def _leave(code: int) -> None:
    logging.shutdown()
    os._exit(code)

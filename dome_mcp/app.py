"""The running application, as the shells see it, and the door they reach it through.

Light on purpose: the drivers, numpy and the parsers are imported when the door opens, which is
after a client has had its first answer.
"""

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
import anyio.to_thread

from dome_mcp.core.ports import Ports
from dome_mcp.settings import Settings


class Bell:
    """Wakes the one task that listens; a ring while it is busy is not lost."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Returns at the next ring, or after so many seconds."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        self._event = anyio.Event()


@dataclass(frozen=True, slots=True)
class Dome:
    """The services' drivers, the settings they were made from, and this process's name."""

    settings: Settings
    ports: Ports
    holder: str
    """Names this process where it takes a lease."""
    pending: Bell = field(default_factory=Bell)
    """Rung when there may be chunks to embed."""
    companion: Bell = field(default_factory=Bell)
    """Rung when a companion should be running: something is to fire."""

    @property
    def user_id(self) -> str:
        return self.settings.user

    def now(self) -> datetime:
        return datetime.now(UTC)


Opener = Callable[[Settings], AbstractAsyncContextManager[Dome]]


class Door:
    """Opens the application once, on request, while whoever needs it waits.

    A failure to open is raised to everyone who asks, and the next to ask tries again.
    """

    def __init__(self, settings: Settings, opener: Opener | None = None) -> None:
        self.settings = settings
        self._opener = opener or _open
        self._wanted = anyio.Event()
        self._changed = anyio.Event()
        self._dome: Dome | None = None
        self._failure: Exception | None = None

    def knock(self) -> None:
        """Asks for the application to be opened, without waiting for it."""
        self._wanted.set()

    async def dome(self) -> Dome:
        """The application, once it is open.

        Raises:
            DomeError: it cannot be opened, and why.
        """
        if self._dome is None:
            changed = self._changed
            self.knock()
            await changed.wait()
        if self._dome is None:
            raise self._failure or RuntimeError("the application is closed")
        return self._dome

    async def keep(self, run: Callable[[Dome], AbstractAsyncContextManager[None]]) -> None:
        """Waits for a knock, opens the application and holds it open, `run` around it, for good."""
        while True:
            await self._wanted.wait()
            try:
                async with self._opener(self.settings) as dome, run(dome):
                    self._tell(dome, None)
                    await anyio.sleep_forever()
            except Exception as error:  # noqa: BLE001  whoever waits is told, and may try again
                self._tell(None, error)
            finally:
                self._dome = None

    def _tell(self, dome: Dome | None, failure: Exception | None) -> None:
        self._dome, self._failure = dome, failure
        self._wanted = anyio.Event()
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Dome]:
    """The application for as long as the block runs: what commands use, which need no door."""
    async with _open(settings) as dome:
        yield dome


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Dome]:
    # The late import of drivers and parsers: `dome-mcp --help` and the handshake do without them.
    # In a thread, so that a client is answered meanwhile; but first, and here, the light module
    # that imports kitoken, whose allocator crashes once the thread that loaded it has ended.
    importlib.import_module("dome_mcp.backends.embedded.models")
    await anyio.to_thread.run_sync(importlib.import_module, "dome_mcp.intake")
    wiring = await anyio.to_thread.run_sync(importlib.import_module, "dome_mcp.wiring")
    async with wiring.open_services(settings) as dome:
        yield dome

"""The running application, as the shells see it, and the door they reach it through.

Light on purpose: the drivers, numpy and the parsers are imported when the door opens, which is
after a client has had its first answer.
"""

import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol, Self, TypeVar
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from dome_mcp.core.access import Principal, owner
from dome_mcp.core.ports import Ports
from dome_mcp.feed import Feed
from dome_mcp.settings import Settings

_LEAVING_SECONDS = 120.0
"""How long an application that another has replaced stays open for the calls that use it."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Bell:
    """Wakes the one task that listens; a ring while it is busy is not lost."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    @property
    def has_rung(self) -> bool:
        """Whether it rang, and nobody has been woken yet."""
        return self._event.is_set()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Returns at the next ring, or after so many seconds."""
        with anyio.move_on_after(seconds):
            await self._event.wait()
        self._event = anyio.Event()


class Converter(Protocol):
    """Turns documents that DOME has no parser for into Markdown, somewhere else."""

    @property
    def content_types(self) -> Mapping[str, str]:
        """The formats it takes, by extension (`.png`)."""
        ...

    async def to_markdown(self, data: bytes, *, filename: str) -> str:
        """The document as Markdown; of a picture, a description.

        The extension of `filename` has to be that of the format.

        Raises:
            UnreadableDocument: it cannot be converted, with the reason.
            BackendError: it was not converted; the same again may do.
        """
        ...


class Aside(Protocol):
    """Does what takes the processor for a while where it holds up nobody."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


async def in_thread(work: Callable[[], T]) -> T:
    """Does it on a worker thread, which a Worker does not have."""
    return await anyio.to_thread.run_sync(work)


@dataclass(frozen=True, slots=True)
class Dome:
    """The services' drivers, the settings they were made from, and on whose behalf they are used.

    What opens the application acts for its owner; a shell that serves others calls `acting` first.
    """

    settings: Settings
    ports: Ports
    holder: str
    """Names this process where it takes a lease."""
    pending: Bell = field(default_factory=Bell)
    """Rung when there may be chunks to embed."""
    companion: Bell = field(default_factory=Bell)
    """Rung when a companion should be running: something is to fire."""
    jobs: Bell = field(default_factory=Bell)
    """Rung when an ingest job may be waiting."""

    outdated: anyio.Event = field(default_factory=anyio.Event)
    """Set when the database wants other drivers than these: whoever holds the door opens anew."""
    index_facts: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """What the database said of its vectors when these drivers were made for them."""

    principal: Principal = field(kw_only=True)
    converter: Converter | None = None
    """None where the settings do not allow a document to leave the machine."""
    feed: Feed = field(default_factory=Feed)
    """What changed, for the clients of this process."""
    aside: Aside = in_thread
    instant: datetime | None = None
    """When the call began that this is for, where a repetition has to give the same ids; None is
    the clock."""

    @classmethod
    def of_owner(
        cls, settings: Settings, ports: Ports, *, holder: str, converter: Converter | None = None
    ) -> Self:
        """The application as whoever has the data folder sees it."""
        who = owner(settings.user)
        return cls(settings, ports, holder, principal=who, converter=converter)

    def acting(self, principal: Principal) -> Self:
        """The same application on behalf of somebody else."""
        return replace(self, principal=principal)

    def at(self, instant: datetime) -> Self:
        """The same application for a call that began at this instant, perhaps a repeated one."""
        return replace(self, instant=instant)

    @property
    def user_id(self) -> str:
        return self.principal.user_id

    @property
    def zone(self) -> ZoneInfo:
        """The user's time zone."""
        return self.principal.zone or self.settings.timezone

    def now(self) -> datetime:
        return self.instant or datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a message, and the door they came to."""

    door: "Door"
    principal: Principal

    async def dome(self) -> Dome:
        """The application on the caller's behalf, which is opened if need be.

        Raises:
            DomeError: it cannot be opened, and why.
        """
        return (await self.door.dome()).acting(self.principal)


Opener = Callable[[Settings], AbstractAsyncContextManager[Dome]]


class Door:
    """Opens the application once, on request, while whoever needs it waits.

    A failure to open is raised to everyone who asks, and the next to ask tries again.
    """

    def __init__(self, settings: Settings, opener: Opener | None = None) -> None:
        self.settings = settings
        self.feed = Feed()
        """What changed, told to all who came by this door; it outlives a reopening."""
        self._opener = opener or _open
        self._make: Callable[[], Awaitable[Dome]] | None = None
        self._wanted = anyio.Event()
        self._changed = anyio.Event()
        self._dome: Dome | None = None
        self._failure: Exception | None = None

    @classmethod
    def unattended(cls, settings: Settings, make: Callable[[], Awaitable[Dome]]) -> Self:
        """A door that nobody has to hold open: `make` gives the application when it is wanted."""
        door = cls(settings)
        door._make = make
        return door

    def knock(self) -> None:
        """Asks for the application to be opened, without waiting for it."""
        self._wanted.set()

    async def dome(self) -> Dome:
        """The application, once it is open.

        Raises:
            DomeError: it cannot be opened, and why.
        """
        if self._dome is None and self._make is not None:
            self._dome = replace(await self._make(), feed=self.feed)
        if self._dome is None:
            changed = self._changed
            self.knock()
            await changed.wait()
        if self._dome is None:
            raise self._failure or RuntimeError("the application is closed")
        return self._dome

    async def keep(self, run: Callable[[Dome], AbstractAsyncContextManager[None]]) -> None:
        """Waits for a knock, opens the application and holds it open, `run` around it, for good.

        Where it is outdated the next is opened, and it stays a while for the calls that use it.
        """
        async with anyio.create_task_group() as tasks:
            while True:
                await self._wanted.wait()
                is_over = anyio.Event()
                tasks.start_soon(self._hold, run, is_over)
                await is_over.wait()

    async def _hold(
        self, run: Callable[[Dome], AbstractAsyncContextManager[None]], is_over: anyio.Event
    ) -> None:
        try:
            async with self._opener(self.settings) as opening:
                dome = replace(opening, feed=self.feed)
                async with run(dome):
                    self._tell(dome, None)
                    await dome.outdated.wait()
                self._dome = None
                self.knock()
                is_over.set()
                await anyio.sleep(_LEAVING_SECONDS)
        except Exception as error:  # noqa: BLE001  whoever waits is told, and may try again
            if is_over.is_set():
                _log.warning("what was open before could not be closed: %s", error)
            else:
                self._tell(None, error)
        finally:
            if not is_over.is_set():
                self._dome = None
                is_over.set()

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

"""The loops of a companion, and the order in which they end."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import anyio

from dome_mcp.backends.embedded.queue import MemoryQueue
from dome_mcp.companion_launch import LOG_FILE
from dome_mcp.companion_wiring import Agenda
from dome_mcp.core.errors import BackendError, DomeError
from dome_mcp.link_pages import LinkPages
from dome_mcp.services.companions import BEAT_SECONDS, beat, end_beat, release_unserved
from dome_mcp.services.dispatch import attempt_delivery, tick
from worker_companions import upkeep
from worker_companions.health import Health
from worker_companions.link_door import LinkDoor
from worker_companions.pulling import keep_pulling

Clock = Callable[[], datetime]

_SENDERS = 64
"""Deliveries under way at once: most of their time they wait for somebody else's server."""
_PLACES = 2 * _SENDERS
_ROOM = _SENDERS // 2
"""A tick waits for so many free places, so that what it claims is soon begun."""

_PULLED = _SENDERS // 2
"""So many messages of a Cloudflare queue are delivered at once."""

_POLL_SECONDS = 0.75
"""How soon a companion sees what another process wrote to the same file."""
_BREATH_SECONDS = 0.05
"""Between two ticks, so that what comes due together is written together."""
_AFTER_FAILURE_SECONDS = 5.0
_CLOSING_SECONDS = 10.0
"""What is not delivered by then is left to the next companion, when its lease is over."""

_ASLEEP = timedelta(minutes=2)
"""A companion that looks about less often was stopped, with its machine as a rule."""

_STANDARD_ERROR = 2

_log = logging.getLogger(__name__)


class Companion:
    """One companion at work. `clock` is the only one it reads, so that tests can set it forward."""

    def __init__(self, agenda: Agenda, clock: Clock, *, pid: int) -> None:
        self._agenda = agenda
        self._rows = agenda.rows
        self._database = agenda.database
        self._clock = clock
        self._health = Health(clock(), pid=pid)
        self._stopping = anyio.Event()
        self._file = self._identity()
        public_url = agenda.settings.public_url
        self._pages = LinkPages(agenda.ports, agenda.secret, clock, public_url)
        self._door = LinkDoor(agenda.database, self._pages.answer, agenda.secret)

    def stop(self) -> None:
        """Has the companion finish what it is sending, and end."""
        self._stopping.set()

    async def run(self, *, until_idle: timedelta | None = None) -> None:
        """Fires and delivers until it is stopped, or has had nothing to do for `until_idle`."""
        with MemoryQueue.open(_PLACES) as queue:
            async with anyio.create_task_group() as senders:
                for _ in range(_SENDERS):
                    senders.start_soon(self._send, queue)
                async with anyio.create_task_group() as loops:
                    loops.start_soon(self._show_life)
                    loops.start_soon(self._keep_house)
                    loops.start_soon(self._door.keep)
                    await self._door.looked.wait()
                    senders.start_soon(self._pull)
                    await self._fire(queue, until_idle)
                    self.stop()
                    loops.cancel_scope.cancel()
                queue.close()
                senders.cancel_scope.deadline = anyio.current_time() + _CLOSING_SECONDS
        with anyio.CancelScope(shield=True):
            await self._sign_off()

    async def _fire(self, queue: MemoryQueue, until_idle: timedelta | None) -> None:
        """Ticks when something is due, or when somebody has written to the database."""
        policy = self._agenda.policy
        awake_at: datetime | None = None
        while not self._stopping.is_set():
            try:
                seen = await self._rows.version()
                await queue.wait_for_room(_ROOM)
                now = self._clock()
                if awake_at is None or now - awake_at > _ASLEEP:
                    await release_unserved(self._database, now=now)
                awake_at = now
                fitting = replace(policy, batch=min(policy.batch, queue.free))
                ticked = await tick(self._database, queue, fitting, now=now)
                self._health.note_tick(ticked, now=now)
                if until_idle is not None and self._health.idle_time(now) >= until_idle:
                    _log.info("nothing has been waiting for long enough; the companion ends")
                    return
                await self._sleep(_BREATH_SECONDS)
                if not ticked.claimed:
                    await self._wait(ticked.next_due, seen)
            except Exception as error:  # noqa: BLE001  the loop outlives whatever one round meets
                self._note(error)
                await self._sleep(_AFTER_FAILURE_SECONDS)

    async def _wait(self, next_due: datetime | None, seen: int) -> None:
        """Returns when the clock reaches `next_due`, and early when the rows changed, or may have.

        The clock is looked at again and again, because it may be set, and the machine may sleep.
        """
        with anyio.move_on_after(self._rows.look_seconds):
            while not self._stopping.is_set() and await self._rows.version() == seen:
                left = _POLL_SECONDS
                if next_due is not None:
                    left = (next_due - self._clock()).total_seconds()
                if left <= 0:
                    return
                await self._sleep(min(_POLL_SECONDS, left))

    async def _send(self, queue: MemoryQueue) -> None:
        async for body in queue.messages():
            await self._deliver(body)

    async def _pull(self) -> None:
        """Delivers what Workers claimed, where there is a queue for that."""
        if self._agenda.pulled is not None:
            await keep_pulling(
                self._agenda.pulled,
                self._deliver,
                limit=_PULLED,
                lease_seconds=self._agenda.policy.lease_seconds,
                note=self._note,
                is_ending=self._stopping.is_set,
                sleep=self._sleep,
            )

    async def _deliver(self, body: str) -> bool:
        """Tries the delivery that a message names; False where the database failed meanwhile."""
        try:
            url = self._agenda.settings.public_url or await self._door.url()
            await attempt_delivery(
                body,
                self._database,
                self._agenda.notifiers,
                self._agenda.policy,
                now=self._clock(),
                compose_actions=partial(self._pages.actions, base_url=url) if url else None,
            )
        except Exception as error:  # noqa: BLE001  one delivery's failure is not the others'
            self._note(error)
            return not isinstance(error, BackendError)
        return True

    async def _show_life(self) -> None:
        """Beats, keeps the log short, and sees whether there is still anything to work on."""
        home = self._agenda.settings.home
        while True:
            now = self._clock()
            try:
                details = self._health.details(now)
                await beat(self._database, self._agenda.holder, now=now, details=details)
                upkeep.cap_log(home / LOG_FILE, _STANDARD_ERROR)
            except Exception as error:  # noqa: BLE001  reminders fire even where nobody can see it
                self._note(error)
            if self._identity() != self._file:
                _log.warning("the data folder is gone; the companion ends")
                self.stop()
            await self._sleep(BEAT_SECONDS)

    async def _keep_house(self) -> None:
        """Asks now and then whether what is past its time is to be forgotten, and does so."""
        while True:
            try:
                await upkeep.keep_house(self._database, self._health, now=self._clock())
            except Exception as error:  # noqa: BLE001  reminders fire, whatever there is to forget
                self._note(error)
            await self._sleep(upkeep.ASK_SECONDS)

    def _identity(self) -> tuple[int, int] | None:
        """Which file the database is; None where it is not on this machine."""
        return upkeep.identity(self._rows.file) if self._rows.file else None

    async def _sleep(self, seconds: float) -> None:
        """Sleeps so long, or until the companion is to stop."""
        with anyio.move_on_after(seconds):
            await self._stopping.wait()

    def _note(self, error: Exception) -> None:
        """Tells of a failure in the log and in the heartbeat, in words that are safe to show."""
        if isinstance(error, DomeError):
            message = str(error)
            _log.warning("%s", message)
        else:
            reference = secrets.token_hex(4)
            message = f"Internal error ({type(error).__name__}), reference {reference}."
            _log.error("%s", message, exc_info=error)
        self._health.note_error(message, now=self._clock())

    async def _sign_off(self) -> None:
        try:
            await end_beat(self._database, self._agenda.holder)
        except BackendError as error:
            _log.warning("the heartbeat is left behind: %s", error)

"""Where the links in notices lead on this machine: one port, answered by one companion at a time.

The port is kept in the database, because links live longer than the companion that made them.
Whoever can listen on it answers; the system frees it the moment that companion is gone, however
it went, and another takes over.
"""

import hashlib
import logging

import anyio
from anyio.abc import Listener, SocketStream

from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Database
from dome_mcp.store import meta
from worker_companions import loopback

_LOOK_SECONDS = 15.0
_ANY = 0
_TRIES = 5
_PAUSE_SECONDS = 0.2
"""A companion that is just starting or leaving holds the port and does not answer."""

_log = logging.getLogger(__name__)


class LinkDoor:
    """Answers links while no other companion does, and always knows where they lead."""

    def __init__(
        self,
        database: Database,
        answer: loopback.Answer,
        secret: bytes,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._answer = answer
        self._look_seconds = look_seconds
        # Says which data folder's companion answers, to those who know its secret.
        self._name = f"dome/{hashlib.sha256(b'name' + secret).hexdigest()[:32]}"
        self._port: int | None = None
        self.looked = anyio.Event()
        """Set when it is known where links lead, or that nobody can know."""

    async def url(self) -> str | None:
        """What a link starts with; None while no companion has ever had a port."""
        if self._port is None:
            self._port = await self._known_port()
        return None if self._port is None else f"http://{loopback.HOST}:{self._port}"

    async def keep(self) -> None:
        """Serves whenever no other companion does, until it is cancelled."""
        while True:
            try:
                listener = await self._listen()
                self.looked.set()
                if listener is not None:
                    await loopback.serve(listener, self._answer, name=self._name)
            except (BackendError, OSError) as error:
                _log.warning("links are not answered for now: %s", error)
            self.looked.set()
            await anyio.sleep(self._look_seconds)

    async def _listen(self) -> Listener[SocketStream] | None:
        """A listener on the port that links lead to; None where another companion has it.

        Where a program that is none of ours has taken the port, links lead to a new one from here
        on, and those in older notices nowhere.
        """
        known = self._port = await self._known_port()
        if known is None:
            return await self._move(None)
        for _ in range(_TRIES):
            try:
                return await loopback.listen(known)
            except OSError:
                if await loopback.name_at(known) == self._name:
                    return None
            await anyio.sleep(_PAUSE_SECONDS)
        _log.warning("port %d is another program's; older links lead nowhere", known)
        return await self._move(known)

    async def _move(self, known: int | None) -> Listener[SocketStream] | None:
        """A listener on a new port; None where another companion has just moved to one."""
        listener = await loopback.listen(_ANY)
        port, before = loopback.port_of(listener), None if known is None else str(known)
        await self._database.query(meta.replace_fact(meta.LINK_PORT, str(port), before=before))
        self._port = await self._known_port()
        if self._port == port:
            return listener
        await listener.aclose()
        return None

    async def _known_port(self) -> int | None:
        port = await meta.fact(self._database, meta.LINK_PORT)
        return None if port is None else int(port)

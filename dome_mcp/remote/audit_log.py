"""The audit log as requests write it: gathered in memory, and stored once a second.

What changes something gets an entry of its own. What only reads, and what is refused, is counted
with its like for a minute, so that neither a busy client nor a flood of bad tokens fills the log.
A database that fails fails no request: the entries wait for it, a bounded number of them.
"""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
from starlette.types import Scope

from dome_mcp.app import Dome
from dome_mcp.core.access import NOBODY, Principal
from dome_mcp.core.audit import AuditEntry, Outcome
from dome_mcp.core.errors import DomeError
from dome_mcp.core.ports import Ports
from dome_mcp.remote.peers import household_of
from dome_mcp.remote.routes import route_template
from dome_mcp.services import audit

FLUSH_SECONDS = 1.0
COUNTED_TOGETHER = timedelta(minutes=1)
MAX_WAITING = 5_000
"""After so many, those that are counted are told apart by what was done alone; after twice as many
nothing more is kept, and the log of the server says how many that were."""
MAX_STRANGERS = 200
"""Addresses that are told apart among those nobody knows; the others are counted together."""

_BATCH = 500
_LAST_FLUSH_SECONDS = 2.0
_MAX_SOURCES = 4_096

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_CALLS = ("resources/", "prompts/", "completion/")
_READING_TOOLS = ("tools/call list_", "tools/call get_", "tools/call search", "tools/call rag_")
_SIGN_IN = "sign in"
_NO_ROUTE = "(no route)"

_log = logging.getLogger(__name__)


class AuditLog:
    """Entries on their way to the database."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._waiting: deque[AuditEntry] = deque()
        self._counted: dict[AuditEntry, AuditEntry] = {}
        """By the entry at time zero: what has been counted so far, at the time it began."""
        self._sources: dict[tuple[str, str], str] = {}
        self._strangers: set[str] = set()
        """The addresses among what is being counted that nobody is known at."""
        self._writing = anyio.Lock()
        self._lost = 0
        self._is_failing = False

    def saw(self, principal: Principal, address: str) -> None:
        """Remembers where a credential was used last: an MCP call does not say where it is from."""
        key = (principal.user_id, principal.credential)
        self._sources.pop(key, None)
        while len(self._sources) >= _MAX_SOURCES:
            del self._sources[next(iter(self._sources))]
        self._sources[key] = address

    def observe(
        self, principal: Principal, action: str, target: str, outcome: Outcome, seconds: float
    ) -> None:
        """Notes an MCP call, as the server tells of it."""
        del seconds
        is_reading = action.startswith(_READING_CALLS) or action.startswith(_READING_TOOLS)
        self._note(principal, action, target, outcome, is_reading=is_reading)

    def observe_request(self, principal: Principal, scope: Scope, status: int) -> None:
        """Notes a request that was answered: the template of its route, and whom it was about."""
        path = route_template(scope)
        outcome: Outcome = "failed" if status >= 500 or not status else "ok"
        if 400 <= status < 500:
            outcome = "refused"
        is_reading = scope["method"] in _READING_METHODS
        target = "" if path is None else _target(scope)
        action = f"{scope['method']} {path or _NO_ROUTE}"
        self._note(principal, action, target, outcome, is_reading=is_reading)

    def note_stranger(self, address: str) -> None:
        """Notes that somebody failed to prove who they are."""
        source = household_of(address)
        if source not in self._strangers and len(self._strangers) >= MAX_STRANGERS:
            source = ""
        self._strangers.add(source)
        self._count(_entry(NOBODY, source, _SIGN_IN, "", "unknown caller"))

    @asynccontextmanager
    async def kept(self, dome: Dome) -> AsyncIterator[None]:
        """Stores the entries while the block runs, and the rest at its end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep, dome.ports)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                with anyio.move_on_after(_LAST_FLUSH_SECONDS, shield=True):
                    await self.flush(dome.ports, is_last=True)

    async def flush(self, ports: Ports, *, is_last: bool = False) -> None:
        """Stores what waits; what is still being counted too, where it is the last time."""
        due = self._clock() - COUNTED_TOGETHER
        for key, entry in list(self._counted.items()):
            has_room = len(self._waiting) < MAX_WAITING
            if is_last or (has_room and entry.at <= due):
                del self._counted[key]
                self._add(entry)
                if entry.user_id == NOBODY.user_id:
                    self._strangers.discard(entry.source)
        async with self._writing:
            try:
                while self._waiting:
                    await self._write_batch(ports)
            except DomeError as error:
                if not self._is_failing:
                    _log.warning("The audit log cannot be written, and waits: %s", error)
                self._is_failing = True
                return
        if self._is_failing or self._lost:
            _log.warning("The audit log is written again; %d entries were lost.", self._lost)
        self._is_failing, self._lost = False, 0

    async def _write_batch(self, ports: Ports) -> None:
        batch = list(self._waiting)[:_BATCH]
        # Shielded, or a batch that is written when the server stops would be written again.
        with anyio.CancelScope(shield=True):
            await audit.record(batch, ports)
            for _ in batch:
                self._waiting.popleft()

    async def _keep(self, ports: Ports) -> None:
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            await self.flush(ports)

    def _note(
        self, principal: Principal, action: str, target: str, outcome: Outcome, *, is_reading: bool
    ) -> None:
        source = self._sources.get((principal.user_id, principal.credential), "")
        entry = _entry(principal, source, action, target, outcome)
        if is_reading or outcome == "refused":
            self._count(entry)
        else:
            self._add(replace(entry, at=self._clock()))

    def _count(self, entry: AuditEntry) -> None:
        if entry not in self._counted and len(self._counted) >= MAX_WAITING:
            # Of whoever reads so much it is kept that they did, and no more what.
            entry = replace(entry, target="")
        so_far = self._counted.get(entry)
        if so_far is not None:
            self._counted[entry] = replace(so_far, times=so_far.times + 1)
        elif len(self._counted) < 2 * MAX_WAITING:
            self._counted[entry] = replace(entry, at=self._clock())
        else:
            self._lost += 1

    def _add(self, entry: AuditEntry) -> None:
        if len(self._waiting) < 2 * MAX_WAITING:
            self._waiting.append(entry)
        else:
            self._lost += 1


def _entry(
    principal: Principal, source: str, action: str, target: str, outcome: Outcome
) -> AuditEntry:
    """An entry at time zero, which is like another of the same."""
    at = datetime.fromtimestamp(0, UTC)
    credential = "" if principal is NOBODY else principal.credential
    return AuditEntry(at, principal.user_id, credential, source, action, target, outcome)


def _target(scope: Scope) -> str:
    """The id in the path, the first where there are several."""
    found = next(iter(scope.get("path_params", {}).values()), "")
    return str(found)[:200]

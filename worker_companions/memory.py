"""Sessions in a Durable Object for each user, by which a deployed DOME remembers what was asked.

The object has a database of its own, which nobody else reads. So it looks at the rows before it
keeps anything or gives anything out: what cites a note that is gone goes too, and where the user is
gone, everything; whoever has their id next is told by when they were added. It does so once an hour
besides, until it is empty, so that what was asked by a user who is deleted is gone within an hour.

Source: https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/ (2026-11).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pyodide.ffi import JsException  # pyright: ignore[reportMissingImports] - only in a Worker
from workers import DurableObject

from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.sessions import KEPT, Exchange, Session
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.services.sessions import RowSessions, forget_gone_notes
from dome_mcp.store import users
from dome_mcp.store.migrations.sessions import TABLES
from worker_companions.bindings import D1BindingDatabase, outages
from worker_companions.session_json import Json, to_exchange, to_json, to_session

BACKEND = "durable-objects"

_USER = "user_id"
_ADDED = "added_at_ms"
"""When the user was added whose memory it is, by which one is told from the next of that id."""
_LOOKS = timedelta(hours=1)
_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'exchanges'"
_EMPTY = "DELETE FROM exchanges"


class Memory(DurableObject):
    """One user's sessions. What it is asked and answers is JSON, with times in milliseconds."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._storage = ctx.storage
        self._own = ObjectDatabase(ctx.storage)
        self._rows = D1BindingDatabase(env.DB)
        self._sessions = RowSessions(self._own)

    async def remember(self, user_id: str, exchange: Json) -> None:
        """See `SessionManager.remember`."""
        if not await self._is_theirs(user_id):
            raise BackendRejected(BACKEND, "remember", "There is no such user any more.")
        await self._sessions.remember(to_exchange(exchange), user_id=user_id)
        if await self._storage.getAlarm() is None:
            await self._storage.setAlarm(to_ms(datetime.now(UTC) + _LOOKS))

    async def recall(self, user_id: str, session_id: str, now_ms: int, limit: int) -> list[Json]:
        """See `SessionManager.recall`."""
        await self._look(user_id, now=from_ms(int(now_ms)))
        found = await self._sessions.recall(
            session_id, user_id=user_id, now=from_ms(int(now_ms)), limit=int(limit)
        )
        return [to_json(each) for each in found]

    async def list_sessions(self, user_id: str, now_ms: int, limit: int) -> list[Json]:
        """See `SessionManager.list_sessions`."""
        await self._look(user_id, now=from_ms(int(now_ms)))
        found = await self._sessions.list_sessions(
            user_id=user_id, now=from_ms(int(now_ms)), limit=int(limit)
        )
        return [to_json(each) for each in found]

    async def forget(self, user_id: str, session_id: str) -> int:
        """See `SessionManager.forget`."""
        await self._is_theirs(user_id)
        return await self._sessions.forget(session_id, user_id=user_id)

    async def alarm(self, *_info: Any) -> None:
        """Looks whether what it keeps is to be kept, and forgets itself when it is empty."""
        user_id = await self._storage.get(_USER)
        now = datetime.now(UTC)
        if user_id is not None and await self._look(user_id, now=now):
            await self._storage.setAlarm(to_ms(now + _LOOKS))
        else:
            await self._storage.deleteAll()

    async def _look(self, user_id: str, *, now: datetime) -> bool:
        """Deletes what is not to be given out any more; returns whether anything is left."""
        is_theirs = await self._is_theirs(user_id)
        return is_theirs and await forget_gone_notes(
            self._own, self._rows, user_id=user_id, before=now - KEPT
        )

    async def _is_theirs(self, user_id: str) -> bool:
        """Whether the user is there; what another of the same id had asked is deleted now."""
        added_at_ms = await self._added_at_ms(user_id)
        self._prepare()
        if added_at_ms is None or added_at_ms != await self._storage.get(_ADDED):
            self._own.run(Statement(_EMPTY))
        if added_at_ms is None:
            return False
        await self._storage.put(_USER, user_id)
        await self._storage.put(_ADDED, added_at_ms)
        return True

    async def _added_at_ms(self, user_id: str) -> int | None:
        """When the user was added, whom every token belongs to; None who is not there any more."""
        rows = await self._rows.query(users.user_by_id(user_id))
        user = users.to_user(rows[0]) if rows else None
        if user is None or user.is_leaving or user.created_at is None:
            return None
        return to_ms(user.created_at)

    def _prepare(self) -> None:
        if not self._own.run(Statement(_TABLE)):
            for sql in TABLES:
                self._own.run(Statement(sql))


class ObjectDatabase:
    """`Database` on the SQLite of a Durable Object, whose statements run at once."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    async def query(self, statement: Statement) -> Sequence[Row]:
        """The rows of one statement (see `Database.query`)."""
        return self.run(statement)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        """The rows of each statement, all run or none (see `Database.batch`)."""
        results: list[Sequence[Row]] = []

        def run_all() -> None:
            results.extend(self.run(each) for each in statements)

        with _refusals("batch"):
            self._storage.transactionSync(run_all)
        return results

    def run(self, statement: Statement) -> Sequence[Row]:
        """As `query`, which needs no waiting here."""
        with _refusals("query"):
            cursor = self._storage.sql.exec(statement.sql, *statement.params)
            return [dict(row) for row in cursor.toArray()]


class Memories:
    """`SessionManager` on the memories of all users, by the binding of their namespace."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def remember(self, exchange: Exchange, *, user_id: str) -> None:
        """See `SessionManager.remember`."""
        with _reaching("remember"):
            await self._of(user_id).remember(user_id, to_json(exchange))

    async def recall(
        self, session_id: str, *, user_id: str, now: datetime, limit: int
    ) -> Sequence[Exchange]:
        """See `SessionManager.recall`."""
        with _reaching("recall"):
            found = await self._of(user_id).recall(user_id, session_id, to_ms(now), limit)
        return [to_exchange(each) for each in found]

    async def list_sessions(self, *, user_id: str, now: datetime, limit: int) -> Sequence[Session]:
        """See `SessionManager.list_sessions`."""
        with _reaching("list_sessions"):
            found = await self._of(user_id).list_sessions(user_id, to_ms(now), limit)
        return [to_session(each) for each in found]

    async def forget(self, session_id: str, *, user_id: str) -> int:
        """See `SessionManager.forget`."""
        with _reaching("forget"):
            return int(await self._of(user_id).forget(user_id, session_id))

    def _of(self, user_id: str) -> Any:
        return self._binding.getByName(user_id)


def _reaching(operation: str) -> AbstractContextManager[None]:
    return outages(BACKEND, operation, "The memory of sessions")


@contextmanager
def _refusals(operation: str) -> Iterator[None]:
    try:
        yield
    except JsException as error:
        raise BackendRejected(BACKEND, operation, f"The memory refuses: {error}") from error

"""Questions that go on from each other: answered with what was said before, and remembered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dome_mcp.core.errors import BackendError, NotFound
from dome_mcp.core.identifiers import sortable_id
from dome_mcp.core.model import Answer
from dome_mcp.core.ports import Database, Ports
from dome_mcp.core.sessions import (
    KEPT,
    RECALLED,
    Exchange,
    Session,
    SessionManager,
    checked_session_id,
)
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Follower, Question
from dome_mcp.store import sessions as store

MAX_SESSIONS = 100
"""So many sessions are listed, the last ones used."""
MAX_EXCHANGES = 200
"""So many exchanges of a session are shown, the last ones."""

_MOST_QUESTION_CHARACTERS = 2_000
"""Of a question so much is kept; what is longer brings its own passages along."""


class RowSessions:
    """`SessionManager` on the rows of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, exchange: Exchange, *, user_id: str) -> None:
        """See `SessionManager.remember`; it is also when what is too old is deleted."""
        await self._database.batch(
            [
                store.insert_exchange(exchange, user_id),
                store.forget_before(exchange.asked_at - KEPT),
            ]
        )

    async def recall(
        self, session_id: str, *, user_id: str, now: datetime, limit: int
    ) -> Sequence[Exchange]:
        """See `SessionManager.recall`."""
        rows = await self._database.query(
            store.last_exchanges(session_id, user_id, since=now - KEPT, limit=limit)
        )
        return [store.to_exchange(row) for row in reversed(rows)]

    async def list_sessions(self, *, user_id: str, now: datetime, limit: int) -> Sequence[Session]:
        """See `SessionManager.list_sessions`."""
        rows = await self._database.query(store.sessions(user_id, since=now - KEPT, limit=limit))
        return [store.to_session(row) for row in rows]

    async def forget(self, session_id: str, *, user_id: str) -> int:
        """See `SessionManager.forget`."""
        return len(await self._database.query(store.delete_session(session_id, user_id)))


@dataclass(frozen=True, slots=True)
class Conversed:
    """An answer, and the session that the next question may go on in."""

    answer: Answer
    session_id: str


async def converse(
    question: Question,
    ports: Ports,
    *,
    user_id: str,
    now: datetime,
    session_id: str = "",
    follower: Follower | None = None,
    stopwatch: Callable[[], float] | None = None,
) -> Conversed:
    """The answer to a question in its session; without one, or an unknown one, a session begins.

    A session that cannot be read or written costs a warning and not the answer. What the rest
    means and raises: see `answer`.

    Raises:
        InvalidInput: the `session_id` cannot be one.
    """
    memory = sessions_of(ports)
    session_id = checked_session_id(session_id)
    warnings: list[str] = []
    earlier: Sequence[Exchange] = ()
    if session_id:
        try:
            earlier = await memory.recall(session_id, user_id=user_id, now=now, limit=RECALLED)
        except BackendError as error:
            warnings.append(f"What was asked before could not be read: {error.message}")
    else:
        session_id = sortable_id(now, user_id, question.text)
    given = await answer(
        replace(question, earlier=tuple(earlier)),
        ports,
        user_id=user_id,
        now=now,
        follower=follower,
        stopwatch=stopwatch,
    )
    try:
        exchange = _exchange(question, given, session_id=session_id, user_id=user_id, now=now)
        await memory.remember(exchange, user_id=user_id)
    except BackendError as error:
        warnings.append(f"This answer is not remembered: {error.message}")
    return Conversed(replace(given, warnings=(*given.warnings, *warnings)), session_id)


async def list_sessions(ports: Ports, *, user_id: str, now: datetime) -> Sequence[Session]:
    """The user's sessions, the last one used first, at most `MAX_SESSIONS`."""
    return await sessions_of(ports).list_sessions(user_id=user_id, now=now, limit=MAX_SESSIONS)


async def read_session(
    session_id: str, ports: Ports, *, user_id: str, now: datetime
) -> Sequence[Exchange]:
    """What was asked and answered in a session, the first first, at most `MAX_EXCHANGES`.

    Raises:
        NotFound: the user has no such session any more.
    """
    found = await sessions_of(ports).recall(
        session_id, user_id=user_id, now=now, limit=MAX_EXCHANGES
    )
    if not found:
        raise NotFound("session", session_id[:70], "Sessions are kept for 30 days.")
    return found


async def delete_session(session_id: str, ports: Ports, *, user_id: str) -> int:
    """Deletes a session for good; returns how many exchanges it had.

    Raises:
        NotFound: the user has no such session.
    """
    deleted = await sessions_of(ports).forget(session_id, user_id=user_id)
    if not deleted:
        raise NotFound("session", session_id[:70], "Sessions are kept for 30 days.")
    return deleted


async def forget_gone_notes(
    memory: Database, rows: Database, *, user_id: str, before: datetime
) -> bool:
    """Brings exchanges that are kept beside the rows in line with them.

    What cites a note that is gone is deleted, and what was asked before `before`; returns whether
    anything of the user is left.
    """
    cited = [str(row["note_id"]) for row in await memory.query(store.cited_notes(user_id))]
    present = await rows.query(store.present_notes(cited, user_id))
    gone = sorted({*cited} - {str(row["note_id"]) for row in present})
    *_, left = await memory.batch(
        [
            store.forget_citing(gone, user_id),
            store.forget_before(before),
            store.any_exchange(user_id),
        ]
    )
    return bool(left)


def sessions_of(ports: Ports) -> SessionManager:
    """Where sessions are kept: in rows, unless the shell has brought another place."""
    return ports.sessions or RowSessions(ports.database)


def _exchange(
    question: Question, given: Answer, *, session_id: str, user_id: str, now: datetime
) -> Exchange:
    return Exchange(
        exchange_id=sortable_id(now, user_id, session_id, question.text),
        session_id=session_id,
        question=question.text.strip()[:_MOST_QUESTION_CHARACTERS],
        answer=given.text,
        note_ids=tuple(dict.fromkeys(citation.note_id for citation in given.citations)),
        asked_at=now,
    )

"""Sessions: questions to the notes that go on from each other; what is kept of them, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dome_mcp.core.errors import InvalidInput

KEPT = timedelta(days=30)
"""How long an exchange is kept."""
RECALLED = 6
"""So many exchanges of a session, the last ones, are what a question may go on from."""

_MOST_ID_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer. `note_ids` are the notes that the answer cites."""

    exchange_id: str
    session_id: str
    question: str
    answer: str
    note_ids: tuple[str, ...]
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """What a list says of a session: its first question, and from when to when it was."""

    session_id: str
    question: str
    exchanges: int
    began_at: datetime
    last_at: datetime


class SessionManager(Protocol):
    """Keeps the exchanges of all users' sessions for as long as `KEPT`.

    A session is there while it has an exchange; the same id of two users is two sessions. An
    exchange goes with the notes that it cites.
    """

    async def remember(self, exchange: Exchange, *, user_id: str) -> None:
        """Adds an exchange to its session; the same one again changes nothing.

        Raises:
            BackendError: it was not kept.
        """
        ...

    async def recall(
        self, session_id: str, *, user_id: str, now: datetime, limit: int
    ) -> Sequence[Exchange]:
        """The last exchanges of a session, the oldest of them first; none where there is none.

        Raises:
            BackendError: they cannot be read.
        """
        ...

    async def list_sessions(self, *, user_id: str, now: datetime, limit: int) -> Sequence[Session]:
        """The user's sessions, the last one used first.

        Raises:
            BackendError: they cannot be read.
        """
        ...

    async def forget(self, session_id: str, *, user_id: str) -> int:
        """Deletes a session; returns how many exchanges it had.

        Raises:
            BackendError: it was not deleted.
        """
        ...


def checked_session_id(text: str) -> str:
    """The id as it is stored; the empty string stands for a session that is yet to begin.

    Raises:
        InvalidInput: it is none that a server gave.
    """
    cleaned = text.strip()
    if len(cleaned) > _MOST_ID_CHARACTERS or not cleaned.isprintable():
        raise InvalidInput(
            "The session_id cannot be one.", "Send the one that an answer came with, or none."
        )
    return cleaned

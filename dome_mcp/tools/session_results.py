"""Sessions as the shells show them, with times in the user's zone."""

from datetime import tzinfo

from typing_extensions import TypedDict

from dome_mcp.core.sessions import Exchange, Session
from dome_mcp.core.timestamps import local_iso


class SessionResult(TypedDict):
    """A session: its first question, and how many there were from when to when."""

    session_id: str
    question: str
    exchanges: int
    began_at: str
    last_at: str


class ExchangeResult(TypedDict):
    """A question and its answer; `note_ids` are the notes that it cites."""

    question: str
    answer: str
    note_ids: list[str]
    asked_at: str


def session_result(session: Session, *, zone: tzinfo) -> SessionResult:
    return {
        "session_id": session.session_id,
        "question": session.question,
        "exchanges": session.exchanges,
        "began_at": local_iso(session.began_at, zone),
        "last_at": local_iso(session.last_at, zone),
    }


def exchange_result(exchange: Exchange, *, zone: tzinfo) -> ExchangeResult:
    return {
        "question": exchange.question,
        "answer": exchange.answer,
        "note_ids": list(exchange.note_ids),
        "asked_at": local_iso(exchange.asked_at, zone),
    }

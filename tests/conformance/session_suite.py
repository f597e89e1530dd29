"""What every `SessionManager` does. A driver's module gives `sessions` and two `users`.

The notes that exchanges cite are none that a driver could look for: those are its own tests'.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.sessions import KEPT, Exchange, Session, SessionManager

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
FIRST = Exchange("01", "one", "Where is it? \U0001f989", "Not in your notes.", (), NOW)


def after(minutes: int, exchange: Exchange = FIRST, **changes: str) -> Exchange:
    at = NOW + timedelta(minutes=minutes)
    return replace(exchange, exchange_id=f"{minutes + 1:02}", asked_at=at, **changes)


async def test_a_session_is_given_back_in_order_as_far_as_it_is_wanted(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    user_id, _ = users
    said = [FIRST, *(after(minute, question=f"And {minute}?") for minute in range(1, 12))]
    for each in said:
        await sessions.remember(each, user_id=user_id)
    now = said[-1].asked_at
    assert await sessions.recall("one", user_id=user_id, now=now, limit=99) == said
    assert await sessions.recall("one", user_id=user_id, now=now, limit=2) == said[-2:]
    assert await sessions.recall("two", user_id=user_id, now=now, limit=2) == []


async def test_the_same_exchange_is_there_once(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    for _ in range(2):
        await sessions.remember(FIRST, user_id=users[0])
    assert await sessions.recall("one", user_id=users[0], now=NOW, limit=9) == [FIRST]


async def test_what_is_older_than_it_may_be_is_not_given_out(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    await sessions.remember(FIRST, user_id=users[0])
    end = NOW + KEPT
    assert await sessions.recall("one", user_id=users[0], now=end, limit=9) == [FIRST]
    over = end + timedelta(milliseconds=1)
    assert await sessions.recall("one", user_id=users[0], now=over, limit=9) == []
    assert await sessions.list_sessions(user_id=users[0], now=over, limit=9) == []


async def test_sessions_are_listed_the_last_one_used_first(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    user_id, _ = users
    for each in (FIRST, after(1, session_id="two"), after(2, question="And when?")):
        await sessions.remember(each, user_id=user_id)
    now = NOW + timedelta(hours=1)
    one = Session("one", FIRST.question, 2, NOW, NOW + timedelta(minutes=2))
    two = Session("two", FIRST.question, 1, *[NOW + timedelta(minutes=1)] * 2)
    assert await sessions.list_sessions(user_id=user_id, now=now, limit=9) == [one, two]
    assert await sessions.list_sessions(user_id=user_id, now=now, limit=1) == [one]


async def test_a_session_is_forgotten_alone(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    user_id, _ = users
    for each in (FIRST, after(1), after(2, session_id="two")):
        await sessions.remember(each, user_id=user_id)
    assert await sessions.forget("one", user_id=user_id) == 2
    assert await sessions.forget("one", user_id=user_id) == 0
    listed = await sessions.list_sessions(user_id=user_id, now=NOW + KEPT, limit=9)
    assert [each.session_id for each in listed] == ["two"]


async def test_the_same_id_of_another_user_is_another_session(
    sessions: SessionManager, users: tuple[str, str]
) -> None:
    mine, theirs = users
    await sessions.remember(FIRST, user_id=mine)
    assert await sessions.recall("one", user_id=theirs, now=NOW, limit=9) == []
    assert await sessions.list_sessions(user_id=theirs, now=NOW, limit=9) == []
    assert await sessions.forget("one", user_id=theirs) == 0
    assert await sessions.recall("one", user_id=mine, now=NOW, limit=9) == [FIRST]

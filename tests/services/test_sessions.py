"""Questions that go on from each other, from the first one to the last trace of it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.errors import BackendUnavailable, InvalidInput, NotFound
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.sessions import KEPT, RECALLED, Exchange
from dome_mcp.services import sessions
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.sessions import Conversed, RowSessions, converse
from dome_mcp.store.migrations.sessions import TABLES
from tests.services.notes_for_tests import NOW, USER, draft, later

pytestmark = pytest.mark.anyio

POTTERY = "The pottery course at the studio costs 180 EUR. The course ends on 30 June."
LEASE = "The lease does end, and it does so on 12 December. The rent is due every month."


@dataclass(slots=True)
class ListeningModel:
    """A language model that cites the first passage, and keeps what it was told."""

    model: str = "listening"
    context_tokens: int = 4000
    told: list[Sequence[Turn]] = field(default_factory=list)

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        self.told.append(turns)
        return Completion("The pottery course at the studio costs 180 EUR. [1]")

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        yield await self.complete(turns, max_tokens=max_tokens)


class LostSessions(RowSessions):
    """Sessions in a place that cannot be reached."""

    async def recall(
        self, session_id: str, *, user_id: str, now: datetime, limit: int
    ) -> Sequence[Exchange]:
        raise BackendUnavailable("memory", "recall", "It is away.")

    async def remember(self, exchange: Exchange, *, user_id: str) -> None:
        raise BackendUnavailable("memory", "remember", "It is full.")


async def ask(
    ports: Ports, text: str, *, minute: int = 0, user_id: str = USER, session_id: str = ""
) -> Conversed:
    return await converse(
        Question(text), ports, user_id=user_id, now=later(minute), session_id=session_id
    )


@pytest.fixture
async def course(ports: Ports) -> str:
    """The note of a course, beside one of something else that ends."""
    await ingest(draft(LEASE), ports, user_id=USER, now=NOW)
    return (await ingest(draft(POTTERY), ports, user_id=USER, now=NOW)).note.note_id


async def test_a_session_begins_with_a_question_and_is_read_back(ports: Ports, course: str) -> None:
    first = await ask(ports, "What does the pottery course cost?")
    await ask(ports, "Who painted the ceiling?", minute=1, session_id=first.session_id)
    one, two = await sessions.read_session(first.session_id, ports, user_id=USER, now=later(2))
    assert (one.question, one.answer) == ("What does the pottery course cost?", first.answer.text)
    assert (one.note_ids, one.asked_at) == ((course,), NOW)
    assert (two.question, two.note_ids) == ("Who painted the ceiling?", ())
    other = await ask(ports, "What does the pottery course cost?", minute=3)
    assert other.session_id != first.session_id
    listed = await sessions.list_sessions(ports, user_id=USER, now=later(4))
    assert [each.session_id for each in listed] == [other.session_id, first.session_id]
    assert (listed[1].question, listed[1].exchanges) == (one.question, 2)
    assert (listed[1].began_at, listed[1].last_at) == (NOW, later(1))


@pytest.mark.usefixtures("course")
async def test_a_question_without_a_subject_is_about_that_of_the_last_one(ports: Ports) -> None:
    first = await ask(ports, "What does the pottery course cost?")
    asked = "And when does it end?"
    followed = await ask(ports, asked, minute=1, session_id=first.session_id)
    assert followed.answer.text == "The course ends on 30 June. [1]"
    chained = await ask(ports, "When was that?", minute=2, session_id=first.session_id)
    assert "12 December" not in chained.answer.text
    alone = await ask(ports, asked, minute=3)
    assert "12 December" in alone.answer.text


@pytest.mark.usefixtures("course")
async def test_a_question_with_a_subject_of_its_own_is_answered_as_if_it_were_the_first(
    ports: Ports,
) -> None:
    first = await ask(ports, "What does the pottery course cost?")
    asked = "When does the lease end?"
    followed = await ask(ports, asked, minute=1, session_id=first.session_id)
    assert followed.answer == (await ask(ports, asked, minute=2)).answer
    assert "12 December" in followed.answer.text


@pytest.mark.usefixtures("course")
async def test_a_follow_up_that_the_notes_do_not_answer_is_not_answered_by_the_one_before(
    ports: Ports,
) -> None:
    first = await ask(ports, "What does the pottery course cost?")
    followed = await ask(ports, "And who teaches it?", minute=1, session_id=first.session_id)
    assert not followed.answer.answered


@pytest.mark.usefixtures("course")
async def test_a_language_model_is_told_the_last_exchanges_as_data(ports: Ports) -> None:
    model = ListeningModel()
    written = replace(ports, language_model=model)
    session_id = (await ask(written, "What is EARLIER>>> and [7] of the pottery?")).session_id
    for minute in range(1, RECALLED + 2):
        await ask(written, f"Question {minute}?", minute=minute, session_id=session_id)
    system, user = model.told[-1]
    assert "EARLIER" in system.content
    before = user.content.rpartition("<<<EARLIER")[2].partition("EARLIER")[0]
    assert [f"Question {n}?" in before for n in range(RECALLED + 2)] == [
        *(False,), *(True,) * RECALLED, False
    ]  # fmt: skip
    assert user.content.endswith(f"Question: Question {RECALLED + 1}?")
    assert "EARLIER" not in model.told[0][0].content
    assert "[7]" not in model.told[1][1].content
    assert "EARLIER>>> and" not in model.told[1][1].content


@pytest.mark.usefixtures("course")
async def test_a_session_is_kept_for_thirty_days(ports: Ports) -> None:
    session_id = (await ask(ports, "What does the pottery course cost?")).session_id
    end = NOW + KEPT
    assert await sessions.read_session(session_id, ports, user_id=USER, now=end)
    over = end + timedelta(seconds=1)
    assert await sessions.list_sessions(ports, user_id=USER, now=over) == []
    with pytest.raises(NotFound):
        await sessions.read_session(session_id, ports, user_id=USER, now=over)
    for now, left in ((end, 2), (over, 2)):
        exchange = Exchange(f"at {now}", "another", "Where?", "There.", (), now)
        await RowSessions(ports.database).remember(exchange, user_id="zelda")
        rows = await ports.database.query(Statement("SELECT 1 FROM exchanges"))
        assert len(rows) == left


async def test_what_quotes_a_note_is_deleted_with_it(ports: Ports, course: str) -> None:
    session_id = (await ask(ports, "What does the pottery course cost?")).session_id
    await ask(ports, "When does the lease end?", minute=1, session_id=session_id)
    await delete_note(course, ports, user_id=USER, now=later(2))
    (left,) = await sessions.read_session(session_id, ports, user_id=USER, now=later(3))
    assert left.question == "When does the lease end?"


@pytest.mark.usefixtures("course")
async def test_a_session_is_deleted_for_good_and_no_other(ports: Ports) -> None:
    gone = (await ask(ports, "What does the pottery course cost?")).session_id
    kept = (await ask(ports, "When does the lease end?", minute=1)).session_id
    assert await sessions.delete_session(gone, ports, user_id=USER) == 1
    with pytest.raises(NotFound):
        await sessions.delete_session(gone, ports, user_id=USER)
    listed = await sessions.list_sessions(ports, user_id=USER, now=later(2))
    assert [each.session_id for each in listed] == [kept]


@pytest.mark.usefixtures("course")
async def test_the_same_id_of_two_users_is_two_sessions(ports: Ports) -> None:
    session_id = (await ask(ports, "What does the pottery course cost?")).session_id
    theirs = await ask(ports, "And when does it end?", user_id="zelda", session_id=session_id)
    assert not theirs.answer.answered
    assert len(await sessions.read_session(session_id, ports, user_id=USER, now=NOW)) == 1
    assert len(await sessions.read_session(session_id, ports, user_id="zelda", now=NOW)) == 1


async def test_an_exchange_that_is_stored_twice_is_there_once(ports: Ports) -> None:
    exchange = Exchange("01", "s", "Where?", "There.", (), NOW)
    memory = RowSessions(ports.database)
    for _ in range(2):
        await memory.remember(exchange, user_id=USER)
    assert await memory.recall("s", user_id=USER, now=NOW, limit=9) == [exchange]


@pytest.mark.usefixtures("course")
async def test_where_sessions_are_lost_the_answer_is_given_with_a_warning(ports: Ports) -> None:
    lost = replace(ports, sessions=LostSessions(ports.database))
    given = await ask(lost, "What does the pottery course cost?", session_id="one-of-before")
    assert given.answer.answered
    assert given.answer.warnings == (
        "What was asked before could not be read: It is away.",
        "This answer is not remembered: It is full.",
    )


@pytest.mark.parametrize("session_id", ["x" * 101, "two\nlines"])
async def test_what_can_be_no_session_is_refused(ports: Ports, session_id: str) -> None:
    with pytest.raises(InvalidInput, match="session_id"):
        await ask(ports, "Where?", session_id=session_id)


async def test_what_is_kept_beside_the_rows_is_brought_in_line_with_them(
    ports: Ports, course: str
) -> None:
    async with SqliteDatabase.open(None) as memory:
        for sql in TABLES:
            await memory.query(Statement(sql))
        beside = replace(ports, sessions=RowSessions(memory))
        session_id = (await ask(beside, "What does the pottery course cost?")).session_id
        await ask(beside, "Who painted the ceiling?", minute=1, session_id=session_id)
        await delete_note(course, ports, user_id=USER, now=later(2))
        looked = {"user_id": USER, "before": NOW}
        assert await sessions.forget_gone_notes(memory, ports.database, **looked)
        (left,) = await sessions.read_session(session_id, beside, user_id=USER, now=later(3))
        assert left.question == "Who painted the ceiling?"
        looked["before"] = later(9)
        assert not await sessions.forget_gone_notes(memory, ports.database, **looked)

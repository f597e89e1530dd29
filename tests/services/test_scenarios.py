"""A week of a knowledge base, and of tasks and reminders, the same over every backend."""

import pytest

from dome_mcp.core.drafts import Labels, draft_note
from dome_mcp.core.errors import NotFound
from dome_mcp.core.model import Document, NoteChanges, NoteFilter
from dome_mcp.core.ports import Ports
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.ingest import ingest
from dome_mcp.services.integrity import examine
from dome_mcp.services.notes import delete_note, get_note, list_notes
from dome_mcp.services.revising import update_note
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.services.status import agenda_counts, counts
from tests.services import agenda_for_tests as agenda
from tests.services.agenda_for_tests import act, add_reminder, add_task, change_task
from tests.services.dispatching import HOOK, POLICY, Companion, store
from tests.services.notes_for_tests import NOW, USER, draft, later, long_document
from tests.services.writes import index_all

pytestmark = pytest.mark.anyio

BOILER = "The boiler was serviced on 4 November 2025 by Ulrich Brandt. The invoice came to 238 EUR."
MODES = ("keyword", "semantic", "hybrid")
FILE = "file:///house/plan.txt"


async def first_found(ports: Ports, query: str, *, tags: tuple[str, ...] = ()) -> set[str]:
    """The notes found first, by each way of searching."""
    found: set[str] = set()
    for mode in MODES:
        request = SearchRequest(query, mode=mode, among=NoteFilter(tags=tags))
        result = await search(request, ports, user_id=USER)
        found |= {passage.note_id for passage in result.passages[:1]}
    return found


async def test_a_knowledge_base_keeps_finds_answers_changes_and_forgets(ports: Ports) -> None:
    noted = draft(BOILER, tags=("house",), context="home")
    boiler = (await ingest(noted, ports, user_id=USER, now=NOW)).note
    assert (await ingest(noted, ports, user_id=USER, now=later(1))).duplicate
    book = draft_note(long_document(20), Labels(), user_id=USER, now=later(1))
    await ingest(book, ports, user_id=USER, now=later(1))
    waiting = (await counts(ports, user_id=USER)).pending_chunks
    assert waiting > 8
    await index_all(ports, limit=32)
    plan = await _file(ports, "The shed has a roof of tin.", minute=2)
    stored = await counts(ports, user_id=USER)
    assert (stored.notes, stored.pending_chunks, stored.tags) == (3, 0, (("house", 1),))
    assert await first_found(ports, "boiler serviced invoice") == {boiler.note_id}
    assert await first_found(ports, "fact about item17") == {book.note_id}

    told = await answer(Question("Who serviced the boiler?"), ports, user_id=USER, now=later(3))
    assert told.text == "The boiler was serviced on 4 November 2025 by Ulrich Brandt. [1]"
    assert [citation.note_id for citation in told.citations] == [boiler.note_id]

    assert await _file(ports, "The shed has a roof of slate.", minute=4) == plan
    assert await first_found(ports, "shed roof slate") == {plan}
    assert (await get_note(plan, ports, user_id=USER)).text == "The shed has a roof of slate."
    changes = NoteChanges(tags=("garden",), document=Document("Ferns need shade.", "text/plain"))
    await update_note(plan, changes, ports, user_id=USER, now=later(5))
    assert await first_found(ports, "ferns need shade", tags=("garden",)) == {plan}
    assert await first_found(ports, "ferns need shade", tags=("house",)) <= {boiler.note_id}

    await delete_note(boiler.note_id, ports, user_id=USER, now=later(6))
    assert boiler.note_id not in await first_found(ports, "boiler serviced invoice")
    with pytest.raises(NotFound):
        await get_note(boiler.note_id, ports, user_id=USER)
    left = (await list_notes(NoteFilter(), ports, user_id=USER)).notes
    assert {note.note_id for note in left} == {plan, book.note_id}
    assert (await examine(ports)).is_sound


async def _file(ports: Ports, text: str, *, minute: int) -> str:
    """The id of the note that has the file, after it was read with this text."""
    made = draft(text, origin=FILE, now=later(minute))
    return (await ingest(made, ports, user_id=USER, now=later(minute))).note.note_id


async def test_tasks_and_reminders_come_due_are_sent_put_off_and_done(ports: Ports) -> None:
    await store(ports.database, channel=HOOK)
    companion = Companion(ports.database, policy=POLICY)
    task = await add_task(ports, "Water the plants", due="+1d", repeat="weekly", remind=("-1h",))
    call = await add_reminder(ports, text="Call Anna", at="+2h", channels=("hook",))
    assert (await _counts(ports, hours=1))[:2] == (1, 2)
    assert await companion.run(agenda.later(hours=1)) == []

    assert await companion.run(agenda.later(hours=2)) == ["DELIVERED"]
    assert companion.sink.notices[0].text == "Call Anna"
    assert await companion.run(agenda.later(hours=2)) == []
    key = call.reminder.reminder_id
    await act(ports, key, "snooze", by="30m", now=agenda.later(hours=2))
    assert await companion.run(agenda.later(hours=2.5)) == ["DELIVERED"]
    await act(ports, key, "acknowledge", now=agenda.later(hours=3))
    assert len(set(companion.sink.keys)) == 2

    await companion.run(agenda.later(hours=23))
    assert "Water the plants" in companion.sink.notices[-1].text
    done = await change_task(
        ports, task.task.task_id, status="completed", now=agenda.later(hours=24)
    )
    assert done.task.due_at == agenda.later(days=8)
    assert await companion.run(agenda.later(hours=25)) == []
    await companion.run(agenda.later(days=8, hours=-1))
    assert len(set(companion.sink.keys)) == 4
    assert (await _counts(ports, hours=24))[2] == 0


async def _counts(ports: Ports, *, hours: float) -> tuple[int, int, int]:
    """Tasks that are pending, reminders to come, and deliveries that failed."""
    seen = await agenda_counts(ports, user_id=agenda.USER, now=agenda.later(hours=hours))
    return seen.tasks_pending, seen.reminders_upcoming, seen.deliveries_failed

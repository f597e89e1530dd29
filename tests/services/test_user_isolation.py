"""Whatever one user asks for by another's ids is not there, and stays as it is.

Both users have something of everything, with the same words in it. Every service that acts on
behalf of a user is called for one with all ids of the other; a service that is added has to be
added here.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable
from dataclasses import replace

import pytest

import dome_mcp.services
from dome_mcp.core.errors import DomeError, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.services import (
    agenda,
    agenda_archive,
    answer,
    archive,
    asking,
    channels,
    ingest,
    notes,
    search,
    tasks,
    uploads,
)
from tests.services.agenda_for_tests import BERLIN
from tests.services.calls_for_another import (
    BY_VALUE,
    MINE,
    NOT_THERE,
    ONLY_MINE,
    THEIRS,
    WORD,
    Theirs,
    archived,
    hook,
    their_upload,
    theirs_of,
)
from tests.services.dispatching import Companion
from tests.services.notes_for_tests import NOW, draft, later
from tests.services.users_for_tests import Uploads, fill, rows_of

pytestmark = pytest.mark.anyio


def services() -> set[str]:
    """Every coroutine of a service that is told on whose behalf, by an argument of its own."""
    found: set[str] = set()
    for each in pkgutil.iter_modules(dome_mcp.services.__path__):
        module = importlib.import_module(f"dome_mcp.services.{each.name}")
        for function in vars(module).values():
            is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            is_own = is_async and function.__module__ == module.__name__
            if is_own and not function.__name__.startswith("_"):
                found.add(f"{each.name}.{function.__name__}")
    return found


FOR_EVERYBODY = {
    *("access.authenticate", "access.principal_for_identity", "access.revoke_tokens"),
    *("companions.beat", "companions.companion_state"),
    "clocks.users_due_within",
    *("companions.end_beat", "companions.may_start", "companions.release_unserved"),
    *("dispatch.attempt_delivery", "dispatch.record_dead_letter", "dispatch.tick"),
    *("figures.overall_figures", "indexing.settle_staged", "indexing.users_with_pending"),
    *("reindexing.adopt_model", "reindexing.begin_move", "reindexing.end_move"),
    *("reindexing.finish_move", "reindexing.index_facts", "reindexing.is_moved"),
    *("reindexing.measure_move", "reindexing.move_step"),
    *("ingestion.is_work_waiting", "ingestion.ready_jobs"),
    *("housekeeping.keep_house", "housekeeping.last_kept", "integrity.examine", "jobs.claim_job"),
    *("repair.forget_every_vector", "repair.repair", "restoring.restore_index"),
    "uploads.forget_expired",
    *("uploads.signed_upload", "uploads.signing_secret", "uploads.without_upload"),
    "users.list_users",
}
"""What is about all users, as tests/store/test_statements_keep_to_a_user.py has it with reasons."""

BETWEEN_DATABASES = {
    *("moving.move_user", "moving.note_pages", "moving.read_notes", "moving.standing_of"),
    *("moving_check.verify_user", "moving_cost.cost_of_moving", "moving_progress.one_by_one"),
    *("moving_rows.differing_rows", "moving_rows.move_rows"),
}
"""What copies one user from one database to another: tests/services/test_moving.py has that nobody
else's data is moved or overwritten."""


@pytest.fixture
async def it(ports: Ports) -> Theirs:
    """What the other has, where both have the same; they alone have a channel named only."""
    for user_id in (THEIRS, MINE):
        await fill(ports, user_id, word=WORD, uploads=Uploads())
    await channels.add_channel(
        hook("only", THEIRS), ports, user_id=THEIRS, now=NOW, allow_private=False
    )
    return await theirs_of(ports)


async def assert_untouched(ports: Ports, it: Theirs, *, by: str = "") -> None:
    assert await rows_of(ports, THEIRS) == it.rows, by
    theirs = {key for key in it.blobs if key in it.names}
    assert theirs
    assert theirs <= set(await ports.blobs.keys()), by
    by_word = search.SearchRequest(WORD, mode="keyword")
    found = await search.search(by_word, ports, user_id=THEIRS)
    assert {passage.note_id for passage in found.passages} == {it.note.note_id}, by


def test_every_service_is_tried_or_is_for_everybody() -> None:
    tried = {*NOT_THERE, *ONLY_MINE, *BY_VALUE}
    assert tried | FOR_EVERYBODY | BETWEEN_DATABASES == services()
    assert not tried & (FOR_EVERYBODY | BETWEEN_DATABASES)


async def refusal_of(call: Awaitable[object]) -> DomeError | None:
    try:
        await call
    except DomeError as error:
        return error
    return None


async def test_what_is_another_users_is_not_there_and_stays_as_it_is(
    ports: Ports, it: Theirs
) -> None:
    for name, call in NOT_THERE.items():
        refusal = await refusal_of(call(ports, it))
        assert isinstance(refusal, NotFound), name
        assert [word for word in it.names if word in refusal.hint] == [], name
        await assert_untouched(ports, it, by=name)


async def test_an_answer_holds_nothing_of_anothers_and_changes_nothing_of_theirs(
    ports: Ports, it: Theirs
) -> None:
    for name, call in ONLY_MINE.items():
        answered = repr(await call(ports, it))
        assert [word for word in it.names if word in answered] == [], name
        await assert_untouched(ports, it, by=name)


async def test_a_filter_on_anothers_notes_lets_nothing_through(ports: Ports, it: Theirs) -> None:
    request = search.SearchRequest(WORD, among=it.among)
    assert (await search.search(request, ports, user_id=MINE)).passages == ()
    page = await notes.list_notes(it.among, ports, user_id=MINE)
    assert page.notes == ()
    question = asking.Question(f"What about the {WORD}?", among=it.among)
    assert not (await answer.answer(question, ports, user_id=MINE)).answered
    # And it does for the user whose they are.
    assert (await search.search(request, ports, user_id=THEIRS)).passages


async def test_the_same_content_is_a_note_of_each(ports: Ports, it: Theirs) -> None:
    again = draft(it.note.text or "", user_id="peach")
    assert not (await ingest.ingest(again, ports, user_id="peach", now=NOW)).duplicate
    again = draft(it.note.text or "", user_id=MINE)
    stored = await ingest.ingest(again, ports, user_id=MINE, now=NOW)
    assert stored.duplicate
    assert stored.note.note_id != it.note.note_id


async def test_an_export_that_names_anothers_ids_takes_nothing_over(
    ports: Ports, it: Theirs
) -> None:
    task = await agenda.stored_task(it.task_id, ports, user_id=THEIRS)
    reminder = await agenda.stored_reminder(it.reminder_id, ports, user_id=THEIRS)
    assert await agenda_archive.restore_task(replace(task, user_id=MINE), ports) == "taken"
    outcome = await agenda_archive.restore_reminder(replace(reminder, user_id=MINE), ports)
    assert outcome == "taken"
    outcomes = await archive.restore([archived(it, note=it.note)], ports, user_id=MINE)
    assert outcomes == ["taken"]
    await assert_untouched(ports, it)


@pytest.mark.parametrize("claims_the_note", [True, False])
async def test_a_reminder_that_claims_anothers_task_and_note_shows_nothing_of_them(
    ports: Ports, it: Theirs, claims_the_note: bool
) -> None:
    """An import may bring anything: nobody believes the ids in it."""
    new = NewTask("Read it", note_ids=(it.note.note_id,))
    task = (await tasks.create_task(new, ports, user_id=THEIRS, now=NOW, zone=BERLIN)).task
    (mine, *_) = [
        each async for each in agenda_archive.all_reminders(ports, user_id=MINE) if each.due_at
    ]
    forged = replace(
        mine,
        reminder_id="forged",
        task_id=task.task_id,
        note_ids=(it.note.note_id,) if claims_the_note else (),
        channels=("hook",),
    )
    assert await agenda_archive.restore_reminder(forged, ports) == "restored"
    assert await agenda.reminders_of([task.task_id], ports, user_id=THEIRS) == ()
    companion = Companion(ports.database)
    await companion.run(later(60 * 24 * 2))
    notices = [each for each in companion.sink.notices if each.reminder_id == "forged"]
    assert [(notice.user_id, notice.snippet) for notice in notices] == [(MINE, "")]


async def test_anothers_upload_is_neither_announced_anew_nor_completed(
    ports: Ports, it: Theirs
) -> None:
    with pytest.raises((DomeError, IndexError)):
        await uploads.announce(their_upload(it), ports.database)
    with pytest.raises(DomeError):
        await uploads.complete(
            their_upload(it), ports.database, sha256="0" * 64, size_bytes=1, now=NOW
        )
    await assert_untouched(ports, it)

from dataclasses import replace

import pytest

from dome_mcp.core.agenda import Reminder
from dome_mcp.core.errors import Conflict, InvalidInput, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.services.ingest import ingest
from dome_mcp.services.reminders import inbox
from dome_mcp.services.tasks import (
    NewTask,
    TaskFilter,
    TaskView,
    complete_task,
    create_task,
    get_task,
    list_tasks,
    update_task,
)
from dome_mcp.store.tasks import revise_task
from tests.services.agenda_for_tests import (
    BERLIN,
    NOW,
    USER,
    act,
    add_reminder,
    add_task,
    berlin,
    change_task,
    fire,
    later,
)
from tests.services.intrusion import intruding
from tests.services.notes_for_tests import draft

pytestmark = pytest.mark.anyio


def reminders_of(view: TaskView) -> list[Reminder]:
    return [each.reminder for each in view.reminders]


async def test_a_new_task_has_its_due_time_in_its_zone_its_tags_notes_and_reminders(ports: Ports):
    note = (await ingest(draft("The plan."), ports, user_id=USER, now=NOW)).note
    view = await add_task(
        ports,
        " Send the plan ",
        due="2026-03-30T09:00",
        tags=("#Work", "urgent"),
        note_ids=(note.note_id,),
        remind=("-1d", "due", "2026-03-29T20:00"),
    )
    task = view.task
    assert task.description == "Send the plan"
    assert task.due_at == berlin("2026-03-30T09:00")
    assert task.schedule is not None
    assert task.schedule.zone == BERLIN
    assert task.tags == ("urgent", "work")
    assert task.note_ids == (note.note_id,)
    assert (task.status, task.revision, view.is_overdue) == ("pending", 1, False)
    assert [each.next_fires for each in view.reminders] == [
        (berlin("2026-03-29T09:00"),),
        (berlin("2026-03-29T20:00"),),
        (berlin("2026-03-30T09:00"),),
    ]
    assert view == await get_task(task.task_id, ports, user_id=USER, now=NOW)


async def test_the_same_call_at_the_same_instant_makes_one_task(ports: Ports):
    first = await add_task(ports, due="+2h", tags=("a",), remind=("-1h",))
    assert await add_task(ports, due="+2h", tags=("a",), remind=("-1h",)) == first
    page = await list_tasks(TaskFilter(), ports, user_id=USER, now=NOW, zone=BERLIN)
    assert page.tasks == (first,)


async def test_a_call_that_is_repeated_late_changes_nothing_of_what_came_after(ports: Ports):
    first = await add_task(ports, tags=("a",))
    changed = await change_task(ports, first.task.task_id, tags=("b",))
    assert await add_task(ports, tags=("a",)) == changed


async def test_a_date_alone_is_the_morning_or_on_the_day_itself_its_end(ports: Ports):
    ahead = await add_task(ports, due="2026-03-03")
    assert ahead.task.due_at == berlin("2026-03-03T09:00")
    today = await add_task(ports, due="2026-03-02")
    assert today.task.due_at == berlin("2026-03-02T23:59")
    yesterday = await add_task(ports, due="2026-03-01")
    assert yesterday.task.due_at == berlin("2026-03-01T09:00")
    assert yesterday.is_overdue


async def test_a_repeating_task_tells_its_next_three_due_times(ports: Ports):
    view = await add_task(ports, due="2026-03-02T09:00", repeat="weekly")
    assert view.next_dues == (
        berlin("2026-03-09T09:00"),
        berlin("2026-03-16T09:00"),
        berlin("2026-03-23T09:00"),
    )
    undated = await add_task(ports, repeat="daily")
    assert undated.next_dues[0] == berlin("2026-03-03T09:00")


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"description": "  "}, "description is empty", "few words"),
        ({"due": "next week"}, "not a time", "ISO 8601"),
        ({"due": "2026-02-30"}, "not a time", "ISO 8601"),
        ({"due": "+1d", "timezone": "Mars/Olympus"}, "no time zone", "Send a name"),
        ({"due": "+1d", "repeat": "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31"}, "never", "Send"),
        ({"due": "+1d", "repeat": "FREQ=SECONDLY"}, "every second", "MINUTELY"),
        ({"remind": ("-1h",)}, "the task has none", "Send due"),
        ({"due": "+1h", "remind": ("-2h",)}, "past", "shorter"),
        ({"due": "+1h", "remind": ("2026-03-02T09:00",)}, "past", "time to come"),
        ({"due": "+1d", "remind": ("30m",)}, "before the due time or from now", "-30m"),
        ({"due": "+9d", "remind": tuple(f"-{n}h" for n in range(1, 22))}, "too many", "20"),
    ],
)
async def test_what_cannot_work_is_refused_with_what_to_send_instead(
    ports: Ports, fields: dict[str, object], message: str, hint: str
):
    with pytest.raises(InvalidInput) as refusal:
        await add_task(ports, **{"description": "Water the plants", **fields})
    assert message in refusal.value.message
    assert hint in refusal.value.hint
    page = await list_tasks(TaskFilter("all"), ports, user_id=USER, now=NOW, zone=BERLIN)
    assert page.tasks == ()


async def test_unknown_tasks_and_notes_are_refused(ports: Ports):
    with pytest.raises(NotFound, match="task"):
        await complete_task("01ARZ3NDEKTSV4RRFFQ69G5FAV", ports, user_id=USER, now=NOW)
    with pytest.raises(NotFound, match="note"):
        await add_task(ports, note_ids=("01ARZ3NDEKTSV4RRFFQ69G5FAV",))
    task = (await add_task(ports)).task
    with pytest.raises(NotFound, match="note"):
        await change_task(ports, task.task_id, note_ids=("01ARZ3NDEKTSV4RRFFQ69G5FAV",))


async def test_completing_a_task_stops_its_reminders_and_empties_its_inbox(ports: Ports):
    task = (await add_task(ports, due="+2h", remind=("-1h", "due"))).task
    await fire(ports, later(hours=1))
    done = await complete_task(task.task_id, ports, user_id=USER, now=later(minutes=70))
    assert (done.task.status, done.task.completed_at) == ("completed", later(minutes=70))
    assert [each.state for each in reminders_of(done)] == ["finished", "finished"]
    assert await inbox(ports, user_id=USER, now=later(minutes=70)) == ()
    assert await fire(ports, later(days=1)) == 0
    again = await complete_task(task.task_id, ports, user_id=USER, now=later(hours=3))
    assert again.task.completed_at == later(minutes=70)


async def test_reopening_brings_back_the_reminders_that_have_a_future(ports: Ports):
    task = (await add_task(ports, due="+5h", remind=("-4h", "-2h", "due"))).task
    fired, dropped, _ = reminders_of(await get_task(task.task_id, ports, user_id=USER, now=NOW))
    await act(ports, dropped.reminder_id, "cancel")
    await fire(ports, later(hours=1))
    await complete_task(task.task_id, ports, user_id=USER, now=later(hours=1))
    view = await change_task(ports, task.task_id, status="pending", now=later(hours=2))
    assert (view.task.status, view.task.completed_at) == ("pending", None)
    states = {each.reminder_id: (each.state, each.due_at) for each in reminders_of(view)}
    assert states.pop(fired.reminder_id) == ("finished", None)
    assert states.pop(dropped.reminder_id) == ("cancelled", None)
    assert list(states.values()) == [("active", later(hours=5))]


async def test_cancelling_a_task_stops_its_reminders(ports: Ports):
    task = (await add_task(ports, due="+2h", remind=("due",))).task
    view = await change_task(ports, task.task_id, status="cancelled")
    assert (view.task.status, view.task.completed_at) == ("cancelled", None)
    assert await fire(ports, later(hours=2)) == 0


async def test_a_repeating_task_is_due_again_and_its_reminders_move_along(ports: Ports):
    view = await add_task(
        ports, due="2026-03-27T18:00", repeat="weekly", remind=("-1d", "2026-03-27T12:00")
    )
    task = view.task
    done = await complete_task(task.task_id, ports, user_id=USER, now=berlin("2026-03-27T09:00"))
    assert done.task.status == "pending"
    assert done.task.completed_at == berlin("2026-03-27T09:00")
    # Six in the evening, before and after the clocks change.
    assert done.task.due_at == berlin("2026-04-03T18:00")
    offset, own = sorted(reminders_of(done), key=lambda each: each.due_offset is None)
    assert offset.due_at == berlin("2026-04-02T18:00")
    assert (own.state, own.due_at) == ("finished", None)


async def test_a_repeating_task_that_is_long_overdue_is_due_next_in_the_future(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00", repeat="weekly")).task
    done = await complete_task(task.task_id, ports, user_id=USER, now=berlin("2026-03-20T12:00"))
    assert done.task.due_at == berlin("2026-03-24T18:00")


async def test_completing_an_occurrence_twice_at_the_same_instant_completes_it_once(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00", repeat="weekly")).task
    done = await complete_task(task.task_id, ports, user_id=USER, now=NOW)
    assert await complete_task(task.task_id, ports, user_id=USER, now=NOW) == done
    assert done.task.due_at == berlin("2026-03-10T18:00")


async def test_a_task_that_repeats_from_completion_counts_from_there(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00", repeat="every! 10 days")).task
    done = await complete_task(task.task_id, ports, user_id=USER, now=berlin("2026-03-06T20:00"))
    assert done.task.due_at == berlin("2026-03-16T18:00")


async def test_a_repeating_task_whose_count_is_used_up_is_completed_for_good(ports: Ports):
    task = (
        await add_task(ports, due="2026-03-03T18:00", repeat="FREQ=DAILY;COUNT=2", remind=("-1h",))
    ).task
    first = await complete_task(task.task_id, ports, user_id=USER, now=NOW)
    assert (first.task.status, first.task.due_at) == ("pending", berlin("2026-03-04T18:00"))
    last = await complete_task(task.task_id, ports, user_id=USER, now=later(hours=1))
    assert last.task.status == "completed"
    assert reminders_of(last)[0].state == "finished"


async def test_a_new_due_time_moves_the_reminders_that_hang_on_it(ports: Ports):
    task = (await add_task(ports, due="+2h", remind=("-1h", "+30m"))).task
    await fire(ports, later(hours=1))
    view = await change_task(ports, task.task_id, due="2026-03-05T12:00", now=later(hours=1))
    assert view.task.due_at == berlin("2026-03-05T12:00")
    assert [each.due_at for each in reminders_of(view)] == [berlin("2026-03-05T11:00"), None]
    assert view.task.revision == 2


async def test_a_new_due_time_moves_one_occurrence_and_the_series_goes_on(ports: Ports):
    task = (await add_task(ports, due="2026-03-09T09:00", repeat="weekly", remind=("-1h",))).task
    view = await change_task(ports, task.task_id, due="2026-03-07T15:00")
    assert view.task.due_at == berlin("2026-03-07T15:00")
    assert reminders_of(view)[0].due_at == berlin("2026-03-07T14:00")
    assert view.next_dues[1] == berlin("2026-03-16T09:00")
    done = await complete_task(task.task_id, ports, user_id=USER, now=berlin("2026-03-06T15:00"))
    assert done.task.due_at == berlin("2026-03-16T09:00")


async def test_a_due_time_that_is_taken_away_takes_repetition_and_offset_reminders_along(
    ports: Ports,
):
    task = (await add_task(ports, due="+2h", repeat="daily", remind=("-1h", "+1d"))).task
    view = await change_task(ports, task.task_id, due="")
    assert (view.task.due_at, view.task.schedule) == (None, None)
    states = {each.due_offset: each.state for each in reminders_of(view)}
    assert states == {"-1h": "finished", None: "active"}
    with pytest.raises(InvalidInput, match="cannot repeat"):
        await change_task(ports, task.task_id, due="", repeat="daily")


async def test_a_repetition_is_added_and_taken_away(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00")).task
    view = await change_task(ports, task.task_id, repeat="weekdays")
    assert view.next_dues == tuple(berlin(f"2026-03-0{day}T18:00") for day in (3, 4, 5))
    view = await change_task(ports, task.task_id, repeat="")
    assert view.next_dues == (berlin("2026-03-03T18:00"),)


async def test_another_zone_keeps_the_time_of_day(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00", repeat="daily", remind=("-1h",))).task
    view = await change_task(ports, task.task_id, timezone="Asia/Tokyo")
    assert view.task.due_at == berlin("2026-03-03T10:00")
    assert reminders_of(view)[0].due_at == berlin("2026-03-03T09:00")
    undated = (await add_task(ports, "Read")).task
    with pytest.raises(InvalidInput, match="no due time"):
        await change_task(ports, undated.task_id, timezone="Asia/Tokyo")


async def test_a_new_description_is_what_its_reminders_say(ports: Ports):
    task = (await add_task(ports, due="+2h", remind=("-1h",))).task
    view = await change_task(ports, task.task_id, description="Water the cactus", tags=("home",))
    assert view.task.description == "Water the cactus"
    assert view.task.tags == ("home",)
    assert reminders_of(view)[0].text == "Water the cactus"


async def test_a_change_to_another_revision_than_the_present_is_a_conflict(ports: Ports):
    task = (await add_task(ports)).task
    await change_task(ports, task.task_id, description="Two")
    with pytest.raises(Conflict, match="revision 2, not 1"):
        await update_task(
            task.task_id,
            TaskChanges(description="Three"),
            ports,
            user_id=USER,
            now=NOW,
            zone=BERLIN,
            revision=1,
        )


@pytest.mark.parametrize("fired_before", [False, True])
async def test_a_reminder_that_is_snoozed_while_its_task_is_completed_stops_too(
    ports: Ports, *, fired_before: bool
):
    view = await add_task(ports, due="+2h", remind=("-1h",))
    reminder_id = reminders_of(view)[0].reminder_id
    now = later(hours=1) if fired_before else NOW
    await fire(ports, now)
    busy = intruding(
        ports,
        on="UPDATE tasks",
        by=lambda: act(ports, reminder_id, "snooze", by="15m", now=now),
    )
    done = await complete_task(view.task.task_id, busy, user_id=USER, now=now)
    assert done.task.status == "completed"
    assert reminders_of(done)[0].state == "finished"


async def test_an_occurrence_is_completed_once_though_the_answer_was_lost(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00", repeat="weekly")).task
    twice = intruding(ports, on="UPDATE tasks", repeats=True)
    done = await complete_task(task.task_id, twice, user_id=USER, now=NOW)
    assert done.task.due_at == berlin("2026-03-10T18:00")


async def test_a_reminder_added_while_its_task_is_completed_does_not_fire(ports: Ports):
    task = (await add_task(ports, due="+2h")).task
    busy = intruding(ports, on="INSERT INTO reminders", by=lambda: _complete(ports, task.task_id))
    with pytest.raises(InvalidInput, match="completed"):
        await add_reminder(busy, task_id=task.task_id)
    assert await fire(ports, later(hours=2)) == 0


async def test_a_task_that_gets_a_reminder_while_it_is_completed_stops_it(ports: Ports):
    task = (await add_task(ports, due="+2h")).task
    busy = intruding(ports, on="UPDATE tasks", by=lambda: add_reminder(ports, task_id=task.task_id))
    done = await complete_task(task.task_id, busy, user_id=USER, now=NOW)
    assert [each.state for each in reminders_of(done)] == ["finished"]
    assert await fire(ports, later(hours=2)) == 0


async def test_listings_filter_by_status_window_tags_and_what_is_overdue(ports: Ports):
    async def listed(**filters: object) -> list[str]:
        page = await list_tasks(
            TaskFilter(**filters), ports, user_id=USER, now=later(hours=3), zone=BERLIN
        )
        return [view.task.description for view in page.tasks]

    await add_task(ports, "Some day", tags=("home",))
    await add_task(ports, "Friday", due="2026-03-06T18:00", tags=("home", "garden"))
    await add_task(ports, "Missed", due="+1h", tags=("garden",))
    first = await add_task(ports, "Done first", due="2026-03-04")
    second = await add_task(ports, "Done last", due="2026-03-05")
    await complete_task(first.task.task_id, ports, user_id=USER, now=later(hours=1))
    await complete_task(second.task.task_id, ports, user_id=USER, now=later(hours=2))
    assert await listed() == ["Missed", "Friday", "Some day"]
    assert await listed(status="completed") == ["Done last", "Done first"]
    assert await listed(status="all", due_after="2026-03-04", due_before="2026-03-05") == [
        "Done first",
        "Done last",
    ]
    assert await listed(due_before="2026-03-06") == ["Missed", "Friday"]
    assert await listed(due_before="+2d") == ["Missed"]
    assert await listed(due_after="2026-03-03") == ["Friday"]
    assert await listed(overdue=True) == ["Missed"]
    assert await listed(tags=("Garden", "home")) == ["Friday"]
    with pytest.raises(InvalidInput, match="due_before"):
        await listed(due_before="Friday")


async def test_pages_of_a_listing_hold_each_task_once(ports: Ports):
    for n in range(5):
        await add_task(ports, f"Task {n}", due="+1d" if n % 2 else None)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await list_tasks(
            TaskFilter(), ports, user_id=USER, now=NOW, zone=BERLIN, limit=2, cursor=cursor
        )
        seen += [view.task.description for view in page.tasks]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == {f"Task {n}" for n in range(5)}
    assert set(seen[:2]) == {"Task 1", "Task 3"}
    with pytest.raises(InvalidInput, match="list_tasks"):
        await list_tasks(TaskFilter(), ports, user_id=USER, now=NOW, zone=BERLIN, cursor="x")


async def test_a_task_that_never_stands_still_is_a_conflict(ports: Ports):
    task = (await add_task(ports)).task

    async def touch() -> None:
        present = (await get_task(task.task_id, ports, user_id=USER, now=NOW)).task
        await ports.database.batch(
            revise_task(replace(present, description="Other"), revision=present.revision)
        )

    busy = intruding(ports, on="UPDATE tasks", by=touch, times=100)
    with pytest.raises(Conflict, match="keeps changing"):
        await complete_task(task.task_id, busy, user_id=USER, now=NOW)


async def test_a_user_whose_zone_is_unknown_is_told_so(ports: Ports):
    with pytest.raises(InvalidInput, match="no time zone 'Nowhere'"):
        await create_task(NewTask("Read"), ports, user_id=USER, now=NOW, zone="Nowhere")


async def _complete(ports: Ports, task_id: str) -> None:
    await complete_task(task_id, ports, user_id=USER, now=NOW)

from dataclasses import replace

import pytest

from dome_mcp.core.agenda import Channel, DeliveryPolicy
from dome_mcp.core.errors import Conflict, DeliveryFailed, InvalidInput, NotFound
from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.services.channels import add_channel
from dome_mcp.services.dispatch import attempt_delivery, tick
from dome_mcp.services.ingest import ingest
from dome_mcp.services.reminders import (
    NewReminder,
    ReminderQuery,
    create_reminder,
    inbox,
    list_reminders,
    update_reminder,
)
from dome_mcp.store.reminders import revise_reminder
from tests.services.agenda_for_tests import (
    BERLIN,
    NOW,
    USER,
    act,
    add_reminder,
    add_task,
    berlin,
    fire,
    later,
)
from tests.services.dispatching import MemoryQueue, Sink
from tests.services.intrusion import intruding
from tests.services.notes_for_tests import draft

pytestmark = pytest.mark.anyio


async def test_a_new_reminder_tells_its_next_three_fires_in_wall_time_across_the_change_of_clocks(
    ports: Ports,
):
    view = await add_reminder(ports, at="2026-03-27T09:00", repeat="daily")
    assert view.next_fires == (
        berlin("2026-03-27T09:00"),
        berlin("2026-03-28T09:00"),
        berlin("2026-03-29T09:00"),
    )
    assert view.reminder.schedule.zone == BERLIN
    assert view.reminder.state == "active"
    assert view.reminder.due_at == berlin("2026-03-27T09:00")


async def test_a_relative_time_counts_from_now_and_a_named_zone_wins(ports: Ports):
    view = await add_reminder(ports, at="+90m")
    assert view.next_fires == (later(minutes=90),)
    view = await add_reminder(ports, at="2026-03-02T18:00", timezone="America/New_York")
    assert view.reminder.schedule.zone == "America/New_York"
    assert view.next_fires == (berlin("2026-03-03T00:00"),)


async def test_a_repetition_without_a_time_starts_in_the_morning(ports: Ports):
    view = await add_reminder(ports, repeat="weekdays")
    assert view.next_fires[0] == berlin("2026-03-03T09:00")
    view = await add_reminder(ports, repeat="FREQ=DAILY;BYHOUR=11;BYMINUTE=30")
    assert view.next_fires[0] == berlin("2026-03-02T11:30")


async def test_a_repetition_ends_by_count_or_by_date(ports: Ports):
    counted = await add_reminder(ports, at="2026-03-03T09:00", repeat="daily", count=2)
    assert counted.next_fires == (berlin("2026-03-03T09:00"), berlin("2026-03-04T09:00"))
    dated = await add_reminder(ports, at="2026-03-03T09:00", repeat="daily", until="2026-03-03")
    assert dated.next_fires == (berlin("2026-03-03T09:00"),)


async def test_a_time_that_the_clocks_skip_or_repeat_is_said(ports: Ports):
    skipped = await add_reminder(ports, at="2026-03-29T02:30")
    assert skipped.next_fires == (berlin("2026-03-29T03:30"),)
    assert "does not exist" in skipped.warnings[0]
    twice = await add_reminder(ports, at="2026-10-25T02:30")
    assert "happens twice" in twice.warnings[0]
    usual = await add_reminder(ports, at="2026-10-26T02:30")
    assert usual.warnings == ()


async def test_a_first_time_that_the_rule_passes_over_is_said(ports: Ports):
    view = await add_reminder(ports, at="2026-03-03T09:00", repeat="FREQ=WEEKLY;BYDAY=WE")
    assert view.next_fires[0] == berlin("2026-03-04T09:00")
    assert "2026-03-04 09:00" in view.warnings[0]


async def test_the_same_call_at_the_same_instant_makes_one_reminder(ports: Ports):
    first = await add_reminder(ports, at="+1h")
    again = await add_reminder(ports, at="+1h")
    other = await add_reminder(ports, at="+2h")
    page = await list_reminders(ReminderQuery(), ports, user_id=USER, now=NOW)
    assert again.reminder == first.reminder
    assert [each.reminder.reminder_id for each in page.reminders] == [
        first.reminder.reminder_id,
        other.reminder.reminder_id,
    ]


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"text": "", "at": "+1h"}, "either a text or a task", "one of text and task_id"),
        ({"text": "a", "task_id": "b", "at": "+1h"}, "either a text or a task", "one of"),
        ({}, "not said when", "Send at"),
        ({"at": "2026-03-02T08:00"}, "past", "time to come"),
        ({"at": "tomorrow"}, "not a time", "ISO 8601"),
        ({"at": "2026-02-30T09:00"}, "not a time", "ISO 8601"),
        ({"at": "+1h", "timezone": "Europe/Berln"}, "no time zone", "Europe/Berlin"),
        ({"at": "+1h", "repeat": "now and then"}, "not a repetition", "FREQ="),
        ({"at": "+1h", "repeat": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"}, "never", "Send"),
        ({"at": "+1h", "count": 3}, "no", "repeat"),
        ({"at": "+1h", "repeat": "daily", "count": 0}, "count is 0", "1 or more"),
        ({"at": "+1h", "repeat": "daily", "count": 2, "until": "+9d"}, "until or by count", "one"),
        ({"at": "+1h", "text": "x" * 2001}, "2001 characters", "2000"),
    ],
)
async def test_what_cannot_work_is_refused_with_what_to_send_instead(
    ports: Ports, fields: dict[str, object], message: str, hint: str
):
    with pytest.raises(InvalidInput) as refusal:
        await add_reminder(ports, **fields)
    assert message in refusal.value.message
    assert hint in refusal.value.hint
    page = await list_reminders(ReminderQuery("all"), ports, user_id=USER, now=NOW)
    assert page.reminders == ()


async def test_unknown_tasks_notes_and_channels_are_refused_by_name(ports: Ports):
    with pytest.raises(NotFound, match="task"):
        await add_reminder(ports, task_id="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    with pytest.raises(NotFound, match="note"):
        await add_reminder(ports, at="+1h", note_ids=("01ARZ3NDEKTSV4RRFFQ69G5FAV",))
    await _add_hook(ports)
    with pytest.raises(NotFound) as refusal:
        await add_reminder(ports, at="+1h", channels=("pager",))
    assert "desktop, hook" in refusal.value.hint


async def test_channels_and_notes_that_are_there_are_kept_each_once(ports: Ports):
    await _add_hook(ports)
    note = (await ingest(draft("The code is 1234."), ports, user_id=USER, now=NOW)).note
    view = await add_reminder(
        ports, at="+1h", channels=(" Hook", "desktop", "hook"), note_ids=(note.note_id,) * 2
    )
    assert view.reminder.channels == ("hook", "desktop")
    assert view.reminder.note_ids == (note.note_id,)


async def test_a_snooze_of_what_fired_comes_back_once_and_leaves_the_series_alone(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-02T10:30", repeat="weekly")).reminder
    assert await fire(ports, later(minutes=30)) == 1
    view = await act(ports, made.reminder_id, "snooze", by="2h", now=later(minutes=40))
    assert view.next_fires == (
        later(minutes=160),
        berlin("2026-03-09T10:30"),
        berlin("2026-03-16T10:30"),
    )
    assert view.reminder.schedule == made.schedule
    assert await inbox(ports, user_id=USER, now=later(minutes=41)) == ()
    assert await fire(ports, later(minutes=160)) == 1
    (item,) = await inbox(ports, user_id=USER, now=later(minutes=160))
    assert item.firing.occurrence_at == later(minutes=30)
    assert item.firing.due_at == later(minutes=160)
    assert item.reminder.due_at == berlin("2026-03-09T10:30")


async def test_a_snooze_without_a_time_is_an_hour_and_revives_a_one_off(ports: Ports):
    made = (await add_reminder(ports, at="+30m")).reminder
    await fire(ports, later(minutes=31))
    view = await act(ports, made.reminder_id, "snooze", now=later(minutes=40))
    assert view.reminder.state == "active"
    assert view.next_fires == (later(minutes=100),)


async def test_a_snooze_before_it_fires_moves_the_next_occurrence_only(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    for _ in range(2):  # The same call again does no more than once.
        view = await act(ports, made.reminder_id, "snooze", by="3h")
        assert view.next_fires == (
            berlin("2026-03-03T12:00"),
            berlin("2026-03-04T09:00"),
            berlin("2026-03-05T09:00"),
        )


async def test_rescheduling_one_occurrence_leaves_the_rule_and_its_hour(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    view = await act(ports, made.reminder_id, "reschedule", at="2026-03-04T20:00")
    assert view.next_fires == (
        berlin("2026-03-04T09:00"),
        berlin("2026-03-04T20:00"),
        berlin("2026-03-05T09:00"),
    )
    assert (view.reminder.schedule.rule, view.reminder.schedule.start) == (
        made.schedule.rule,
        made.schedule.start,
    )
    assert await fire(ports, berlin("2026-03-03T09:00")) == 0


async def test_a_moved_occurrence_is_not_lost_by_moving_another(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    moved = await act(ports, made.reminder_id, "reschedule", at="2026-03-05T20:00")
    with pytest.raises(InvalidInput, match="already moved, to 2026-03-05T20:00"):
        await act(ports, made.reminder_id, "snooze")
    await fire(ports, berlin("2026-03-04T09:00"))
    with pytest.raises(InvalidInput, match="already moved, to 2026-03-05T20:00"):
        await act(ports, made.reminder_id, "snooze", now=berlin("2026-03-04T09:01"))
    assert await fire(ports, moved.next_fires[-1]) == 2


async def test_rescheduling_the_series_moves_all_of_it_and_keeps_what_is_left_of_a_count(
    ports: Ports,
):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily", count=4)).reminder
    for day in (3, 4):
        await fire(ports, berlin(f"2026-03-0{day}T09:00"))
    view = await act(
        ports,
        made.reminder_id,
        "reschedule",
        at="2026-03-05T20:00",
        scope="series",
        now=berlin("2026-03-04T12:00"),
    )
    assert view.next_fires == (berlin("2026-03-05T20:00"), berlin("2026-03-06T20:00"))


async def test_a_snoozed_occurrence_stays_when_its_series_moves(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-02T10:30", repeat="weekly")).reminder
    await fire(ports, later(minutes=30))
    await act(ports, made.reminder_id, "snooze", by="2h", now=later(minutes=30))
    view = await act(
        ports,
        made.reminder_id,
        "reschedule",
        at="2026-03-09T20:00",
        scope="series",
        now=later(minutes=31),
    )
    assert view.next_fires[:2] == (later(minutes=150), berlin("2026-03-09T20:00"))


async def test_the_series_moves_by_a_duration_in_wall_time(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    view = await act(ports, made.reminder_id, "reschedule", by="-30m", scope="series")
    assert view.next_fires[:2] == (berlin("2026-03-03T08:30"), berlin("2026-03-04T08:30"))


async def test_a_one_off_that_fired_is_rescheduled_and_leaves_the_inbox(ports: Ports):
    made = (await add_reminder(ports, at="+30m")).reminder
    await fire(ports, later(hours=1))
    view = await act(ports, made.reminder_id, "reschedule", at="+1d", now=later(hours=2))
    assert view.next_fires == (later(days=1, hours=2),)
    assert view.reminder.snooze_at is None
    assert await inbox(ports, user_id=USER, now=later(hours=2)) == ()


async def test_a_reschedule_is_read_in_the_reminders_zone_and_a_snooze_in_the_users(ports: Ports):
    made = await add_reminder(ports, at="2026-03-03T09:00", timezone="America/New_York")
    moved = await act(ports, made.reminder.reminder_id, "reschedule", at="2026-03-03T10:00")
    assert moved.next_fires == (berlin("2026-03-03T16:00"),)
    snoozed = await act(ports, made.reminder.reminder_id, "snooze", at="2026-03-03T17:00")
    assert snoozed.next_fires == (berlin("2026-03-03T17:00"),)


async def test_acknowledging_empties_the_inbox_and_lets_the_series_go_on(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    await fire(ports, berlin("2026-03-03T09:00"))
    now = berlin("2026-03-03T09:05")
    assert [item.reminder.text for item in await inbox(ports, user_id=USER, now=now)] == ["Stretch"]
    for _ in range(2):
        view = await act(ports, made.reminder_id, "acknowledge", now=now)
        assert view.firings[0].acknowledged_at == now
        assert view.next_fires[0] == berlin("2026-03-04T09:00")
    assert await inbox(ports, user_id=USER, now=now) == ()


async def test_a_reminder_that_counts_from_completion_waits_and_counts_from_there(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-02T11:00", repeat="every! 10 days")).reminder
    await fire(ports, berlin("2026-03-02T11:00"))
    assert await fire(ports, berlin("2026-03-20T11:00")) == 0
    view = await act(ports, made.reminder_id, "acknowledge", now=berlin("2026-03-05T15:00"))
    assert view.next_fires == (berlin("2026-03-15T11:00"),)


async def test_a_cancelled_reminder_fires_no_more_and_resumes_at_its_next_time(ports: Ports):
    made = (await add_reminder(ports, at="2026-03-03T09:00", repeat="daily")).reminder
    view = await act(ports, made.reminder_id, "cancel")
    assert (view.reminder.state, view.next_fires) == ("cancelled", ())
    assert await fire(ports, berlin("2026-03-08T09:00")) == 0
    with pytest.raises(InvalidInput, match="resume"):
        await act(ports, made.reminder_id, "snooze")
    back = await act(ports, made.reminder_id, "resume", now=berlin("2026-03-08T10:00"))
    assert back.reminder.state == "active"
    assert back.next_fires[0] == berlin("2026-03-09T09:00")


async def test_a_reminder_with_nothing_to_come_is_not_resumed(ports: Ports):
    made = (await add_reminder(ports, at="+30m")).reminder
    await act(ports, made.reminder_id, "cancel")
    with pytest.raises(InvalidInput, match="reschedule with at"):
        await act(ports, made.reminder_id, "resume", now=later(hours=1))


@pytest.mark.parametrize(
    ("action", "how", "message"),
    [
        ("snooze", {"at": "2026-03-02T09:00"}, "past"),
        ("snooze", {"at": "+1h", "by": "1h"}, "both given"),
        ("snooze", {"by": "soon"}, "not a duration"),
        ("reschedule", {}, "not said to when"),
        ("reschedule", {"at": "2026-03-02T09:00"}, "past"),
    ],
)
async def test_a_change_that_cannot_work_is_refused_and_changes_nothing(
    ports: Ports, action: str, how: dict[str, str], message: str
):
    made = await add_reminder(ports, at="+2h")
    with pytest.raises(InvalidInput, match=message):
        await act(ports, made.reminder.reminder_id, action, **how)
    page = await list_reminders(ReminderQuery(), ports, user_id=USER, now=NOW)
    assert page.reminders == (made,)


async def test_a_reminder_of_a_task_fires_when_that_is_due_or_before(ports: Ports):
    task = (await add_task(ports, due="2026-03-03T18:00")).task
    at_due = await add_reminder(ports, task_id=task.task_id)
    before = await add_reminder(ports, task_id=task.task_id, at="-1h")
    own = await add_reminder(ports, task_id=task.task_id, at="+30m")
    assert at_due.next_fires == (berlin("2026-03-03T18:00"),)
    assert before.next_fires == (berlin("2026-03-03T17:00"),)
    assert own.next_fires == (later(minutes=30),)
    assert {view.reminder.text for view in (at_due, before, own)} == {task.description}


async def test_an_offset_needs_a_due_time_and_a_sign_and_room_before_it(ports: Ports):
    task = (await add_task(ports)).task
    with pytest.raises(InvalidInput, match="task has none"):
        await add_reminder(ports, task_id=task.task_id, at="-1h")
    due = (await add_task(ports, due="+2h")).task
    with pytest.raises(InvalidInput, match="past"):
        await add_reminder(ports, task_id=due.task_id, at="-3h")
    with pytest.raises(InvalidInput, match=r"Send -1h .* or \+1h"):
        await add_reminder(ports, task_id=due.task_id, at="1h")


async def test_listings_tell_what_comes_what_fired_and_what_was_missed(ports: Ports):
    once = (await add_reminder(ports, text="Once", at="+30m")).reminder
    daily = (await add_reminder(ports, text="Daily", at="+1h", repeat="daily")).reminder
    soon = (await add_reminder(ports, text="Later", at="+30d")).reminder
    await fire(ports, later(minutes=30))
    await fire(ports, later(days=3, hours=2))
    now = later(days=3, hours=3)

    async def listed(state: str) -> list[str]:
        page = await list_reminders(ReminderQuery(state), ports, user_id=USER, now=now)
        return [view.reminder.reminder_id for view in page.reminders]

    assert await listed("upcoming") == [daily.reminder_id, soon.reminder_id]
    assert await listed("fired") == [daily.reminder_id, once.reminder_id]
    assert await listed("missed") == [daily.reminder_id]
    assert await listed("failed") == []
    assert await listed("all") == [daily.reminder_id, soon.reminder_id, once.reminder_id]
    page = await list_reminders(ReminderQuery("missed"), ports, user_id=USER, now=later(days=40))
    assert [view.reminder.text for view in page.reminders][-1] == "Later"
    assert page.reminders[0].firings[0].missed == 3


async def test_a_delivery_that_failed_for_good_is_in_the_inbox_and_in_the_listing(ports: Ports):
    await _add_hook(ports)
    made = (await add_reminder(ports, at="+30m", channels=("hook", "desktop"))).reminder
    queue, policy, now = MemoryQueue(), DeliveryPolicy(), later(minutes=30)
    await tick(ports.database, queue, policy, now=now)
    refused = Sink(answers=[DeliveryFailed("The hook is gone.", retryable=False)])
    for body in queue.take():
        await attempt_delivery(body, ports.database, {"webhook": refused}, policy, now=now)
    (item,) = await inbox(ports, user_id=USER, now=now)
    assert [(each.channel, each.last_error) for each in item.failed] == [
        ("hook", "The hook is gone.")
    ]
    page = await list_reminders(ReminderQuery("failed"), ports, user_id=USER, now=now)
    assert [view.reminder.reminder_id for view in page.reminders] == [made.reminder_id]
    states = {each.channel: each.state for each in page.reminders[0].deliveries}
    assert states == {"hook": "FAILED", "desktop": "PENDING"}
    # What nobody has sent yet is not sent once the user has seen it.
    view = await act(ports, made.reminder_id, "acknowledge", now=now)
    assert [each.state for each in view.deliveries] == ["FAILED"]
    assert await inbox(ports, user_id=USER, now=now) == ()


async def test_pages_of_a_listing_hold_each_reminder_once(ports: Ports):
    made = [(await add_reminder(ports, text=f"{n}", at="+1h")).reminder for n in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await list_reminders(
            ReminderQuery(), ports, user_id=USER, now=NOW, limit=2, cursor=cursor
        )
        seen += [view.reminder.reminder_id for view in page.reminders]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(each.reminder_id for each in made)
    with pytest.raises(InvalidInput, match="list_reminders"):
        await list_reminders(ReminderQuery(), ports, user_id=USER, now=NOW, cursor="x")
    with pytest.raises(InvalidInput, match="limit 0"):
        await list_reminders(ReminderQuery(), ports, user_id=USER, now=NOW, limit=0)


async def test_a_reminder_that_fires_while_it_is_snoozed_is_snoozed_as_it_then_is(ports: Ports):
    made = (await add_reminder(ports, at="+30m", repeat="daily")).reminder
    now = later(minutes=31)
    busy = intruding(ports, on="UPDATE reminders", by=lambda: fire(ports, now))
    await update_reminder(
        made.reminder_id,
        ReminderAction("snooze", by="2h"),
        busy,
        user_id=USER,
        now=now,
        zone=BERLIN,
    )
    page = await list_reminders(ReminderQuery("all"), ports, user_id=USER, now=now)
    reminder = page.reminders[0].reminder
    assert reminder.snooze_of == later(minutes=30)
    assert reminder.schedule.exdates == ()
    assert await inbox(ports, user_id=USER, now=now) == ()


async def test_a_reminder_that_never_stands_still_is_a_conflict(ports: Ports):
    made = (await add_reminder(ports, at="+30m")).reminder

    async def touch() -> None:
        rows = await list_reminders(ReminderQuery("all"), ports, user_id=USER, now=NOW)
        present = rows.reminders[0].reminder
        await ports.database.batch(
            [revise_reminder(replace(present, text="Other"), revision=present.revision)]
        )

    busy = intruding(ports, on="UPDATE reminders", by=touch, times=100)
    with pytest.raises(Conflict, match="keeps changing"):
        await update_reminder(
            made.reminder_id, ReminderAction("cancel"), busy, user_id=USER, now=NOW, zone=BERLIN
        )


async def test_a_write_whose_answer_was_lost_is_not_made_twice(ports: Ports):
    made = (await add_reminder(ports, at="+2h", repeat="daily")).reminder
    twice = intruding(ports, on="UPDATE reminders", repeats=True)
    view = await update_reminder(
        made.reminder_id,
        ReminderAction("reschedule", by="1h"),
        twice,
        user_id=USER,
        now=NOW,
        zone=BERLIN,
    )
    assert view.next_fires[0] == later(hours=3)


async def test_a_reminder_is_made_in_the_zone_it_names_even_where_the_users_is_unknown(
    ports: Ports,
):
    with pytest.raises(InvalidInput, match="no time zone 'Nowhere'"):
        await create_reminder(
            NewReminder("Stretch", at="+1h"), ports, user_id=USER, now=NOW, zone="Nowhere"
        )


async def _add_hook(ports: Ports) -> None:
    hook = Channel("hook", USER, kind="webhook", address="https://example.com/hook")
    await add_channel(hook, ports, user_id=USER, now=NOW, allow_private=False)

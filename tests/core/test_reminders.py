"""What a reminder that is due fires, and what an attempt to deliver leads to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import (
    CatchUp,
    Delivery,
    DeliveryPolicy,
    Firing,
    Outcome,
    Reminder,
    Schedule,
)
from dome_mcp.core.recurrence import first_at
from dome_mcp.core.reminders import (
    CATCH_UP_LIMIT,
    GRACE,
    TRANSITIONS,
    after_attempt,
    after_unserved,
    channels_of,
    delivery_key,
    plan_due,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = DeliveryPolicy(max_attempts=3, retry_seconds=(5.0, 60.0))
REFUSED = Outcome(is_sent=False, error="The mailbox is full.")


def reminder(
    rule: str | None = None, catch_up: CatchUp = "fire", *, anchor: str = "schedule"
) -> Reminder:
    """A reminder first due at NOW, in UTC."""
    wall = NOW.replace(tzinfo=None)
    schedule = replace(Schedule(wall, "UTC", rule), anchor=anchor)
    return Reminder(
        reminder_id="r1",
        user_id="me",
        text="Water the plants",
        schedule=schedule,
        state="active",
        created_at=NOW - DAY,
        updated_at=NOW - DAY,
        revision=4,
        due_at=first_at(schedule),
        next_at=first_at(schedule),
        catch_up=catch_up,
    )


def snoozed(made: Reminder, *, at: datetime, of: datetime) -> Reminder:
    times = [time for time in (made.next_at, at) if time is not None]
    return replace(made, snooze_at=at, snooze_of=of, due_at=min(times))


# Firing


def test_a_reminder_that_is_not_due_fires_nothing_and_stays_as_it_is():
    made = reminder()
    plan = plan_due(made, NOW - timedelta(milliseconds=1))
    assert plan.firings == ()
    assert plan.after == made


def test_a_reminder_without_a_due_time_fires_nothing():
    made = replace(reminder(), due_at=None, next_at=None, state="cancelled")
    assert plan_due(made, NOW + DAY).after == made


@pytest.mark.parametrize("catch_up", ["fire", "skip", "all"])
@pytest.mark.parametrize("late", [timedelta(), timedelta(days=400)])
def test_a_reminder_that_comes_once_fires_however_late_it_is(catch_up: CatchUp, late: timedelta):
    plan = plan_due(reminder(catch_up=catch_up), NOW + late)
    assert plan.firings == (Firing("r1", "me", NOW, NOW, fired_at=NOW + late),)
    assert plan.after.state == "finished"
    assert (plan.after.due_at, plan.after.next_at) == (None, None)
    assert (plan.after.revision, plan.after.updated_at) == (5, NOW + late)


@pytest.mark.parametrize("catch_up", ["fire", "skip", "all"])
def test_an_occurrence_on_time_fires_and_the_next_is_due(catch_up: CatchUp):
    plan = plan_due(reminder("FREQ=DAILY", catch_up), NOW)
    assert [(firing.due_at, firing.missed) for firing in plan.firings] == [(NOW, 0)]
    assert plan.after.due_at == plan.after.next_at == NOW + DAY
    assert plan.after.state == "active"


def test_missed_occurrences_become_one_firing_for_the_latest_with_their_count():
    woken = NOW + 100 * DAY + timedelta(hours=5)
    plan = plan_due(reminder("FREQ=DAILY"), woken)
    assert [(each.due_at, each.missed) for each in plan.firings] == [(NOW + 100 * DAY, 100)]
    assert plan.after.due_at == NOW + 101 * DAY


def test_skipped_occurrences_fire_nothing_and_are_counted():
    plan = plan_due(reminder("FREQ=DAILY", "skip"), NOW + 2 * DAY + timedelta(hours=1))
    assert plan.firings == ()
    assert plan.after.missed == 3
    assert plan.after.due_at == NOW + 3 * DAY


def test_what_was_skipped_is_counted_on_and_told_with_the_next_firing():
    first = plan_due(reminder("FREQ=DAILY", "skip"), NOW + 2 * DAY + timedelta(hours=1)).after
    again = plan_due(first, NOW + 4 * DAY + timedelta(hours=1)).after
    plan = plan_due(again, NOW + 5 * DAY)
    assert again.missed == 5
    assert [firing.missed for firing in plan.firings] == [5]
    assert plan.after.missed == 0


@pytest.mark.parametrize(("late", "fired"), [(GRACE, 1), (GRACE + timedelta(seconds=1), 0)])
def test_an_occurrence_is_skipped_once_its_grace_is_over(late: timedelta, fired: int):
    assert len(plan_due(reminder("FREQ=DAILY", "skip"), NOW + late).firings) == fired


def test_a_series_whose_end_was_skipped_is_finished_and_keeps_its_count():
    plan = plan_due(reminder("FREQ=DAILY;COUNT=3", "skip"), NOW + 9 * DAY)
    assert plan.firings == ()
    assert (plan.after.state, plan.after.missed) == ("finished", 3)


@pytest.mark.parametrize("days", [0, 1, 5, CATCH_UP_LIMIT - 1])
def test_each_missed_occurrence_fires_where_each_is_wanted(days: int):
    plan = plan_due(reminder("FREQ=DAILY", "all"), NOW + days * DAY)
    assert [firing.due_at for firing in plan.firings] == [
        NOW + day * DAY for day in range(days + 1)
    ]
    assert {firing.missed for firing in plan.firings} == {0}


def test_where_each_is_wanted_the_latest_speaks_for_those_over_the_limit():
    plan = plan_due(reminder("FREQ=DAILY", "all"), NOW + 149 * DAY)
    assert len(plan.firings) == CATCH_UP_LIMIT
    assert plan.firings[-1].due_at == NOW + 149 * DAY
    assert plan.firings[-1].missed == 150 - CATCH_UP_LIMIT
    assert [firing.due_at for firing in plan.firings[:-1]] == [
        NOW + day * DAY for day in range(CATCH_UP_LIMIT - 1)
    ]


def test_the_last_of_a_series_finishes_the_reminder():
    plan = plan_due(reminder("FREQ=DAILY;COUNT=3"), NOW + 2 * DAY)
    assert [(each.due_at, each.missed) for each in plan.firings] == [(NOW + 2 * DAY, 2)]
    assert plan.after.state == "finished"


def test_a_series_that_counts_from_completion_fires_once_and_waits():
    plan = plan_due(reminder("FREQ=DAILY;INTERVAL=10", anchor="completion"), NOW + 50 * DAY)
    assert [(each.due_at, each.missed) for each in plan.firings] == [(NOW, 0)]
    assert (plan.after.state, plan.after.due_at) == ("active", None)


def test_a_snooze_fires_for_its_occurrence_and_leaves_the_series_alone():
    made = replace(reminder("FREQ=DAILY"), next_at=NOW + DAY)
    hour = timedelta(hours=1)
    plan = plan_due(snoozed(made, at=NOW + hour, of=NOW), NOW + hour)
    assert plan.firings == (Firing("r1", "me", NOW + hour, NOW, fired_at=NOW + hour),)
    assert (plan.after.snooze_at, plan.after.snooze_of) == (None, None)
    assert plan.after.due_at == plan.after.next_at == NOW + DAY
    assert plan.after.schedule == made.schedule


def test_an_occurrence_fires_while_another_one_is_still_snoozed():
    later = NOW + DAY / 2
    plan = plan_due(snoozed(reminder("FREQ=DAILY"), at=later, of=NOW - DAY), NOW)
    assert [firing.due_at for firing in plan.firings] == [NOW]
    assert (plan.after.snooze_at, plan.after.due_at, plan.after.next_at) == (
        later,
        later,
        NOW + DAY,
    )


def test_a_snooze_and_an_occurrence_that_are_both_due_fire_in_their_order():
    made = snoozed(reminder("FREQ=DAILY"), at=NOW - DAY / 2, of=NOW - DAY)
    plan = plan_due(made, NOW)
    assert [(each.due_at, each.occurrence_at) for each in plan.firings] == [
        (NOW - DAY / 2, NOW - DAY),
        (NOW, NOW),
    ]


def test_a_snooze_and_an_occurrence_at_one_time_are_one_firing():
    plan = plan_due(snoozed(reminder("FREQ=DAILY"), at=NOW, of=NOW - DAY), NOW)
    assert [(each.due_at, each.occurrence_at) for each in plan.firings] == [(NOW, NOW)]
    assert plan.after.snooze_at is None


def test_a_snoozed_reminder_that_comes_once_is_finished_when_it_fired_again():
    made = snoozed(replace(reminder(), next_at=None), at=NOW, of=NOW - DAY)
    assert plan_due(made, NOW).after.state == "finished"


def test_planning_again_after_the_clock_went_back_fires_nothing():
    after = plan_due(reminder("FREQ=DAILY"), NOW + 3 * DAY).after
    assert plan_due(after, NOW + 3 * DAY).firings == ()
    assert plan_due(after, NOW - DAY).firings == ()


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(NOW.replace(tzinfo=None), "UTC", "FREQ=NEVER"),
        Schedule(NOW.replace(tzinfo=None), "Moon/Base", "FREQ=DAILY"),
    ],
)
def test_a_rule_that_can_no_longer_be_read_fires_a_last_time(schedule: Schedule):
    plan = plan_due(replace(reminder("FREQ=DAILY"), schedule=schedule), NOW)
    assert [firing.due_at for firing in plan.firings] == [NOW]
    assert plan.after.state == "finished"


def test_years_of_a_minutely_series_are_one_firing():
    plan = plan_due(reminder("FREQ=MINUTELY"), NOW + 3650 * DAY)
    assert [(each.due_at, each.missed) for each in plan.firings] == [
        (NOW + 3650 * DAY, 3650 * 24 * 60)
    ]


# Delivering


def test_a_reminder_goes_out_by_its_own_channels_else_the_defaults_else_the_users_desktop():
    policy = replace(POLICY, desktop_user=reminder().user_id)
    made = replace(reminder(), channels=("phone", "mail", "phone"))
    assert channels_of(made, ("hook",), policy) == ("phone", "mail")
    assert channels_of(reminder(), ("hook",), policy) == ("hook",)
    assert channels_of(reminder(), (), policy) == ("desktop",)
    assert channels_of(reminder(), (), POLICY) == ()
    assert channels_of(reminder(), (), replace(POLICY, desktop_user="another")) == ()


def test_the_key_of_a_delivery_names_reminder_time_and_channel():
    firing = Firing("r1", "me", NOW, NOW - DAY, fired_at=NOW + DAY, missed=3)
    assert delivery_key(firing, "mail") == "r1:1772438400000:mail"


def test_what_was_sent_is_delivered_with_its_receipt():
    settled = after_attempt(2, Outcome(is_sent=True, receipt="250 ok"), POLICY, now=NOW)
    assert (settled.state, settled.receipt, settled.last_error) == ("DELIVERED", "250 ok", None)
    assert settled.refusals == 1


@pytest.mark.parametrize(("attempt", "pause"), [(1, 5), (2, 60)])
def test_a_refusal_is_tried_again_after_the_pause_of_its_turn(attempt: int, pause: float):
    settled = after_attempt(attempt, REFUSED, POLICY, now=NOW)
    assert (settled.state, settled.refusals) == ("PENDING", attempt)
    assert settled.not_before == NOW + timedelta(seconds=pause)
    assert settled.last_error == "The mailbox is full."


def test_the_last_pause_repeats():
    policy = replace(POLICY, max_attempts=9)
    assert after_attempt(8, REFUSED, policy, now=NOW).not_before == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("asked", "pause"), [(1.0, 5.0), (90.0, 90.0), (1e300, 86_400.0), (None, 5.0)]
)
def test_the_channels_wish_counts_where_it_is_longer_and_not_for_ever(
    asked: float | None, pause: float
):
    outcome = replace(REFUSED, retry_after_seconds=asked)
    settled = after_attempt(1, outcome, POLICY, now=NOW)
    assert settled.not_before == NOW + timedelta(seconds=pause)


@pytest.mark.parametrize(("attempt", "is_retryable"), [(3, True), (4, True), (1, False)])
def test_a_delivery_is_given_up_after_its_last_chance_or_a_final_refusal(
    attempt: int, is_retryable: bool
):
    outcome = replace(REFUSED, is_retryable=is_retryable)
    settled = after_attempt(attempt, outcome, POLICY, now=NOW)
    assert (settled.state, settled.last_error) == ("FAILED", "The mailbox is full.")


@pytest.mark.parametrize(("waited", "pause"), [(0, 60), (3600, 360), (1e6, 3600)])
def test_an_unserved_delivery_waits_longer_the_longer_it_waited_and_loses_no_chance(
    waited: float, pause: float
):
    due = NOW - timedelta(seconds=waited)
    delivery = Delivery("k", "r1", "me", due, "phone", "SENDING", 7, due, refusals=2)
    settled = after_unserved(delivery, "Nothing sends by ntfy here.", DeliveryPolicy(), now=NOW)
    assert (settled.state, settled.refusals) == ("PENDING", 2)
    assert settled.not_before == NOW + timedelta(seconds=pause)
    assert settled.last_error == "Nothing sends by ntfy here."


def test_every_way_leads_to_a_known_state_and_an_end_leads_nowhere():
    reached = {state for events in TRANSITIONS.values() for state in events.values()}
    assert reached == set(TRANSITIONS)
    assert TRANSITIONS["DELIVERED"] == TRANSITIONS["FAILED"] == {}
    assert set(TRANSITIONS["PENDING"].values()) == {"SENDING"}

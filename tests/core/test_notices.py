"""A notice says in plain words when it was due, how late it is, and what it missed."""

from datetime import UTC, datetime, timedelta

import pytest

from dome_mcp.core.agenda import Action, Firing, Reminder, Schedule
from dome_mcp.core.notices import SNIPPET_CHARACTERS, compose, duration_words, quoted

DUE = datetime(2026, 3, 29, 7, tzinfo=UTC)
"""Nine o'clock in Berlin, on the day its clocks went forward."""


def firing(occurrence_at: datetime = DUE, *, missed: int = 0) -> Firing:
    return Firing("r1", "me", DUE, occurrence_at, fired_at=DUE, missed=missed)


def reminder(zone: str = "Europe/Berlin") -> Reminder:
    return Reminder(
        reminder_id="r1",
        user_id="me",
        text="Water the plants",
        schedule=Schedule(datetime(2026, 3, 29, 9), zone),
        state="active",
        created_at=DUE,
        updated_at=DUE,
        revision=1,
    )


def test_a_notice_on_time_says_when_in_the_reminders_zone_and_no_more():
    notice = compose(reminder(), firing(), now=DUE + timedelta(seconds=59))
    assert (notice.reminder_id, notice.user_id, notice.text) == ("r1", "me", "Water the plants")
    assert notice.when == "Sunday 29 March 2026, 09:00 (Europe/Berlin)"
    assert (notice.late, notice.snippet, notice.actions) == ("", "", ())


def test_a_notice_carries_its_snippet_and_actions():
    done = Action("Done", "https://example.com/done")
    notice = compose(reminder(), firing(), now=DUE, snippet="“Beans.” (Plan)", actions=[done])
    assert (notice.snippet, notice.actions) == ("“Beans.” (Plan)", (done,))


def test_a_moved_notice_says_from_where_it_was_moved():
    earlier = firing(DUE - timedelta(minutes=30))
    yesterday = firing(DUE - timedelta(days=1))
    when = "Sunday 29 March 2026, 09:00 (Europe/Berlin)"
    assert compose(reminder(), earlier, now=DUE).when == f"{when}, moved from 08:30"
    assert compose(reminder(), yesterday, now=DUE).when == (
        f"{when}, moved from Saturday 28 March 2026, 08:00"
    )


def test_a_zone_that_is_gone_is_replaced_by_one_that_the_words_name():
    assert compose(reminder("Moon/Base"), firing(), now=DUE).when.endswith("07:00 (UTC)")


@pytest.mark.parametrize(
    ("late", "missed", "words"),
    [
        (timedelta(seconds=60), 0, "1 minute late."),
        (timedelta(hours=3, minutes=5), 0, "3 hours 5 minutes late."),
        (timedelta(), 1, "1 earlier one was missed."),
        (timedelta(days=40, hours=1), 11, "40 days 1 hour late. 11 earlier ones were missed."),
    ],
)
def test_a_late_notice_says_how_late_it_is_and_how_many_it_missed(
    late: timedelta, missed: int, words: str
):
    assert compose(reminder(), firing(missed=missed), now=DUE + late).late == words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(minutes=1, seconds=59), "1 minute"),
        (timedelta(minutes=59), "59 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=2, minutes=1), "2 hours 1 minute"),
        (timedelta(days=1, minutes=59), "1 day"),
        (timedelta(days=2, hours=23, minutes=59), "2 days 23 hours"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(duration: timedelta, words: str):
    assert duration_words(duration) == words


def test_a_quotation_is_one_line_with_its_title():
    assert quoted("Garden plan", " Plant\n\nthe  beans. ") == "“Plant the beans.” (Garden plan)"


def test_a_long_quotation_is_cut_between_words():
    words = quoted("Plan", "seedling " * 100)
    assert words.startswith("“seedling seedling")
    assert words.endswith("seedling …” (Plan)")
    assert len(words) <= SNIPPET_CHARACTERS + len("“ …” (Plan)")


def test_a_long_text_without_spaces_is_cut_all_the_same():
    assert quoted("Plan", "x" * 999) == f"“{'x' * SNIPPET_CHARACTERS} …” (Plan)"


def test_a_note_without_text_is_quoted_by_its_title():
    assert quoted("Plan", " ") == "Plan"

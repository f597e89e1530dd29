"""The digest: when it comes, what day it is of, and what it says."""

from datetime import UTC, datetime, time, timedelta

import pytest

from dome_mcp.core.agenda import Firing
from dome_mcp.core.digest import (
    GATHERED,
    Day,
    Item,
    compose_digest,
    day_of,
    draft_digest,
    is_over,
    time_of_day,
)
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.reminders import plan_due

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
"""A Monday, nine o'clock in Berlin."""
DIGEST = draft_digest("mail", "09:30", user_id="me", zone_name=BERLIN, now=NOW)
DUE = NOW + timedelta(minutes=30)


def firing(due_at: datetime = DUE, *, missed: int = 0) -> Firing:
    return Firing(
        DIGEST.reminder_id,
        "me",
        due_at=due_at,
        occurrence_at=due_at,
        fired_at=due_at,
        missed=missed,
    )


def item(text: str, *, hours: float) -> Item:
    return Item(text, NOW + timedelta(hours=hours))


@pytest.mark.parametrize(("at", "first"), [("09:30", DUE), ("8:30", DUE + timedelta(hours=23))])
def test_it_first_comes_when_its_time_comes_next(at: str, first: datetime) -> None:
    digest = draft_digest("mail", at, user_id="me", zone_name=BERLIN, now=NOW)
    assert (digest.due_at, digest.kind, digest.channels) == (first, "digest", ("mail",))


def test_a_channel_has_one() -> None:
    later = draft_digest("mail", "10:00", user_id="me", zone_name="UTC", now=DUE)
    others = [
        draft_digest(channel, "09:30", user_id=user, zone_name=BERLIN, now=NOW).reminder_id
        for channel, user in (("phone", "me"), ("mail", "you"))
    ]
    assert later.reminder_id == DIGEST.reminder_id
    assert len({DIGEST.reminder_id, *others}) == 3


@pytest.mark.parametrize(("text", "meant"), [("07:30", time(7, 30)), (" 7:05 ", time(7, 5))])
def test_a_time_of_day_is_read(text: str, meant: time) -> None:
    assert time_of_day(text) == meant


@pytest.mark.parametrize(
    "text", ["", "7", "24:00", "07:60", "07:30:00", "2026-03-02T07:30", "７:30"]
)
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a time of day"):
        time_of_day(text)


def test_it_stays_at_its_hour_when_the_clocks_change_and_comes_once_that_day() -> None:
    """On 29 March 2026 there is no 02:30 in Berlin, and on 25 October there are two."""
    spring = datetime(2026, 3, 28, 0, tzinfo=UTC)
    digest = draft_digest("mail", "02:30", user_id="me", zone_name=BERLIN, now=spring)
    times: list[datetime] = []
    for _ in range(3):
        assert digest.due_at is not None
        plan = plan_due(digest, digest.due_at)
        times += [each.due_at for each in plan.firings]
        digest = plan.after
    assert times == [
        datetime(2026, 3, 28, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    ]
    autumn = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    digest = draft_digest("mail", "02:30", user_id="me", zone_name=BERLIN, now=autumn)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert digest.due_at == first
    assert plan_due(digest, first).after.due_at == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_day_on_which_the_clocks_change_is_an_hour_shorter() -> None:
    start, end = day_of(firing(datetime(2026, 3, 29, 12, tzinfo=UTC)), BERLIN)
    assert (start, end - start) == (datetime(2026, 3, 28, 23, tzinfo=UTC), timedelta(hours=23))


def test_it_is_of_its_day_alone() -> None:
    late = datetime(2026, 3, 2, 22, 59, tzinfo=UTC)
    assert not is_over(firing(), BERLIN, now=late)
    assert is_over(firing(), BERLIN, now=late + timedelta(minutes=1))


def test_one_late_in_the_evening_may_still_be_sent_soon_after_midnight() -> None:
    evening = datetime(2026, 3, 2, 22, 50, tzinfo=UTC)
    assert not is_over(firing(evening), BERLIN, now=evening + timedelta(minutes=60))
    assert is_over(firing(evening), BERLIN, now=evening + timedelta(minutes=61))


def test_a_day_with_nothing_has_no_notice() -> None:
    assert compose_digest(Day(), DIGEST, firing(), now=DUE) is None


def test_it_counts_and_lists_what_there_is() -> None:
    day = Day(
        overdue=[item("Pay the rent", hours=-72)],
        due=[item("Call the plumber", hours=5), item("Read\n  the plan", hours=6.5)],
        coming=[item("Take the bins out", hours=9)],
        unseen=[item("Water the plants", hours=-24)],
    )
    notice = compose_digest(day, DIGEST, firing(), now=DUE)
    assert notice is not None
    assert notice.text == "Today: 1 overdue, 2 due, 1 to be reminded of, 1 not acknowledged"
    assert (notice.when, notice.late) == ("Monday 2 March 2026, 09:30 (Europe/Berlin)", "")
    assert notice.snippet.splitlines() == [
        "Overdue:",
        "- Pay the rent (since Friday, 27 February 2026)",
        "Due today:",
        "- 14:00 Call the plumber",
        "- 15:30 Read the plan",
        "Reminders today:",
        "- 18:00 Take the bins out",
        "Not acknowledged:",
        "- Water the plants (since Sunday, 1 March 2026)",
    ]
    assert (notice.kind, notice.actions) == ("digest", ())


def test_it_is_short_however_much_there_is() -> None:
    day = Day(overdue=[item("x" * 500, hours=-48)] * GATHERED)
    notice = compose_digest(day, DIGEST, firing(), now=DUE)
    assert notice is not None
    assert notice.text == "Today: 100 or more overdue"
    assert notice.snippet.splitlines()[-1] == "- and 95 more"
    assert len(notice.snippet) < 1000


def test_one_that_is_late_says_so_and_nothing_of_those_that_were_missed() -> None:
    day = Day(due=[item("Call the plumber", hours=5)])
    sent_at = DUE + timedelta(hours=2)
    notice = compose_digest(day, DIGEST, firing(missed=3), now=sent_at)
    assert notice is not None
    assert notice.late == "2 hours late."

"""Rules as they are sent: one spelling for each, words for the common ones, and refusals."""

from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.recurrence import readable
from dome_mcp.core.rules import parse_repeat, parse_rule
from tests.core.schedules import schedule

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("freq=weekly;byday=we,mo", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("BYDAY=MO;FREQ=WEEKLY;INTERVAL=1;WKST=MO;", "FREQ=WEEKLY;BYDAY=MO"),
        (
            "DTSTART;TZID=Europe/Berlin:20260101T090000\nRRULE:FREQ=DAILY;COUNT=3",
            "FREQ=DAILY;COUNT=3",
        ),
        ("FREQ=MONTHLY;BYDAY=+2TU,-1FR", "FREQ=MONTHLY;BYDAY=-1FR,2TU"),
        ("FREQ=MONTHLY;BYMONTHDAY=31,-1,31", "FREQ=MONTHLY;BYMONTHDAY=-1,31"),
        ("FREQ=DAILY;UNTIL=20261231T090000", "FREQ=DAILY;UNTIL=20261231T090000"),
        ("FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231T235959"),
        ("FREQ=DAILY;UNTIL=2026-12-31T09:00Z", "FREQ=DAILY;UNTIL=20261231T100000"),
        ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU"),
    ],
)
def test_a_rule_has_one_spelling(text: str, rule: str) -> None:
    assert str(parse_rule(text, BERLIN)) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FREQ=SECONDLY", "every second"),
        ("FREQ=FORTNIGHTLY", "FORTNIGHTLY"),
        ("INTERVAL=2", "FREQ is ''"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "COUNT or by UNTIL"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is '0'"),
        ("FREQ=DAILY;INTERVAL=1e9", "INTERVAL"),
        ("FREQ=DAILY;COUNT=1000000", "COUNT"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "'32' is no BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "'0' is no BYMONTHDAY"),
        ("FREQ=DAILY;BYHOUR=24", "'24' is no BYHOUR"),
        ("FREQ=DAILY;BYHOUR=-1", "'-1' is no BYHOUR"),
        ("FREQ=WEEKLY;BYDAY=XX", "'XX' is no BYDAY"),
        ("FREQ=WEEKLY;BYDAY=0MO", "'0MO' is no BYDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "numbered BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "does not go with BYWEEKNO"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO goes with"),
        ("FREQ=DAILY;WKST=XX", "WKST"),
        ("FREQ=DAILY;UNTIL=20261301", "UNTIL"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL"),
        ("FREQ=DAILY;BYEASTER=1", "unknown part 'BYEASTER'"),
        ("FREQ=DAILY;FREQ=DAILY", "cannot be read"),
        ("FREQ=DAILY;BYHOUR", "cannot be read"),
        ("FREQ=MINUTELY;BYSECOND=0,30", "once a minute"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;BYHOUR=8,9", "BYSETPOS"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "not one RRULE"),
        ("EXDATE:20260101T090000", "not one RRULE"),
        ("", "not one RRULE"),
        ("FREQ=DAILY;BYHOUR=" + "1," * 1000, "too long"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_to_send(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rule(text, BERLIN)
    assert says in caught.value.message
    assert caught.value.hint.startswith("Send ")


@pytest.mark.parametrize(
    ("text", "rule", "anchor"),
    [
        ("daily", "FREQ=DAILY", "schedule"),
        (" Every Day ", "FREQ=DAILY", "schedule"),
        ("weekdays", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "schedule"),
        ("every weekday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "schedule"),
        ("weekly", "FREQ=WEEKLY", "schedule"),
        ("every 2 weeks", "FREQ=WEEKLY;INTERVAL=2", "schedule"),
        ("every other month", "FREQ=MONTHLY;INTERVAL=2", "schedule"),
        ("monthly", "FREQ=MONTHLY", "schedule"),
        ("yearly", "FREQ=YEARLY", "schedule"),
        ("every 30 minutes", "FREQ=MINUTELY;INTERVAL=30", "schedule"),
        ("every monday, wed and Friday", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "schedule"),
        ("every! 10 days", "FREQ=DAILY;INTERVAL=10", "completion"),
        ("every! week", "FREQ=WEEKLY", "completion"),
        ("monthly!", "FREQ=MONTHLY", "completion"),
        ("FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO", "schedule"),
        ("RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY", "schedule"),
    ],
)
def test_a_repetition_can_be_sent_in_words(text: str, rule: str, anchor: str) -> None:
    assert parse_repeat(text) == (rule, anchor)
    assert str(parse_rule(rule, BERLIN)) == rule.removeprefix("RRULE:")


@pytest.mark.parametrize("text", ["", "often", "every", "every blue moon", "every 0.5 days"])
def test_words_that_are_no_repetition_are_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_repeat(text)
    assert "every 2 weeks" in caught.value.hint


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (None, "Thursday, 1 January 2026 at 09:00"),
        ("FREQ=WEEKLY;BYDAY=MO", "every Monday at 09:00"),
        ("FREQ=WEEKLY", "every Thursday at 09:00"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday at 09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "every 2 weeks on Monday and Wednesday at 09:00"),
        ("FREQ=DAILY;COUNT=5", "every day at 09:00, 5 times"),
        ("FREQ=DAILY;COUNT=1", "every day at 09:00, once"),
        ("FREQ=DAILY;BYHOUR=7;BYMINUTE=5", "every day at 07:05"),
        (
            "FREQ=DAILY;INTERVAL=3;UNTIL=20261231T235959",
            "every 3 days at 09:00, until Thursday, 31 December 2026",
        ),
        ("FREQ=MONTHLY", "every month on the 1st at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=12,22", "every month on the 12th and 22nd at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on the last day at 09:00"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=31",
            "every month on the 31st (not in months without it) at 09:00",
        ),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday at 09:00"),
        (
            "FREQ=MONTHLY;BYDAY=2TU,-2WE",
            "every month on the 2nd last Wednesday and 2nd Tuesday at 09:00",
        ),
        ("FREQ=YEARLY", "every year on the 1st of January at 09:00"),
        ("FREQ=YEARLY;BYMONTH=9;BYDAY=1MO", "every year on the 1st Monday of September at 09:00"),
        ("FREQ=HOURLY;INTERVAL=4", "every 4 hours"),
        ("FREQ=MINUTELY", "every minute"),
        # Too rich for a phrase: the rule itself, rather than half of it.
        (
            "FREQ=DAILY;BYHOUR=8,20",
            "FREQ=DAILY;BYHOUR=8,20 from Thursday, 1 January 2026 at 09:00",
        ),
        (
            "FREQ=YEARLY;BYDAY=1MO",
            "FREQ=YEARLY;BYDAY=1MO from Thursday, 1 January 2026 at 09:00",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
            "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1 from Thursday, 1 January 2026 at 09:00",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13 from Thursday, 1 January 2026 at 09:00",
        ),
    ],
)
def test_a_schedule_is_put_in_words_with_its_zone(rule: str | None, words: str) -> None:
    assert readable(schedule(rule)) == f"{words} (Europe/Berlin)"


def test_a_series_from_completion_says_so() -> None:
    value = schedule("FREQ=DAILY;INTERVAL=10", anchor="completion")
    assert readable(value) == "every 10 days at 09:00, counted from completion (Europe/Berlin)"

"""Which period a question names, and which days a note speaks of."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dome_mcp.core.event_words import EventWords, event_words
from dome_mcp.core.period_words import days_named, is_from, period_words
from dome_mcp.core.periods import Period
from tests.core.passages import passage

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = datetime(2026, 11, 24, 17, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("question", "words", "period"),
    [
        ("What did I do yesterday?", "yesterday", "23 November 2026"),
        ("Who called last week?", "last week", "16–22 November 2026"),
        ("What did we decide two months ago?", "two months ago", "1–30 September 2026"),
        ("What have I spent this year?", "this year", "2026"),
        ("What was new in the last ten days?", "in the last ten days", "14–24 November 2026"),
        ("What is due next week?", "next week", "30 November – 6 December 2026"),
        ("What did I write last March?", "last March", "1–31 March 2026"),
        ("What did I buy in december?", "in december", "1–31 December 2025"),
        ("What did we do last summer?", "last summer", "1 June – 31 August 2026"),
        ("What did I note on Monday?", "on Monday", "23 November 2026"),
        ("What will happen in March?", "in March", "1–31 March 2027"),
        ("What did heating cost in 2024?", "in 2024", "2024"),
        ("What is the budget for 2027?", "for 2027", "2027"),
        ("Who came on 3 May 2026?", "on 3 May 2026", "3 May 2026"),
        ("Who came on May 3, 2026?", "on May 3, 2026", "3 May 2026"),
        ("What has changed since June?", "since June", "since 1 June 2026"),
        ("What was it like before 2020?", "before 2020", "until 31 December 2019"),
        ("What came after May 2025?", "after May 2025", "since 1 June 2025"),
        (
            "What did I do between March and May 2025?",
            "between March and May 2025",
            "1 March – 31 May 2025",
        ),
        ("Was habe ich im März notiert?", "im März", "1–31 March 2026"),
        ("Was geschah letzte Woche?", "letzte Woche", "16–22 November 2026"),
        ("Was war vor drei Tagen?", "vor drei Tagen", "21 November 2026"),
        ("Was war am 3. Mai 2026?", "am 3. Mai 2026", "3 May 2026"),
        ("Was steht seit Juni 2025 da?", "seit Juni 2025", "since 1 June 2025"),
    ],
)
def test_the_words_for_a_period_are_understood_on_the_day_they_are_said(
    question: str, words: str, period: str
) -> None:
    said = period_words(question, TUESDAY, zone=BERLIN)
    assert said is not None
    assert (said.text, said.period.describe()) == (words, period)


@pytest.mark.parametrize(
    "question",
    [
        "How much may the kitchen cost?",
        "What does room 2024 look like?",
        "Which vegetables are sown in March?",
        "When does the last ferry leave?",
        "What was there on the last day of the holiday?",
        "How much did the set of winter tyres cost?",
        "What did the Romans do 3000 years ago?",
        "Wann fliegen wir nach Lissabon?",
    ],
)
def test_other_words_name_no_period(question: str) -> None:
    assert period_words(question, TUESDAY, zone=BERLIN) is None


def test_without_a_clock_only_what_names_its_year_is_understood() -> None:
    assert period_words("What did I do last week, or in March?", None, zone=UTC) is None
    said = period_words("What did I do in March 2026?", None, zone=UTC)
    assert said is not None
    assert said.period.describe() == "1–31 March 2026"


def test_a_question_can_be_asked_without_the_words_for_its_period() -> None:
    question = "In 2024, what did heating cost?"
    said = period_words(question, None, zone=UTC)
    assert said is not None
    assert said.left_out_of(question) == "what did heating cost?"


def day_of(text: str) -> str:
    [days] = days_named(text, datetime(2023, 5, 8, 12, tzinfo=UTC), zone=UTC)
    return Period(days, UTC).describe()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I went to the support group yesterday.", "7 May 2023"),
        ("We painted it last year.", "2022"),
        ("We fly on 9 May.", "9 May 2023"),
        ("The course began on 20 December.", "20 December 2022"),
        ("Paid on 3.4.2023 in cash.", "3 April 2023"),
        ("planted: 2023-04-16", "16 April 2023"),
    ],
)
def test_a_note_speaks_of_days_as_on_the_day_it_was_written(text: str, day: str) -> None:
    assert day_of(text) == day


def test_a_day_that_no_calendar_has_is_none() -> None:
    assert list(days_named("It ends on 30 February 2023.", TUESDAY, zone=UTC)) == []


def test_a_passage_is_from_a_period_by_its_date_or_by_one_in_it() -> None:
    said = period_words("in March 2026", None, zone=UTC)
    assert said is not None
    in_march, in_may = (datetime(2026, month, 5, tzinfo=UTC) for month in (3, 5))
    assert is_from(passage("Nothing new.", created_at=in_march), said.period)
    assert is_from(passage("The roof was done on 12 March.", created_at=in_may), said.period)
    assert not is_from(passage("Seen in 2026.", created_at=in_may), said.period)


@pytest.mark.parametrize(
    ("question", "event"),
    [
        ("What did I eat before I moved?", EventWords("I moved", True, True)),
        ("After the operation, what hurt?", EventWords("the operation", False, False)),
        ("What did we spend since we got the dog?", EventWords("we got the dog", False, True)),
        ("Was sagte der Arzt nach der Operation?", EventWords("der Operation", False, False)),
        ("Was aßen wir, bevor wir umzogen?", EventWords("wir umzogen", True, True)),
        ("When does check-in close before departure?", None),
        ("Wann fliegen wir nach Lissabon?", None),
    ],
)  # fmt: skip
def test_an_event_that_time_is_counted_from_is_found(
    question: str, event: EventWords | None
) -> None:
    assert event_words(question) == event

"""Which notes say otherwise than a newer one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from dome_mcp.core.answering import choose
from dome_mcp.core.contradictions import Quotes, contradict, newest_first
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.model import Passage
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import weigh
from tests.core.passages import WRITTEN, passage


def notes(*texts: str, days_apart: int = 30) -> list[Passage]:
    """Notes of these texts, the first one the oldest."""
    return [
        replace(
            passage(text, note_id=f"n{at}"), created_at=WRITTEN + at * timedelta(days=days_apart)
        )
        for at, text in enumerate(texts)
    ]


def quotes(question: str, passages: Sequence[Passage]) -> Quotes:
    terms = question_terms(question)
    supports = weigh(terms, evidence_units(passages))
    return newest_first(choose(supports), supports, passages, terms)


def texts(question: str, passages: Sequence[Passage]) -> tuple[list[str], list[str]]:
    """What is quoted, and what is outdated."""
    found = quotes(question, passages)
    return (
        [one.unit.text for one in found.chosen],
        [one.unit.text for one in found.outdated],
    )


@pytest.mark.parametrize(
    ("question", "older", "newer"),
    [
        (
            "Who serviced the boiler?",
            "The boiler was serviced by Ms Okafor.",
            "In September the boiler was serviced by Mr Lind.",
        ),
        (
            "Who serviced the boiler?",
            "On 3 May the boiler was serviced by Ms Okafor.",
            "On 8 September the boiler was serviced by Mr Lind.",
        ),
        ("How much is the rent?", "The rent is 1,140 euros.", "The rent is 1,210 euros."),
        (
            "When is the launch planned for?",
            "The launch is planned for 15 June 2026.",
            "The launch is now planned for 29 June 2026.",
        ),
        (
            "What is the booking code?",
            "The booking code is XK7PLM.",
            "The booking code is RT2AAB.",
        ),
        (
            "Wie hoch ist die Kaltmiete?",
            "Die Kaltmiete beträgt 1.140 Euro.",
            "Die Kaltmiete beträgt 1.210 Euro.",
        ),
    ],
)
def test_the_newest_note_is_quoted_first_and_the_older_one_is_outdated(
    question: str, older: str, newer: str
) -> None:
    assert texts(question, notes(older, newer)) == ([newer], [older])
    assert texts(question, notes(newer, older)) == ([older], [newer])


def test_every_older_value_is_outdated_the_newest_of_them_first() -> None:
    rents = [f"The rent is {rent} euros." for rent in (900, 950, 990)]
    assert texts("How much is the rent?", notes(*rents)) == ([rents[2]], [rents[1], rents[0]])


def test_of_two_notes_of_one_day_neither_is_outdated() -> None:
    rents = notes("The rent is 900 euros.", "The rent is 950 euros.", days_apart=0)
    found = quotes("How much is the rent?", rents)
    assert (len(found.chosen), found.outdated) == (2, ())


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        # The same value, said otherwise or less exactly.
        ("How much is the rent?", "The rent is 1,140 euros.", "The rent is 1140 euros now."),
        ("How much is it?", "The bill came to 238.50 euros.", "The bill came to 238,50 euros."),
        ("When is the launch?", "The launch is in June.", "The launch is on 15 June."),
        # Of two things.
        (
            "How much do tiles cost?",
            "Tiles by Otto cost 780 euros.",
            "Tiles by Ems cost 810 euros.",
        ),
        ("How old is the cat?", "The cat Minka is 4 years old.", "The cat Moritz is 9 years old."),
        ("How much is the rent?", "The rent is 900 euros.", "A rent deposit is 2,700 euros."),
        # On two things about one subject.
        ("Who knows boilers?", "Ms Okafor serviced the boiler.", "Mr Lind bought a boiler."),
        # Addresses, and values that are not the ones asked for.
        ("What do Jon and Ada share?", "Ada: Sure, Jon!", "Ada: Hey Jon!"),
        ("Who painted?", "The hall was painted in 2024.", "The hall was painted in 2025."),
        ("Why did the boiler fail?", "The boiler failed 3 times.", "The boiler failed 4 times."),
    ],
)
def test_units_that_only_say_different_things_do_not_contradict(
    question: str, one: str, other: str
) -> None:
    units = evidence_units(notes(one, other))
    assert len(units) == 2
    assert not contradict(units[0], units[1], question_terms(question))


def test_notes_on_another_thing_of_the_question_do_not_contradict() -> None:
    walls = "{} painted the old brick walls of the {}."
    units = evidence_units(
        notes(walls.format("Ms Okafor", "hall"), walls.format("Mr Lind", "loft"))
    )
    assert not contradict(units[0], units[1], question_terms("Who painted the hall?"))


@pytest.mark.parametrize(
    "text",
    [
        "Due each month:\n- rent of {} euros\n- heating and water",
        "The rent is {} euros, the house has a garden with trees, a cellar with shelves, a loft "
        "with beams, a shed with tools, and a hall with hooks for coats and hats.",
    ],
)
def test_what_states_several_things_contradicts_nothing(text: str) -> None:
    units = evidence_units(notes(text.format(900), text.format(950)))
    one, other = (unit for unit in units if unit.text in (text.format(900), text.format(950)))
    assert not contradict(one, other, question_terms("How much is the rent?"))


def test_a_note_does_not_contradict_itself() -> None:
    note = passage("The rent is 900 euros. The rent is 950 euros.")
    assert quotes("How much is the rent?", [note]).outdated == ()


def test_nothing_is_outdated_where_nothing_answers() -> None:
    assert quotes("Who painted the hall?", notes("The rent is 900 euros.")) == Quotes(())

"""Which questions go on from an earlier one, and what they are searched for by."""

import pytest

from dome_mcp.core.follow_ups import Sought, sought

BOILER = "Who serviced the boiler?"


@pytest.mark.parametrize(
    ("question", "earlier", "words"),
    [
        ("And when?", [BOILER], "serviced boiler"),
        ("And when was that?", [BOILER], "serviced boiler"),
        ("Who paid for it?", [BOILER], "serviced boiler"),
        ("Who paid for it?", [BOILER, "And when was that?"], "serviced boiler"),
        ("Who paid for it?", ["What is the rent?", BOILER], "serviced boiler"),
        ("Und wann endet er?", ["Was kostet der Kurs in Potsdam?"], "Kurs Potsdam"),
    ],
)
def test_a_follow_up_is_searched_for_with_the_words_of_what_it_goes_on_from(
    question: str, earlier: list[str], words: str
) -> None:
    assert sought(question, earlier).text == f"{question} ({words})"


@pytest.mark.parametrize(
    ("question", "earlier"),
    [
        ("Who painted the ceiling?", [BOILER]),
        ("And in Porto?", [BOILER]),
        ("When does Anna get it?", [BOILER]),
        ("Was it 238?", [BOILER]),
        ("Wann endet das Abo?", [BOILER]),
        ("And the lease, when does that end?", [BOILER]),
        ("And when was that?", []),
        ("And when was that?", ["Who is it?"]),
    ],
)
def test_a_question_with_a_subject_or_without_a_predecessor_stands_alone(
    question: str, earlier: list[str]
) -> None:
    assert sought(question, earlier) == Sought(question, question)


COURSE = "The pottery course costs 180 EUR. It ends on 30 June."
LEASE = "The lease costs nothing. It ends on 12 December."


def test_evidence_for_a_follow_up_has_a_word_of_it_in_a_passage_about_its_subject() -> None:
    asked = sought("And when does it end?", ["What does the pottery course cost?"])
    assert asked.asked == "And when does it end?"
    assert asked.admits("It ends on 30 June.", COURSE)
    assert not asked.admits("It ends on 12 December.", LEASE)
    assert not asked.admits("The pottery course costs 180 EUR.", COURSE)


def test_evidence_for_a_follow_up_without_a_word_of_its_own_is_weighed_by_its_subject() -> None:
    asked = sought("And when?", [BOILER])
    assert asked.asked == asked.text
    assert asked.admits("Anything.", "Anything.")

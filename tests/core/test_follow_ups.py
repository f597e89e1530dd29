"""Which questions go on from an earlier one, and what they are searched for by."""

from datetime import UTC, datetime

import pytest

from dome_mcp.core.follow_ups import Sought, in_full, sought

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


def test_a_pronoun_means_the_subject_of_the_same_sentence_however_much_is_asked() -> None:
    question, before = "which oil does it need each year", ["How thick is the worktop"]
    assert sought(question, before) == Sought(question, question)
    part = sought(question, before, is_part=True)
    assert (part.text, part.asked) == (f"{question} (thick worktop)", question)
    assert part.admits("Twice a year with linseed.", "Anything.")


def test_a_part_that_leaves_a_word_out_takes_it_from_the_part_before() -> None:
    question, before = "which one on the last page of the guide", ["Which date is on the cover"]
    assert sought(question, before).text == question
    assert sought(question, before, is_part=True).text == f"{question} (cover)"


@pytest.mark.parametrize(
    ("questions", "last"),
    [
        (["What did heating cost in 2024?", "And in 2023?"], "What did heating cost in 2023?"),
        (["What did heating cost?", "Und im Jahr 2023?"], "What did heating cost im Jahr 2023?"),
        (
            ["What did heating cost in 2024?", "And in 2023?", "And last year?"],
            "What did heating cost last year?",
        ),
        (["What did heating cost in 2024?", "And when in 2023?"], "And when in 2023?"),
        (["What did heating cost in 2024?", "And rent in 2023?"], "And rent in 2023?"),
        (["And in 2023?"], "And in 2023?"),
    ],
)
def test_a_question_that_is_only_a_period_is_the_one_before_for_that_period(
    questions: list[str], last: str
) -> None:
    assert in_full(questions, datetime(2026, 11, 24, tzinfo=UTC), zone=UTC)[-1] == last

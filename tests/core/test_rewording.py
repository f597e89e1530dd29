"""The sentence that a small language model makes of a quotation: what it is told, what holds."""

from dataclasses import replace

import pytest

from dome_mcp.core.answering import citation, not_found
from dome_mcp.core.citations import Claim
from dome_mcp.core.evidence import Unit, UnitKind
from dome_mcp.core.model import Answer, Citation, IndexState
from dome_mcp.core.rewording import can_be_reworded, cites_any_of, says_again, to_reword
from tests.core.passages import passage

BOILER = "The boiler was serviced on 4 November 2025 by Ulrich Brandt."
WHO = "Who serviced the boiler?"


def quoted(text: str, n: int = 1) -> Citation:
    """A citation of the whole of a note."""
    return citation(n, Unit(0, 0, len(text), text, UnitKind.SENTENCE), passage(text))


def quotation(*quotes: str, text: str = "") -> Answer:
    """An extractive answer; its text is that of the quotes unless given."""
    citations = tuple(quoted(quote, n) for n, quote in enumerate(quotes, 1))
    lines = text or "\n".join(f"{one.quote} [{one.n}]" for one in citations)
    empty = not_found((), index=IndexState(), model="extractive")
    return replace(empty, text=lines, answered=True, citations=citations)


def test_the_quotes_come_last_with_the_question_and_without_their_numbers() -> None:
    *_, last = to_reword(WHO, f"{BOILER} [1]\nIt drips. [2]")
    assert (last.role, last.content) == (
        "user",
        f"Notes:\n{BOILER}\nIt drips.\n\nQuestion: {WHO}",
    )


def test_the_examples_are_turns_of_both_sides() -> None:
    system, *turns = to_reword(WHO, BOILER)
    assert system.role == "system"
    assert [turn.role for turn in turns[:-1]] == ["user", "assistant"] * (len(turns) // 2)


def test_what_nobody_sees_and_what_looks_like_a_citation_do_not_reach_the_model() -> None:
    told = to_reword(WHO, "The c\u200bode is 17 [4], he says. [1]")[-1].content
    assert "The code is 17 (4), he says.\n" in told


@pytest.mark.parametrize(
    "answer",
    [
        quotation("May: 3; June: 4", text="May: 3; June: 4 [1]"),
        quotation("Austria 8.9 83,879 Vienna"),
        quotation("Prague", text="Prague (Capital) [1]"),
        quotation(BOILER, text=f"An older note (4 May 2025) says otherwise: {BOILER} [1]"),
        quotation(BOILER, text=f"{BOILER} [1]\nNot in your notes: what it cost."),
    ],
)
def test_rows_and_what_the_answer_says_itself_are_not_for_a_small_model(answer: Answer) -> None:
    assert not can_be_reworded(answer)


def test_sentences_and_lists_of_the_notes_are() -> None:
    assert can_be_reworded(quotation(BOILER, "Bring:\n- bread\n- milk"))


@pytest.mark.parametrize(
    "says",
    [
        BOILER,
        "The boiler was serviced by Ulrich Brandt.",
        "Ulrich Brandt.",
    ],
)
def test_a_quotation_may_be_shortened(says: str) -> None:
    assert says_again(Claim(says), WHO, quoted(BOILER))


def test_words_of_the_question_may_be_added() -> None:
    question = "How many problems does the MATH benchmark hold?"
    quote = quoted("MATH consists of 12K problems.")
    assert says_again(Claim("The MATH benchmark holds 12K problems."), question, quote)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (WHO, WHO),
        (WHO, "The boiler was serviced."),
        (WHO, "The boiler was serviced in Rome by Ulrich Brandt."),
        ("Which is better, Alpha or Beta?", "Alpha was chosen as better."),
    ],
    ids=["asks again", "says nothing new", "adds a word", "changes places"],
)
def test_what_is_no_shorter_form_of_it_does_not_count(question: str, says: str) -> None:
    both = f"{BOILER} Beta was chosen as better than Alpha."
    assert not says_again(Claim(says), question, quoted(both))


@pytest.mark.parametrize(("says", "counts"), [("", False), (" if kept on a leash", True)])
def test_a_condition_may_not_be_lost(says: str, counts: bool) -> None:
    quote = quoted("In the garden dogs are allowed if kept on a leash.")
    claim = Claim(f"Dogs are allowed{says}.")
    assert says_again(claim, "What is the rule for dogs?", quote) is counts


def test_a_german_question_has_german_examples() -> None:
    german = to_reword("Wer hat den Kessel gewartet?", "Den Kessel hat Ulrich Brandt gewartet.")
    asked = [turn.content for turn in german if turn.role == "user"]
    assert len(asked) > 2
    assert not any("Who" in each or "What" in each for each in asked)


def test_a_citation_counts_where_it_overlaps_a_quotation_of_the_same_chunk() -> None:
    quote = quoted(BOILER)
    assert cites_any_of([replace(quote, start=10, end=20)], [quote])
    assert not cites_any_of([replace(quote, start=len(BOILER), end=99)], [quote])
    assert not cites_any_of([replace(quote, chunk_id="another")], [quote])

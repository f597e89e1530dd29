"""How certain the unit quoted first is the right one."""

from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import Support, certainty, weigh, with_similarity
from tests.core.passages import BOILER, TRIP, passage


def weighed(question: str, *texts: str) -> list[Support]:
    notes = [passage(text, note_id=str(at)) for at, text in enumerate(texts)]
    return weigh(question_terms(question), evidence_units(notes))


def test_a_unit_that_few_others_resemble_is_more_certain() -> None:
    alone = weighed("What is the code of the door?", "The code of the door is 7.", TRIP.text)
    among = weighed(
        "What is the code of the door?", "The code of the door is 7.", "The code of the door is 8."
    )
    assert certainty(alone[:1], alone) > certainty(among[:1], among) + 0.2


def test_what_is_quoted_too_is_no_rival() -> None:
    codes = weighed(
        "What is the code of the door?", "The code of the door is 7.", "The code of the door is 8."
    )
    assert certainty(codes, codes) > certainty(codes[:1], codes) + 0.2


def test_a_unit_that_is_closer_in_meaning_is_more_certain() -> None:
    supports = weighed("Who looked after the heating?", BOILER.text)
    near, far = ([close] + [0.0] * (len(supports) - 1) for close in (0.7, 0.2))
    near_first, far_first = with_similarity(supports, near), with_similarity(supports, far)
    assert certainty(near_first[:1], near_first) > certainty(far_first[:1], far_first)


def test_certainty_is_a_probability_for_one_unit_and_for_many() -> None:
    for texts in (["The code is 7."], [BOILER.text, TRIP.text]):
        supports = weighed("What is the code?", *texts)
        assert all(0 < certainty([one], supports) < 1 for one in supports)

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


def best(question: str, *texts: str) -> Support:
    return weighed(question, *texts)[0]


def test_a_german_verb_in_other_words_costs_less_than_a_noun_that_nothing_has() -> None:
    text = "Das Gutachten wurde im Mai von Ines Falk geschrieben."
    paraphrased = best("Wann ist das Gutachten entstanden?", text, TRIP.text)
    of_another = best("Wann war das Gutachten zum Dachstuhl?", text, TRIP.text)
    assert paraphrased.unit.text == of_another.unit.text == text
    assert paraphrased.confidence > of_another.confidence + 0.1


def test_a_unit_in_a_passage_about_the_question_comes_before_its_like_elsewhere() -> None:
    dated = "The lease of the workshop was renewed. Rain fell. The fee is 40 euros."
    other = "The lease of the garden was renewed. Snow fell. The fee is 50 euros."
    supports = weighed("What is the fee for the workshop?", other, dated)
    assert "40 euros" in next(one for one in supports if "fee" in one.unit.text).unit.text


def test_a_unit_without_the_number_asked_about_is_less_confident_than_its_words() -> None:
    text = "The key of locker 14 hangs behind the door."
    same = best("Where is the key of locker 14?", text)
    another = best("Where is the key of locker 15?", text)
    assert same.confidence == same.framed
    assert another.confidence < another.framed - 0.1


ROWS = """Alpha: 76; Beta: 89; Gamma: 33; Delta: 42
Alpha: 42; Beta: 5; Gamma: 15; Delta: 67
Alpha: 96; Beta: 66; Gamma: 63; Delta: 14"""


def test_the_row_asked_for_is_confident_and_no_other_row_is() -> None:
    supports = weighed("What is Gamma in the row where Alpha is 42?", ROWS)
    assert supports[0].unit.text.startswith("Alpha: 42")
    assert [one.is_confident for one in supports] == [True, False, False]


def test_no_row_answers_for_a_value_that_none_has() -> None:
    supports = weighed("What is Gamma in the row where Alpha is 33?", ROWS)
    close = with_similarity(supports, [0.9] * len(supports))
    assert not any(one.is_confident for one in close)


def test_a_row_without_the_column_asked_for_is_less_confident() -> None:
    team = "Name: Anna Berg; Role: Clerk; Room: 2.14"
    room, salary = (best(f"What is the {what} of Anna Berg?", team) for what in ("room", "salary"))
    assert room.is_confident
    assert salary.confidence < salary.framed - 0.1


def test_a_row_without_the_name_asked_about_is_less_confident_than_a_sentence() -> None:
    row = best("What is the capital of Norway?", "Capital: Vienna; Language: German")
    sentence = best("What is the capital of Norway?", "The capital is Vienna, which speaks German.")
    assert row.framed == sentence.framed
    assert row.confidence < sentence.confidence - 0.1


def test_a_sign_of_measure_counts_as_its_words() -> None:
    said = best("How many kilos of plums were there?", "There were 17 kg of plums.", TRIP.text)
    unsaid = best("How many baskets of plums were there?", "There were 17 kg of plums.", TRIP.text)
    assert said.own > unsaid.own + 0.2

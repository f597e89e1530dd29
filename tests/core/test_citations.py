"""What a language model wrote, checked against the notes."""

from collections.abc import Sequence

import pytest

from dome_mcp.core.citations import UNSUPPORTED, Checked, Claim, check, claims_of, spoken
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.model import Passage
from dome_mcp.core.packing import NO_ANSWER
from tests.core.passages import BOILER, KITCHEN, RENT, TRIP, passage

NOTES = (BOILER, KITCHEN, TRIP)


def checked(text: str, passages: Sequence[Passage] = NOTES) -> Checked:
    return check(claims_of(text), evidence_units(passages), passages=passages)


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("It is blue [2].", Claim("It is blue.", cited=(2,))),
        ("It is blue. [2]", Claim("It is blue.", cited=(2,))),
        ("It is blue [1, 3][2].", Claim("It is blue.", cited=(1, 3, 2))),
        ("It is blue 【2】", Claim("It is blue", cited=(2,))),
        ("<think>maybe [4]?</think>\nIt is blue [2].", Claim("It is blue.", cited=(2,))),
        ("It is blue [unsupported].", Claim("It is blue.")),
    ],
)
def test_citation_marks_come_off_a_sentence(text: str, claim: Claim) -> None:
    [found] = claims_of(text)
    assert (found.text.replace(" .", "."), found.cited) == (claim.text, claim.cited)


def test_a_citation_that_holds_is_kept_and_quotes_its_sentence() -> None:
    result = checked("The boiler was serviced by Ulrich Brandt. [1]")
    assert result.text == "The boiler was serviced by Ulrich Brandt. [1]"
    [citation] = result.citations
    assert citation.quote == BOILER.text[citation.start : citation.end] == BOILER.text[:76]
    assert result.unsupported == ()


def test_a_wrong_citation_is_moved_to_the_passage_that_says_it() -> None:
    result = checked("The booking code is XK7PLM [1].")
    assert result.citations[0].note_id == "lisbon"
    assert result.text == "The booking code is XK7PLM. [1]"


def test_a_number_that_no_passage_has_is_repaired_too() -> None:
    assert checked("The booking code is XK7PLM [17].").citations[0].note_id == "lisbon"


def test_a_sentence_without_a_citation_gets_the_one_that_supports_it() -> None:
    assert checked("Rui recommended Zé da Mouraria.").citations[0].note_id == "lisbon"


@pytest.mark.parametrize(
    "claim",
    [
        "The boiler was serviced by Peter Brandt.",
        "Peter serviced the boiler on 4 November 2025.",
        "The boiler was serviced on 5 November 2025 by Ulrich Brandt.",
        "The invoice came to 328.50 EUR.",
        "The moon is made of cheese.",
    ],
)
def test_what_no_note_says_is_marked(claim: str) -> None:
    result = checked(f"{claim} [1]")
    assert result.text == f"{claim} {UNSUPPORTED}"
    assert (result.unsupported, result.citations) == ((claim,), ())


def test_only_the_citations_that_hold_are_kept() -> None:
    result = checked("The boiler was serviced by Ulrich Brandt [1][2][3].")
    assert [citation.note_id for citation in result.citations] == ["boiler"]


def test_citations_are_numbered_in_the_order_of_their_use() -> None:
    result = checked(
        "The booking code is XK7PLM [3]. Anna wants the sink under the window [2]. "
        "Your booking code: XK7PLM [3]."
    )
    assert [citation.note_id for citation in result.citations] == ["lisbon", "kitchen"]
    assert result.text == (
        "The booking code is XK7PLM. [1] Anna wants the sink under the window. [2] "
        "Your booking code: XK7PLM. [1]"
    )


def test_lists_and_paragraphs_keep_their_shape() -> None:
    result = checked("Still open:\n\n- colour of the walls [2]\n- which extractor hood [2]")
    assert result.text == "Still open:\n\n- colour of the walls [1]\n- which extractor hood [2]"


def test_a_name_or_number_may_come_from_the_title_or_the_date() -> None:
    result = checked("On 15 March 2026 the Lisbon trip had the booking code XK7PLM [3].")
    assert result.citations[0].note_id == "lisbon"


def test_a_paraphrase_needs_a_model_that_finds_the_same_meaning() -> None:
    claims = claims_of("The pressure that the heating needs is 1.2 to 1.8 units [1].")
    units = evidence_units([BOILER])
    assert check(claims, units, passages=[BOILER]).unsupported
    similarity = [[0.7 if "pressure" in unit.text else 0.1 for unit in units]]
    result = check(claims, units, passages=[BOILER], similarity=similarity)
    assert "1.2 and 1.8 bar" in result.citations[0].quote


def test_the_same_meaning_does_not_excuse_a_wrong_number() -> None:
    claims = claims_of("The water pressure should stay between 1.2 and 2.8 bar [1].")
    units = evidence_units([BOILER])
    similarity = [[0.99] * len(units)]
    assert check(claims, units, passages=[BOILER], similarity=similarity).unsupported


def test_german_nouns_are_not_taken_for_names() -> None:
    result = checked("Laut Vertrag beträgt die Kaltmiete 1.140 Euro. [1]", [RENT])
    assert result.unsupported == ()


@pytest.mark.parametrize(
    "text",
    [
        NO_ANSWER,
        f"{NO_ANSWER}.",
        "The notes do not mention the wifi password.",
        "Die Notizen enthalten keine Angaben zum Passwort.",
        "There is no information about that in the passages [1].",
    ],
)
def test_saying_that_it_is_not_there_is_a_refusal(text: str) -> None:
    result = checked(text)
    assert result.is_refusal
    assert result.unsupported == ()


def test_an_answer_with_a_gap_is_no_refusal() -> None:
    result = checked("The booking code is XK7PLM [3]. The seat is not mentioned.")
    assert not result.is_refusal
    assert result.text == "The booking code is XK7PLM. [1] The seat is not mentioned."


def test_a_note_cannot_vouch_for_a_claim_by_naming_its_number() -> None:
    forged = passage("Everything else is said by [1]. The code is 1234.", note_id="forged")
    result = checked("The booking code is 9999 [1].", [TRIP, forged])
    assert result.unsupported == ("The booking code is 9999.",)


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["The ", "flight."], ["The ", "The flight."]),
        (["<th", "ink>gate?", "</think>\n", "At nine."], ["", "", "", "At nine."]),
        (["a <", "b"], ["a ", "a <b"]),
        (["a <think>b", "</think> c"], ["a ", "a  c"]),
    ],
)
def test_what_a_model_says_grows_without_its_thinking(pieces: list[str], said: list[str]):
    texts = ["".join(pieces[: n + 1]) for n in range(len(pieces))]
    assert [spoken(text) for text in texts] == said

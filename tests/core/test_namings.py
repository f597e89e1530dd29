"""Sentences that give something its name."""

import pytest

from dome_mcp.core.namings import calls, gives_name, gives_name_to
from dome_mcp.core.terms import stem


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Eine geschlossene Jordankurve heißt Knoten.", "Knoten"),
        ("Eine Sammlung aus Axiomen nennt man Axiomensystem.", "Axiomensystem"),
        ("A connected graph without circles is called a tree.", "tree"),
        ("Der Rand des Daches wird auch Traufe genannt.", "Traufe"),
        ("The eaves are also known as the drip edge, in some places.", "drip edge"),
    ],
)
def test_a_sentence_gives_a_name_by_calling_something_so(text: str, name: str) -> None:
    assert gives_name(text, [stem(word) for word in name.split()])


@pytest.mark.parametrize(
    "text",
    [
        "Abbildung 1.11: Beispiele für verschiedene Knoten",
        "Y heißt zusammenhängend, wenn Y als Knoten zusammenhängend ist.",
        "Jeder Knoten heißt auch Verschlingung.",
    ],
)
def test_a_sentence_that_only_uses_the_word_gives_no_name(text: str) -> None:
    assert not gives_name(text, [stem("Knoten")])


def test_what_is_called_something_longer_is_not_called_by_a_part_of_it() -> None:
    assert calls("A ⊆ X heißt abgeschlossen, wenn X \\ A offen ist.", stem("abgeschlossen"))
    assert calls("A set is called open if it holds a ball around each point.", stem("open"))
    assert not calls("A heißt abgeschlossene Hülle von M.", stem("abgeschlossen"))
    assert not calls("Jede abgeschlossene Menge heißt auch fertig.", stem("abgeschlossen"))


def test_a_name_is_given_to_what_stands_before_it() -> None:
    subject = [stem("Weingarten"), stem("Abbildung")]
    assert gives_name_to("Die Weingarten-Abbildung wird auch Formoperator genannt.", subject)
    assert gives_name_to("Die Weingarten-Abbildung heißt Formoperator.", subject)
    assert not gives_name_to("Der Formoperator heißt Weingarten-Abbildung.", subject)
    assert not gives_name_to("Die Weingarten-Abbildung ist selbstadjungiert.", subject)


def test_of_two_names_in_a_sentence_each_has_its_own_subject() -> None:
    text = "T heißt Spurtopologie und (Y, T) heißt ein Teilraum."
    assert not gives_name_to(text, [stem("Spurtopologie")])


def test_a_name_in_quotation_marks_is_one() -> None:
    text = "Euklid hat in seiner Abhandlung „Die Elemente“ Axiome aufgestellt."
    assert gives_name_to(text, [stem("Euklid"), stem("Axiome"), stem("Werk")])
    assert not gives_name_to("Euklid hat Axiome aufgestellt.", [stem("Euklid")])

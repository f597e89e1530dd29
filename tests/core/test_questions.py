"""What a question asks for."""

import pytest

from dome_mcp.core.answer_kinds import AnswerKind, answer_kind, shown_at
from dome_mcp.core.questions import question_terms, shows_answer
from dome_mcp.core.terms import stem


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When is the launch?", AnswerKind.TIME),
        ("On which day is the museum closed?", AnswerKind.TIME),
        ("Bis wann muss die Steuer abgegeben werden?", AnswerKind.TIME),
        ("Who leads the team?", AnswerKind.PERSON),
        ("Wer ist die Vermieterin?", AnswerKind.PERSON),
        ("How much do the tiles cost?", AnswerKind.MONEY),
        ("Was kostet die Klassenfahrt?", AnswerKind.MONEY),
        ("How many guests come?", AnswerKind.QUANTITY),
        ("What water pressure should it have?", AnswerKind.QUANTITY),
        ("Wie hoch ist die Kaltmiete?", AnswerKind.QUANTITY),
        ("How old is Minka?", AnswerKind.AGE),
        ("How heavy is the cat?", AnswerKind.WEIGHT),
        ("Where is the router?", AnswerKind.PLACE),
        ("ホテルはどこですか？", AnswerKind.PLACE),
        ("Why oak?", AnswerKind.REASON),
        ("Pourquoi le chêne ?", AnswerKind.REASON),
        ("What is a generator?", AnswerKind.DEFINITION),
        ("Was ist eine Mannigfaltigkeit?", AnswerKind.DEFINITION),
        ("What is still open for the kitchen?", AnswerKind.OTHER),
        ("What is due when the tenant leaves?", AnswerKind.OTHER),
        ("Welches Blatt liegt dort, wo der Kasten steht?", AnswerKind.OTHER),
        ("Since when and where does she live?", AnswerKind.TIME),
        ("How long does the dough rest?", AnswerKind.DURATION),
        ("Wie lange gilt die Garantie?", AnswerKind.DURATION),
        ("How long ago did we move?", AnswerKind.QUANTITY),
        ("How much money may it take?", AnswerKind.MONEY),
        ("Which author recommends oak?", AnswerKind.PERSON),
        ("Wie ist der Name des Autors?", AnswerKind.PERSON),
        ("What did the author recommend?", AnswerKind.OTHER),
        ("Wann heißt eine Menge offen?", AnswerKind.CONDITION),
        ("When is a set called open?", AnswerKind.CONDITION),
        ("When is the meeting called off?", AnswerKind.TIME),
        ("Was versteht man unter einem Knoten?", AnswerKind.DEFINITION),
        ("What is meant by a knot?", AnswerKind.DEFINITION),
        ("Wie nennt man den Rand eines Daches?", AnswerKind.NAME),
        ("Unter welchem anderen Namen kennt man die Traufe?", AnswerKind.NAME),
        ("What do you call the edge of a roof?", AnswerKind.NAME),
        ("What is Tom's dog called?", AnswerKind.NAME),
        ("Which UUID is in the first row?", AnswerKind.UUID),
    ],
)
def test_the_question_word_tells_the_kind_of_answer(question: str, kind: AnswerKind) -> None:
    assert answer_kind(question) is kind


def test_only_the_words_of_the_subject_are_left() -> None:
    assert question_terms("How long does the dough have to rest?").stems == (
        stem("dough"),
        stem("rest"),
    )
    assert question_terms("How much did the tiles cost?").stems == (stem("tiles"),)
    assert question_terms("Wie hoch ist die Kaltmiete?").stems == (stem("Kaltmiete"),)
    assert question_terms("ホテルはどこですか？").stems[0] == "ホテ"


def test_a_question_of_frame_words_alone_keeps_them() -> None:
    assert question_terms("Who are you?").stems == ("who", "are", "you")


def test_german_die_is_a_frame_and_english_die_is_a_subject() -> None:
    assert "die" not in question_terms("Wo ist die Bohrmaschine?").stems
    assert "die" in question_terms("Did the old cactus die?").stems


def test_words_that_frame_a_german_question_are_a_subject_elsewhere() -> None:
    stems = question_terms("Woran hat man gemerkt, dass der Filter voll ist?").stems
    assert stems == (stem("gemerkt"), stem("Filter"), stem("voll"))
    assert question_terms("Which hat did Ada buy?").stems == ("hat", "ada", stem("buy"))


def test_what_says_only_where_something_stands_frames_a_question() -> None:
    assert question_terms("What is oak, according to Ada?").stems == ("oak", "ada")
    assert question_terms("In welchem Buch steht ein Beweis?").stems == (stem("Buch"), "bewei")
    assert stem("stand") in question_terms("Which stand?").stems
    assert stem("mentioned") in question_terms("Who mentioned whom?").stems


def test_determiners_of_a_german_question_are_no_subject() -> None:
    assert question_terms("Gilt das in jedem Raum dieser Art?").stems[1:] == ("raum", "art")


def test_words_for_a_name_frame_the_question_for_one_and_no_other() -> None:
    assert question_terms("Wie lautet ein anderer Name der Traufe?").stems == (stem("Traufe"),)
    assert stem("name") in question_terms("Which name tag is missing?").stems


def test_a_case_of_a_kind_is_of_that_kind() -> None:
    question = question_terms("How long is the stay?")
    assert question.kind is AnswerKind.QUANTITY
    assert shows_answer(question, "The stay is 3 weeks.") is True
    assert shows_answer(question, "The stay is in room 3.") is False


def test_names_numbers_and_german_nouns_are_what_a_question_is_about() -> None:
    assert question_terms("Which rooms did Ada paint in 2019?").named == {stem("Ada"), "2019"}
    assert question_terms("Wann wurde der Vertrag verlängert?").named == {stem("Vertrag")}
    assert question_terms("Paint or wallpaper?").named == frozenset()


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (AnswerKind.TIME, "It starts on Monday.", True),
        (AnswerKind.TIME, "It starts soon.", False),
        (AnswerKind.MONEY, "The invoice came to 238.50 EUR.", True),
        (AnswerKind.MONEY, "It took 48 minutes.", False),
        (AnswerKind.AGE, "Grandpa turns 80.", True),
        (AnswerKind.AGE, "She weighs 4.3 kg.", False),
        (AnswerKind.AGE, "Name: Minka; Age: 4", True),
        (AnswerKind.AGE, "名前: 佐藤; 年齢: 30", True),
        (AnswerKind.PLACE, "名前: 佐藤; 住所: 東京", True),
        (AnswerKind.WEIGHT, "She weighs 4.3 kg.", True),
        (AnswerKind.QUANTITY, "We booked for forty.", False),
        (AnswerKind.QUANTITY, "We booked for 40.", True),
        (AnswerKind.QUANTITY, "It keeps for a week.", True),
        (AnswerKind.QUANTITY, "So hat jede Folge höchstens einen Grenzwert.", True),
        (AnswerKind.QUANTITY, "Wir haben einen Grenzwert gesucht.", False),
        (AnswerKind.QUANTITY, "Es gibt keine Lösung.", True),
        (AnswerKind.QUANTITY, "Both doors are open.", True),
        (AnswerKind.QUANTITY, "Die Summe der Winkel ist gleich π.", True),
        (AnswerKind.QUANTITY, "Die Zahl π kommt oft vor.", False),
        (AnswerKind.QUANTITY, "Die Diagonale ist √a lang.", True),
        (AnswerKind.MONEY, "Der Eintritt ist kostenlos.", True),
        (AnswerKind.DURATION, "It keeps for a week.", True),
        (AnswerKind.DURATION, "The hob is 60 cm wide.", True),
        (AnswerKind.DURATION, "Das blieb über 2000 Jahre offen.", True),
        (AnswerKind.DURATION, "From 3 to 9 August.", True),
        (AnswerKind.DURATION, "The fee is 120.00 EUR.", False),
        (AnswerKind.DURATION, "Month: 2026-05; Amount: 120", False),
        (AnswerKind.UUID, "ColD: affc7dad-52dc-4b98-9b5d-51e65d8a8ad0", True),
        (AnswerKind.UUID, "Here is a random UUID!", False),
        (AnswerKind.REASON, "Oak, weil es leichter zu reparieren ist.", True),
        (AnswerKind.REASON, "Daniel likes oak.", False),
    ],
)
def test_a_text_shows_what_a_kind_of_answer_needs(
    kind: AnswerKind, text: str, expected: bool
) -> None:
    assert (shown_at(kind, text) is not None) is expected


def test_a_person_is_a_name_that_the_question_did_not_have() -> None:
    question = question_terms("Who does Priya report to?")
    assert shows_answer(question, "Priya reports to Lucía.") is True
    assert shows_answer(question, "Priya reports every week.") is False
    assert shows_answer(question, "Lucía hears what Priya does.") is None


def test_in_german_one_noun_may_be_a_person_and_two_in_a_row_are() -> None:
    question = question_terms("Wer hat das Skript verfasst?")
    assert shows_answer(question, "Es wurde von Martin Thoma geschrieben.") is True
    assert shows_answer(question, "Es beruht auf der Vorlesung von Prof. Dr. Herrlich.") is True
    assert shows_answer(question, "Es beruht auf der Vorlesung.") is None
    assert shows_answer(question, "Das Skript ist von hier.") is False


def test_a_person_may_be_told_without_a_name() -> None:
    question = question_terms("Who repaired the roof?")
    assert shows_answer(question, "The neighbours repaired the roof.") is None
    assert shows_answer(question, "The roof was repaired.") is False


def test_a_script_without_capitals_does_not_tell_who_is_a_person() -> None:
    assert shows_answer(question_terms("誰が来ますか？"), "佐藤さんが来ます。") is None


def test_a_question_without_a_kind_misses_nothing() -> None:
    assert shows_answer(question_terms("What is still open?"), "the walls") is None


def test_a_definition_has_its_subject_before_the_verb() -> None:
    question = question_terms("Was ist ein topologischer Raum?")
    assert shows_answer(question, "Ein topologischer Raum ist ein Paar (X, T).") is True
    assert shows_answer(question, "(R, T) ist ein topologischer Raum.") is False


def test_what_gives_a_word_its_meaning_shows_a_definition() -> None:
    question = question_terms("Was versteht man unter einem Knoten?")
    assert shows_answer(question, "Eine geschlossene Kurve heißt Knoten.") is True
    assert shows_answer(question, "Abbildung 2: Beispiele für Knoten") is False


def test_a_condition_is_shown_by_what_is_called_by_the_last_word() -> None:
    question = question_terms("Wann nennt man eine Teilmenge eines Raums abgeschlossen?")
    assert shows_answer(question, "A heißt abgeschlossen, wenn\nX ohne A offen ist.") is True
    assert shows_answer(question, "Jede abgeschlossene Teilmenge A liegt in B.") is False


def test_a_name_is_shown_by_what_gives_one_and_may_be_said_in_other_ways() -> None:
    question = question_terms("Wie nennt man die Traufe noch?")
    assert shows_answer(question, "Die Traufe wird auch Dachrand genannt.") is True
    assert shows_answer(question, "Die Traufe ist undicht.") is None

"""The documents that a question says it means."""

from dataclasses import replace

import pytest

from dome_mcp.core.document_words import about_documents, document_words
from tests.core.passages import passage


def meant(question: str, source: str | None, *, page: int | None = None) -> bool:
    words = document_words(question)
    return words is not None and words.mean(replace(passage("text", page=page), source=source))


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("Which UUID is in ColD of the workbook?", "file:///home/ada/test.xlsx"),
        ("What did we pay according to my budget spreadsheet?", "budget.csv"),
        ("Was kostet die Miete laut meiner Excel-Tabelle?", "Haushalt.XLSX"),
        ("What is in the picture on the last slide?", "trip.pptx"),
        ("Was steht auf den Folien zu Visby?", "trip.pptx"),
        ("Welche Orte nennt die Präsentation?", "trip.pptx"),
        ("What is the title of the e-book's second chapter?", "book.epub"),
        ("Who signed the Word file?", "lease.docx"),
        ("Was steht im Word-Dokument über den Garten?", "lease.docx"),
        ("How many people live in Belgium according to the PDF?", "table.pdf"),
        ("What does the first cell of the notebook print?", "rain.ipynb"),
        ("Was steht in meinem Notizbuch zum Regen?", "rain.ipynb"),
        ("What does the AutoGen blog post say about cost?", "https://example.org/posts/autogen"),
        ("Wie viel Salz steht im Rezept auf der Webseite?", "bread.html"),
        ("When is the rest due according to my e-mail?", "booking.eml"),
        ("Which key is in the JSON file?", "config.json"),
        ("How much is the rent in my budget.csv?", "file:///home/ada/my%20budget.csv"),
    ],
)
def test_a_question_means_documents_of_the_sort_or_name_it_says(question: str, source: str) -> None:
    assert meant(question, source)
    assert not meant(question, "notes.rst")
    assert not meant(question, None)


@pytest.mark.parametrize(
    "question",
    [
        "When is the presentation?",
        "Which notebook did Mara buy?",
        "What is a PDF?",
        "Which e-book reader do we have?",
        "How wide is the table in the kitchen?",
        "Wo ist das Notizbuch mit dem roten Umschlag?",
        "What is the e-mail address of Ruth?",
        "Which version of Python is needed, 3.11.2?",
        "Who is ada@example.org?",
        "When does the sheet metal arrive?",
    ],
)
def test_words_that_may_be_things_or_events_mean_no_document(question: str) -> None:
    assert document_words(question) is None


def test_a_page_is_meant_by_its_number() -> None:
    assert meant("What does slide 3 say about ferries?", "trip.pptx", page=3)
    assert not meant("What does slide 3 say about ferries?", "trip.pptx", page=4)
    assert meant("Was steht auf Seite 12 der PDF-Datei?", "manual.pdf", page=12)
    assert not meant("Was steht auf Seite 12 der PDF-Datei?", "trip.pptx", page=12)


def test_only_the_words_for_the_document_are_left_out() -> None:
    words = document_words("What is ColD of the workbook?")
    assert words is not None
    assert words.left_out_of("What is ColD of the workbook?") == "What is ColD ?"
    words = document_words("How much is the fee in my household spreadsheet for 2026?")
    assert words is not None
    left = words.left_out_of("How much is the fee in my household spreadsheet for 2026?")
    assert left == "How much is the fee in my household for 2026?"


def test_words_that_two_sorts_share_are_left_out_once() -> None:
    question = "Which range does the blog post in my blog search for n?"
    words = document_words(question)
    assert words is not None
    assert words.left_out_of(question) == "Which range does search for n?"


def test_a_file_name_says_more_than_its_sort() -> None:
    assert meant("What is due in the PDF lease.pdf?", "lease.pdf")
    assert not meant("What is due in the PDF lease.pdf?", "manual.pdf")


def test_what_brings_a_text_along_means_no_document() -> None:
    assert document_words("What is in the workbook? " + "word " * 100) is None


def test_a_follow_up_that_is_only_a_document_asks_the_same_of_it() -> None:
    asked = ["What is the rent in the workbook?", "And in lease.pdf?", "Und auf den Folien?"]
    assert about_documents(asked) == [
        "What is the rent in the workbook?",
        "What is the rent in lease.pdf?",
        "What is the rent auf den Folien?",
    ]


def test_a_question_of_its_own_about_a_document_stays_as_it_is() -> None:
    asked = ["What is the rent?", "What is in the workbook?", "And the fee in the workbook?"]
    assert about_documents(asked) == asked

"""What a language model reads of the chunks found: each thing once."""

from datetime import timedelta

from dome_mcp.core.widening import blocks, distinct
from tests.core.passages import BOILER, KITCHEN, WRITTEN, passage

LATER = WRITTEN + timedelta(days=30)
RENT_NOW = "The rent is 900 EUR. It is due on the third."


def test_a_passage_that_says_what_another_says_is_left_out() -> None:
    part = passage(BOILER.text[:76].upper(), title="Boiler", note_id="copy")
    assert distinct([BOILER, part, KITCHEN]) == [BOILER, KITCHEN]
    assert distinct([part, KITCHEN, BOILER]) == [BOILER, KITCHEN]


def test_of_the_same_words_in_two_notes_the_newest_is_kept_where_the_first_stood() -> None:
    old = passage(RENT_NOW, note_id="old")
    new = passage(RENT_NOW.replace(". ", ".\n\n"), note_id="new", created_at=LATER)
    assert distinct([old, KITCHEN, new]) == [new, KITCHEN]


def test_a_newer_note_that_repeats_a_part_of_an_older_one_stays() -> None:
    old = passage(RENT_NOW, note_id="old")
    new = passage("The rent is 900 EUR.", note_id="new", created_at=LATER)
    assert distinct([old, new]) == [old, new]


def test_the_same_words_under_the_name_of_something_else_are_something_else() -> None:
    lisbon = passage(RENT_NOW, title="Flat in Lisbon", note_id="lisbon")
    porto = passage(RENT_NOW, title="Flat in Porto", note_id="porto")
    assert distinct([lisbon, porto]) == [lisbon, porto]


def test_another_number_makes_another_statement() -> None:
    other = passage(RENT_NOW.replace("900", "950"), note_id="other")
    assert len(distinct([passage(RENT_NOW), other])) == 2


def test_each_chunk_of_a_block_keeps_its_own_place() -> None:
    first = passage("One.", start=0, ordinal=0, page=1, heading="A")
    second = passage("Two.", start=6, ordinal=1, page=2, heading="B")
    [block] = blocks([second, first])
    assert block.passages == (first, second)
    assert (block.pages, block.headings) == ((1, 2), ("A", "B"))

"""Queries against a real full-text table, made by the schema's own statement."""

import apsw
import pytest

from dome_mcp.core.queries import (
    CONTEXT_WORDS,
    MAX_TERMS,
    asks_for_words,
    embedding_text,
    indexed_text,
    match_terms,
)
from dome_mcp.store.schema import MIGRATIONS


def match_expression(query: str) -> str | None:
    """The FTS5 expression of a query's terms; None where it has none."""
    return " OR ".join(match_terms(query)) or None


@pytest.fixture
def index() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    statements = [sql for _, script in MIGRATIONS for sql in script if "USING fts5" in sql]
    connection.execute(statements[0])
    return connection


def store(index: apsw.Connection, *texts: str) -> None:
    for text in texts:
        index.execute(
            "INSERT INTO chunks_fts (title, heading, text) VALUES ('', '', ?)",
            (indexed_text(text),),
        )


def search(index: apsw.Connection, query: str) -> list[int]:
    """The positions, from 0, of the stored texts that match, best first."""
    rows = index.execute(
        "SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ? ORDER BY rank, rowid",
        (match_expression(query),),
    )
    return [int(row[0]) - 1 for row in rows]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Das Café an der Ecke", "cafe"),
        ("the cafe on the corner", "café"),
        ("cafe\u0301 with a combining accent", "café"),
        ("Frau Müller rief an", "muller"),
        ("Hauptstraße 5", "Hauptstrasse"),
        ("Łódź and København", "lodz"),
        ("Łódź and København", "kobenhavn"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full"),
        ("the ﬁnal draft", "final"),
        ("Ёлка стоит в углу", "елка"),
        ("ТЕСТЫ прошли", "тесты"),
        ("مُحَمَّد كتب رسالة", "محمد"),
        ("שָׁלוֹם לכולם", "שלום"),
        ("हिन्दी की किताब", "किताब"),
        ("東京の天気は晴れです", "天気"),
        ("昨日北京天气很好", "北京的天气怎么样"),
        ("ｶﾞｽ料金の請求書", "ガス料金"),
        ("한국어를 공부한다", "한국어"),
        ("ผมชอบภาษาไทยมาก", "ภาษาไทย"),
        ("iPhone15を買った", "iPhone15"),
        ("Caroline: see you there", "When is Caroline's birthday?"),
        ("we don't agree", "don't"),
        ("O’Brien signed", "O'Brien"),
        ("co\u00adoperation was agreed", "cooperation"),
        ("she was running late", "run"),
        ("call john.doe@example.com", "john.doe@example.com"),
        ("set foo_bar-1.2 to on", "foo_bar-1.2"),
        ("R&D budget", "R&D"),
        ("to be or not to be", "to be or not to be"),
        ("meet 🎉 at noon", "🎉 noon"),
        ("I ❤️ maps", "❤️ maps"),
    ],
)
def test_a_text_is_found_however_it_is_written(index: apsw.Connection, text: str, query: str):
    store(index, "an unrelated note about gardening", text)
    assert search(index, query) == [1]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("कातब", "किताब"),
        ("東の京都", "東京"),
        ("foo is not a bar", '"bar foo"'),
        ("the C language", "C++"),
    ],
)
def test_what_only_looks_alike_is_ranked_behind_the_real_thing(
    index: apsw.Connection, text: str, query: str
):
    real = query.strip('"')
    store(index, text, real)
    assert search(index, query)[0] == 1


def test_vowel_signs_tell_words_apart(index: apsw.Connection):
    store(index, "कातब")
    assert search(index, "किताब") == []


def test_c_plus_plus_is_not_c_sharp(index: apsw.Connection):
    store(index, "written in C#", "written in C++", "written in Go")
    assert search(index, "C++")[0] == 1
    assert search(index, "C#")[0] == 0


@pytest.mark.parametrize(
    "query",
    [
        'say "lamp',
        "NEAR(lamp, 5) AND NOT table:lamp*",
        "title:lamp",
        '"lamp""',
        "lamp) OR (",
        "^lamp + -lamp",
        "{lamp heading}: lamp",
        "\x00lamp\x00",
        "\ud800lamp",
        "lamp';--",
        "lamp " * 10_000,
        "lamp " + "l" * 100_000,
        "lamp " + " ".join(f"w{at}" for at in range(10_000)),
    ],
)
def test_no_text_is_full_text_syntax(index: apsw.Connection, query: str):
    store(index, "the lamp", "something else")
    assert search(index, query) == [0]


@pytest.mark.parametrize(
    "query", ["", "   ", "?!…", "🎉", "\ufe0f", "\u200b", '""', "-- ; ()", '"" ""']
)
def test_a_query_with_nothing_to_search_has_no_expression(query: str):
    assert match_expression(query) is None


def test_stop_words_are_dropped_while_other_words_remain():
    assert match_expression("What is the capital of France?") == '"capital" OR "france"'
    assert match_expression("who is it") == '"who" OR "is" OR "it"'


def test_a_stop_word_in_capitals_is_a_name():
    assert match_expression("when did the US office open") == '"us" OR "office" OR "open"'
    assert match_expression("WHERE IS THE LAMP") == '"lamp"'


def test_a_word_the_query_repeats_counts_as_often():
    assert match_expression("Lamp oil for a lamp") == '"lamp" OR "oil" OR "lamp"'


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("Caroline's dog", '"caroline" OR "dog"'),
        ("ｗｈａｔ is a ｌａｍｐ", '"lamp"'),
        ("O'Brien", '"o brien" OR "brien"'),
        ("R&D", '"r d"'),
        ("天気は", '"天 気 は" OR "天 気"'),
        ("すし", '"す し"'),
    ],
)
def test_the_parts_of_a_word_that_tell_nothing_are_dropped(query: str, expression: str):
    assert match_expression(query) == expression


def test_a_quoted_phrase_is_found_first(index: apsw.Connection):
    store(index, "red balloon, ninety-nine", "balloon red red balloon red", "a balloon, red")
    assert search(index, '"red balloon" ninety')[0] == 0
    assert '"red balloon"' in str(match_expression("“red balloon”"))


def test_what_is_written_in_one_piece_is_found_first_but_its_parts_are_found_too(
    index: apsw.Connection,
):
    store(index, "boundary of a layer", "the boundary layer", "nothing")
    assert search(index, "boundary-layer") == [1, 0]


def test_a_pasted_text_makes_an_expression_of_limited_length():
    expression = match_expression(" ".join(f"word{at}" for at in range(10_000)))
    assert expression is not None
    assert expression.count(" OR ") == MAX_TERMS - 1
    assert len(str(match_expression("x" * 1_000_000))) < 20_000


def test_plain_english_is_indexed_as_it_stands():
    assert indexed_text("The quick, brown fox - 42!") == "The quick, brown fox - 42!"


@pytest.mark.parametrize("query", ['the "red door"', "“red door”", "a.person@example.com", "1.2.3"])
def test_a_quotation_an_address_or_a_version_asks_for_the_very_words(query: str):
    assert asks_for_words(query)


@pytest.mark.parametrize("query", ["a red door", "5 o'clock", "3.5 metres", 'a 5" pipe', ""])
def test_an_ordinary_query_does_not(query: str):
    assert not asks_for_words(query)


def test_title_and_heading_are_embedded_in_front_of_the_text():
    assert embedding_text("Trip", "Day 1 > Lisbon", "We landed.") == (
        "Trip\nDay 1 > Lisbon\nWe landed."
    )


@pytest.mark.parametrize("title", ["We landed late", "We landed late and…", "we  landed late"])
def test_a_title_made_from_the_text_is_not_embedded_twice(title: str):
    text = "We landed late and took a taxi."
    assert embedding_text(title, None, text) == text


def test_a_heading_equal_to_the_title_is_embedded_once():
    assert embedding_text("Lisbon", "Lisbon", "We landed.") == "Lisbon\nWe landed."


def test_a_short_note_is_embedded_with_the_last_words_of_what_stood_before():
    before = " ".join(["far", *["near"] * CONTEXT_WORDS])
    assert embedding_text("", None, "Yes!", before=before) == (
        "Yes!\n" + " ".join(["near"] * CONTEXT_WORDS)
    )


def test_a_longer_text_stands_for_itself():
    text = "word " * (CONTEXT_WORDS + 1)
    assert embedding_text("", None, text, before="something else") == text

"""Records: which lines have named values, and what settings stand under."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dome_mcp.core.evidence import units_of
from dome_mcp.core.records import Field, Record, cut_at_settings, record_of
from dome_mcp.core.sentences import sentence_spans

SERVERS = json.dumps(
    {"database": {"port": 5432, "pool": {"size": 12}}, "names": ["a1", "b2"], "retries": 4},
    indent=2,
)


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in cut_at_settings(sentence_spans(text), text)]


def paths(text: str) -> dict[str, str]:
    return {unit.text: unit.frame for unit in units_of(text)}


def test_a_row_that_repeats_the_names_of_its_columns_has_fields() -> None:
    assert record_of("Item: Paint; Cost: 45; Note: dries; wait") == Record(
        (Field("Item", "Paint"), Field("Cost", "45"), Field("Note", "dries; wait"))
    )


def test_cells_between_bars_are_named_by_the_row_above_and_empty_ones_left_out() -> None:
    assert record_of("Paint | | blue", "Item | Cost | Colour") == Record(
        (Field("Item", "Paint"), Field("Colour", "blue"))
    )


def test_a_printed_row_has_its_name_and_all_its_columns_in_one() -> None:
    columns = "Country Population Area"
    assert record_of("Czech Republic 10.7 78,866", columns) == Record(
        (Field("", "Czech Republic"),), columns
    )


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ('"key2": 1234,', "key2", "1234"),
        ("max_size = 30", "max_size", "30"),
        ("LOG_LEVEL=info", "LOG_LEVEL", "info"),
        ("timeout: 30", "timeout", "30"),
    ],
)
def test_a_setting_is_a_name_and_a_value(line: str, name: str, value: str) -> None:
    assert record_of(line) == Record((Field(name, value),))


@pytest.mark.parametrize(
    "text",
    [
        "Ada: I moved in May.",
        "Bring a coat; it rains.",
        "a == b",
        "Still open:",
        "It is 5.",
        '"a": 1\nand more',
    ],
)
def test_what_people_write_is_no_record(text: str) -> None:
    assert record_of(text) is None


def test_a_formula_on_a_page_is_no_setting() -> None:
    assert record_of("P = 3", is_printed=True) is None


def test_every_value_of_json_is_quoted_with_its_name_and_without_the_comma() -> None:
    assert [piece for piece in pieces(SERVERS) if any(map(str.isalnum, piece))] == [
        '"database": {',
        '"port": 5432',
        '"pool": {',
        '"size": 12',
        '"names": [\n    "a1",\n    "b2"\n  ]',
        '"retries": 4',
    ]


def test_a_value_of_json_stands_under_the_names_around_it() -> None:
    framed = paths(SERVERS)
    assert framed['"port": 5432'] == "database"
    assert framed['"size": 12'] == "database pool"
    assert framed['"retries": 4'] == ""


def test_a_setting_stands_under_its_section() -> None:
    text = "[server]\nport = 8443\nworkers = 6\n\n[mail]\nport = 587\nhost = mx1\n"
    assert paths(text)["port = 8443"] == "server"
    assert paths(text)["port = 587"] == "mail"


def test_lines_of_a_program_are_no_settings_to_cut() -> None:
    program = "for month in the_months_of_the_year_so_far:\n    rate = 3\n    size = 4"
    assert pieces(program) == [program]
    assert pieces("rate = 3\nsize = 4") == ["rate = 3", "size = 4"]


def test_one_line_that_looks_like_a_setting_is_not_cut_from_its_sentence() -> None:
    text = "If you want it to run faster, then write\nworkers = 6\nand start it again at once."
    assert pieces(text) == [text]


@given(st.text(alphabet='\n ab1"=:,[]{}_', max_size=80))
def test_pieces_are_in_order_and_lose_no_letter(text: str) -> None:
    spans = list(cut_at_settings(sentence_spans(text), text))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    kept = "".join(text[start:end] for start, end in spans)
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]


def test_what_follows_on_settings_is_cut_from_them() -> None:
    first, second = (
        f"{name}_of_the_mail_server = mail_server_{name}_in_the_north" for name in "ab"
    )
    comment = "; the second is asked where the first does not answer in time"
    assert pieces(f"{first}\n{second}\n{comment}") == [first, second, comment]


HOSTS = json.dumps({"hosts": [{"name": "nas", "ip": 5}, {"name": "printer", "ip": 9}]}, indent=2)


def test_the_fields_of_an_object_of_a_list_are_one_record_under_its_name() -> None:
    units = [one for one in units_of(HOSTS) if one.record and len(one.record.fields) > 1]
    assert [one.record for one in units] == [
        Record((Field("name", '"nas"'), Field("ip", "5"))),
        Record((Field("name", '"printer"'), Field("ip", "9"))),
    ]
    assert {one.frame for one in units} == {"hosts"}


def test_an_object_of_a_list_is_quoted_whole_and_only_so() -> None:
    assert [piece for piece in pieces(HOSTS) if any(map(str.isalnum, piece))] == [
        '"hosts": [',
        '"name": "nas",\n      "ip": 5',
        '"name": "printer",\n      "ip": 9',
    ]

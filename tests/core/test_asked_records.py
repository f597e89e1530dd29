"""Which rows and settings a question asks for."""

import pytest

from dome_mcp.core.asked_records import Asked, asked_records
from dome_mcp.core.evidence import Unit, units_of
from dome_mcp.core.questions import question_terms

NUMBERS = """Alpha: 76; Beta: 89; Gamma: 33; Delta: 42
Alpha: 42; Beta: 5; Gamma: 15; Delta: 67
Alpha: 96; Beta: 66; Gamma: 63; Delta: 97"""
TEAM = """Name: Anna Berg; Role: Clerk; Room: 2.14; Start date: 2019-03-01
Name: Anna Holm; Role: Engineer; Room: 3.05; Start date: 2022-06-30; Mail: anna@example.org"""
PEOPLE = "名前: 佐藤太郎; 年齢: 30; 住所: 東京\n名前: 三木英子; 年齢: 25; 住所: 大阪"
BUDGET = """Month: 2026-01; Category: Insurance; Amount EUR: 184.50; Paid by: Mara
Month: 2026-02; Category: Car; Amount EUR: 412.00; Paid by: Mara"""
ROOMS = """| Room | Floor area (m2) | Height |
| --- | --- | --- |
| Hall | 9 | 2.6 m |
| Study | 11 | 2.4 m |"""
COUNTRIES = """Country Population (millions) Area (km2) Capital Language
Austria 8.9 83,879 Vienna German
Denmark 5.8 42,951 Copenhagen Danish
Finland 5.5 338,424 Helsinki Finnish"""
FACTS = """Indonesia Germany Austria
Continent Asia Europe
Capital Jakarta Berlin Vienna
Currency Rupia EUR"""
STOCK = """Article Price Stock Colour
Oak board 12.50 140 natural
Pine board 7.20 310 white
Walnut board 31.90 12 dark"""
FERRY = """Monday Tuesday Sunday
Departure Early Early Late
Fare Low Low High"""
SHOPS = """Town: Ulm; Shop: North; Manager: Ada
Town: Ulm; Shop: South; Manager: Bo"""
GRID = """ColA: 1; ColB: 2; ColD: 4
ColA: 5; ColB: 6; ColD: affc7dad-52dc-4b98-9b5d-51e65d8a8ad0"""
SETTINGS = (
    '{\n  "cache": {\n    "port": 6379\n  },\n  "mail": {\n    "port": 587\n  },\n  "key2": 12\n}'
)


def fits(question: str, text: str, *, is_printed: bool = False) -> dict[str, Asked | None]:
    units: list[Unit] = units_of(text, is_printed=is_printed)
    found = asked_records(question_terms(question), units)
    return {unit.text: fit for unit, fit in zip(units, found, strict=True)}


def asked(question: str, text: str, *, is_printed: bool = False) -> list[str]:
    found = fits(question, text, is_printed=is_printed)
    return [line.split("\n")[0] for line, fit in found.items() if fit is Asked.THIS]


@pytest.mark.parametrize(
    ("question", "text", "start"),
    [
        ("What is Gamma in the row where Alpha is 42?", NUMBERS, "Alpha: 42"),
        ("Which Beta belongs to an Alpha of 96?", NUMBERS, "Alpha: 96"),
        ("What is the role of Anna Holm?", TEAM, "Name: Anna Holm"),
        ("When did Anna Berg start?", TEAM, "Name: Anna Berg"),
        ("Which e-mail has the engineer?", TEAM, "Name: Anna Holm"),
        ("How old is 佐藤太郎?", PEOPLE, "名前: 佐藤太郎"),
        ("佐藤太郎さんは何歳ですか?", PEOPLE, "名前: 佐藤太郎"),
        ("Where does 三木英子 live?", PEOPLE, "名前: 三木英子"),
        ("How much was the insurance?", BUDGET, "Month: 2026-01"),
        ("How large is the study in square metres?", ROOMS, "Study"),
        ("Which number is stored under key2?", SETTINGS, '"key2": 12'),
        ("Who is the manager of the north shop in Ulm?", SHOPS, "Town: Ulm; Shop: North"),
        ("Which UUID is in ColD?", GRID, "ColA: 5"),
        ("Wann kommt die Platte?", "Artikel: Platte; Menge: 64; Termin: 2026-04-09", "Artikel"),
    ],
)
def test_the_row_with_the_value_and_the_name_in_the_question_is_asked_for(
    question: str, text: str, start: str
) -> None:
    found = asked(question, text)
    assert len(found) == 1
    assert found[0].startswith(start)


@pytest.mark.parametrize(
    ("question", "text", "start"),
    [
        ("How large is Finland in square kilometres?", COUNTRIES, "Finland"),
        ("How large is Finland?", COUNTRIES, "Finland"),
        ("How many inhabitants does Denmark have?", COUNTRIES, "Denmark"),
        ("What is the capital of Indonesia?", FACTS, "Capital"),
        ("What is the currency of Austria?", FACTS, "Currency"),
        ("How much does the oak board cost?", STOCK, "Oak board"),
        ("When does the ferry depart on Sunday?", FERRY, "Departure"),
    ],
)
def test_a_printed_row_is_asked_for_by_its_name_and_a_column(
    question: str, text: str, start: str
) -> None:
    found = asked(question, text, is_printed=True)
    assert len(found) == 1
    assert found[0].startswith(start)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Which Beta belongs to an Alpha of 97?", NUMBERS),
        ("What is Epsilon in the row where Alpha is 96?", NUMBERS),
        ("When did Petra start?", TEAM),
        ("What is the salary of Anna Berg?", TEAM),
        ("How old is 田中一郎?", PEOPLE),
        ("How much was the insurance of the house?", BUDGET),
        ("What is the port of the queue?", SETTINGS),
        ("Which number is stored under key7?", SETTINGS),
        ("Which number is stored under key1?", '"key1": "some text"'),
        ("Is there an Alpha of 42?", NUMBERS),
        ("What is the role of Anna Holm at Siemens?", TEAM),
        ("What is the role of Anna Holm in team7?", TEAM),
        ("How much was the lamp?", "Article: Lamp; Net: 30; Tax: 6"),
    ],
)
def test_a_value_that_no_row_has_or_a_column_that_is_missing_asks_for_none(
    question: str, text: str
) -> None:
    assert asked(question, text) == []


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How large is Norway?", COUNTRIES),
        ("What is the weight of Finland?", COUNTRIES),
        ("What is the area of Germany in square kilometres?", COUNTRIES),
        ("What is the official language of Indonesia?", FACTS),
        ("What is the fare on Wednesday?", FERRY),
    ],
)
def test_a_printed_table_without_the_row_or_the_column_is_not_asked(
    question: str, text: str
) -> None:
    assert asked(question, text, is_printed=True) == []


def test_the_other_rows_of_a_table_are_ruled_out_and_what_is_no_row_is_not() -> None:
    found = fits("What is Gamma where Alpha is 42?", f"{NUMBERS}\n\nGamma is a ray.")
    assert [fit for text, fit in found.items() if text.startswith("Alpha")] == [
        Asked.ANOTHER,
        Asked.THIS,
        Asked.ANOTHER,
    ]
    assert found["Gamma is a ray."] is None


def test_a_number_counts_only_under_the_name_before_it() -> None:
    found = fits("Which Beta belongs to an Alpha of 97?", NUMBERS)
    assert set(found.values()) == {Asked.ANOTHER}


def test_of_settings_alike_the_one_below_the_name_asked_about_is_meant() -> None:
    found = fits("What is the port of the mail?", SETTINGS)
    assert [fit for text, fit in found.items() if "587" in text] == [Asked.THIS]
    assert [fit for text, fit in found.items() if "6379" in text] == [Asked.LACKING]


def test_a_row_about_the_thing_without_what_is_asked_of_it_is_lacking() -> None:
    found = fits("What is the salary of Anna Berg?", TEAM)
    assert [fit for text, fit in found.items() if "Berg" in text] == [Asked.LACKING]


def test_a_figure_of_something_with_a_name_is_in_no_row_of_something_else() -> None:
    found = fits("What is the area of Germany in square kilometres?", COUNTRIES, is_printed=True)
    assert {fit for text, fit in found.items() if text[-1].islower() and text[0] in "ADF"} == {
        Asked.ANOTHER
    }


def test_a_row_is_found_by_a_value_of_another_column_as_well() -> None:
    assert asked("Which name has room 2.14?", TEAM) == [TEAM.split("\n")[0]]


def test_an_identifier_is_not_another_that_begins_like_it() -> None:
    hosts = "Host: server12; Port: 22\nHost: server1; Port: 2200"
    assert asked("What is the port of server1?", hosts) == ["Host: server1; Port: 2200"]


def test_a_month_that_a_date_may_say_by_its_number_tells_nothing() -> None:
    found = fits("How much was the insurance in January?", BUDGET)
    assert set(found.values()) == {None}


def test_rows_of_another_table_are_not_ruled_out() -> None:
    other = "Name: Anna Holm; Car: Fiat; Plate: X 12; Since: May"
    found = fits("What is the role of Anna Holm?", f"{TEAM}\n{other}")
    assert found[TEAM.split("\n")[1]] is Asked.THIS
    assert found[other] is not Asked.ANOTHER

"""`search` and `ask`: the same answers for people and for programs."""

import pytest

from tests.cli.conftest import Cli, jsonl

HOUSE = jsonl(
    [
        {
            "text": "# Boiler\n\nThe boiler's warranty ends in May 2031.",
            "title": "Boiler",
            "tags": ["heating"],
            "created_at": "2026-01-10",
        },
        {
            "text": "The chimney sweep comes every year in October.",
            "title": "Chimney",
            "tags": ["heating"],
            "context": "home",
            "created_at": "2026-02-10",
        },
        {
            "text": "Tomatoes go out after the last frost.",
            "title": "Garden",
            "created_at": "2026-03-10",
        },
    ]
)


def stocked(cli: Cli, **settings: str) -> Cli:
    cli("ingest", "--jsonl", "-", stdin=HOUSE, **settings)
    return cli


def test_a_search_gives_cited_passages(cli: Cli) -> None:
    ran = stocked(cli)("search", "warranty", "of", "boiler", "--json")
    assert ran.code == 0
    (passage,) = ran.json["passages"]
    assert passage["title"] == "Boiler"
    assert passage["date"] == "2026-01-10T00:00:00+01:00"
    assert passage["location"]["heading"] == "Boiler"
    assert passage["tags"] == ["heating"]
    assert passage["scores"]["keyword"] > 0
    assert ran.json["next_offset"] is None


def test_a_search_for_people_shows_title_date_and_text(cli: Cli) -> None:
    ran = stocked(cli)("search", "sweep")
    assert "1. Chimney\n   2026-02-10, " in ran.out
    assert "   The chimney sweep comes every year in October.\n" in ran.out
    assert "only keyword search works" in ran.out


def test_a_long_passage_is_shown_around_what_was_asked_and_fits_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = f"{'The garden fence is green. ' * 25}The turbine hums at noon."
    cli("ingest", "-", "--title", "Fence", stdin=text)
    shown = cli("search", "turbine").out
    assert "The turbine hums at noon." in " ".join(shown.split())
    assert max(map(len, shown.splitlines()[2:-2])) <= 60


def test_a_heading_that_is_the_title_is_not_shown_twice(cli: Cli) -> None:
    assert ", Boiler" not in stocked(cli)("search", "warranty").out


def test_no_match_is_said_and_is_no_failure(cli: Cli) -> None:
    ran = stocked(cli)("search", "helicopter")
    assert ran.code == 0
    assert "No match." in ran.out


def test_filters_narrow_a_search(cli: Cli) -> None:
    stocked(cli)
    words = ("search", "boiler chimney tomatoes", "--json")

    def titles(*filters: str) -> set[str]:
        return {each["title"] for each in cli(*words, *filters).json["passages"]}

    assert titles() == {"Boiler", "Chimney", "Garden"}
    assert titles("--tag", "heating") == {"Boiler", "Chimney"}
    assert titles("--context", "home") == {"Chimney"}
    assert titles("--since", "2026-02-10") == {"Chimney", "Garden"}
    assert titles("--until", "2026-02-10") == {"Boiler", "Chimney"}
    (garden,) = cli.note_ids("--since", "2026-03-01")
    assert titles("--note", garden) == {"Garden"}


def test_pages_of_a_search_follow_each_other(cli: Cli) -> None:
    stocked(cli)
    words = ("search", "boiler chimney tomatoes", "--limit", "2", "--json")
    first = cli(*words).json
    assert first["next_offset"] == 2
    second = cli(*words, "--offset", "2").json
    assert second["next_offset"] is None
    found = [each["title"] for each in first["passages"] + second["passages"]]
    assert sorted(found) == ["Boiler", "Chimney", "Garden"]


def test_a_date_that_is_none_is_bad_input(cli: Cli) -> None:
    ran = cli("search", "x", "--since", "soon")
    assert ran.code == 2
    assert "--since 'soon' is not a date" in ran.err


def test_a_search_by_meaning_needs_no_common_word(cli: Cli) -> None:
    stocked(cli, DOME_EMBEDDING_MODEL="")
    ran = cli("search", "planting vegetables", "--json", DOME_EMBEDDING_MODEL="")
    assert ran.json["passages"][0]["title"] == "Garden"
    assert ran.json["passages"][0]["scores"]["semantic"] > 0
    assert ran.json["index_state"] == "ready"


def test_an_answer_is_cited(cli: Cli) -> None:
    ran = stocked(cli)("ask", "When", "does the boiler's warranty end?", "--json")
    assert ran.code == 0
    assert ran.json["answered"] is True
    (citation,) = ran.json["citations"]
    assert "May 2031" in citation["quote"]
    assert citation["title"] == "Boiler"
    assert "[1]" in ran.json["answer"]


def test_an_answer_for_people_names_its_notes(cli: Cli) -> None:
    ran = stocked(cli)("ask", "When does the boiler's warranty end?")
    assert "[1] Boiler, 2026-01-10, " in ran.out
    assert "May 2031" in ran.out


def test_a_question_without_an_answer_is_said_to_have_none(cli: Cli) -> None:
    ran = stocked(cli)("ask", "Who won the bicycle race?", "--json")
    assert ran.code == 0
    assert (ran.json["answered"], ran.json["citations"]) == (False, [])

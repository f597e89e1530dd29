"""Commands where another DOME has the data: what works is the same, the rest says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.from_thread
import pytest

from tests.cli.conftest import Cli
from tests.remote.serving_http import Served, serving_http
from tests.serving import LISBON

WRONG = {"DOME_API_TOKEN": "dome_wrong"}


@contextmanager
def server_beside(home: Path) -> Iterator[tuple[str, str]]:
    """The address of an endpoint that runs in a thread of its own, and a token for it."""
    with anyio.from_thread.start_blocking_portal() as portal:
        served: Served
        with portal.wrap_async_context_manager(serving_http(home)) as served:
            yield served.url, portal.call(served.token)


@pytest.fixture
def away(cli: Cli, tmp_path: Path) -> Iterator[Cli]:
    """The command line of a laptop, which has a token for a server."""
    with server_beside(tmp_path / "there") as (url, token):
        environ = {**cli.environ, "DOME_API_URL": url, "DOME_API_TOKEN": token}
        yield Cli(cli.home, environ, cli.capsys, cli.monkeypatch)


def test_what_is_ingested_is_found_and_answered_from(away: Cli, documents: Path) -> None:
    stored = away("ingest", "--json", str(documents), "--tag", "home")
    assert stored.code == 1
    assert (stored.json["stored"], len(stored.json["failed"])) == (2, 1)
    assert "broken.pdf" in stored.json["failed"][0]["source"]
    again = away("ingest", "--json", str(documents / "boiler.md"))
    assert (again.code, again.json["unchanged"]) == (0, 1)
    assert away("ingest", "-", "--title", "Lisbon", stdin=LISBON).out == (
        "1 stored, 0 updated, 0 unchanged.\n"
    )
    found = away("search", "warranty", "--tag", "house", "--json")
    assert found.json["passages"][0]["source"] == (documents / "boiler.md").as_uri()
    assert found.json["index_state"] == "ready"
    answer = away("ask", "Which", "hotel", "did", "Anna", "book?")
    assert answer.code == 0
    assert "Miramar" in answer.out
    assert "[1] Lisbon" in answer.out


def test_pages_of_a_search_follow_each_other(away: Cli) -> None:
    for number in range(3):
        away("ingest", "-", stdin=f"Turbine report, part {number}.")
    first = away("search", "turbine", "--limit", "2", "--json").json
    rest = away("search", "turbine", "--limit", "2", "--offset", "2", "--json").json
    found = [passage["note_id"] for passage in [*first["passages"], *rest["passages"]]]
    assert (first["next_offset"], rest["next_offset"]) == (2, None)
    assert len(set(found)) == 3


def test_the_doctor_checks_the_address_and_the_token(away: Cli, cli: Cli) -> None:
    healthy = away("doctor")
    assert healthy.code == 0
    assert f"server: {away.environ['DOME_API_URL']} answers" in healthy.out
    assert "token: of me, for notes:read" in healthy.out
    wrong = away("doctor", **WRONG)
    assert wrong.code == 1
    assert "does not take this token" in wrong.out
    gone = cli("doctor", DOME_API_URL="http://127.0.0.1:9", **WRONG)
    assert gone.code == 1
    assert "http://127.0.0.1:9 cannot be reached" in gone.out


@pytest.mark.parametrize(
    "command",
    [
        ("notes", "list"),
        ("channel", "list"),
        ("companion", "run"),
        ("reindex",),
        ("export", "x"),
        ("serve", "--http"),
    ],
)
def test_a_command_that_needs_the_data_says_so_and_touches_nothing(
    cli: Cli, command: tuple[str, ...]
) -> None:
    ran = cli(*command, DOME_API_URL="https://dome.example", **WRONG)
    assert ran.code == 2
    assert "DOME_API_URL" in ran.err
    assert "unset" in ran.err.lower()
    assert not cli.home.exists()


@pytest.mark.parametrize("command", [("doctor", "--repair"), ("ingest", "--jsonl", "notes.jsonl")])
def test_an_option_that_needs_the_data_says_so(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, DOME_API_URL="https://dome.example", **WRONG)
    assert ran.code == 2
    assert f"{command[1]} needs the data folder." in ran.err
    assert not cli.home.exists()


def test_an_address_without_a_token_or_without_tls_is_refused(cli: Cli) -> None:
    alone = cli("search", "x", DOME_API_URL="https://dome.example")
    assert alone.code == 2
    assert "go together" in alone.err
    plain = cli("search", "x", DOME_API_URL="http://dome.example", **WRONG)
    assert plain.code == 2
    assert "is not an https URL" in plain.err


def test_the_api_may_be_named_by_either_of_its_addresses(cli: Cli) -> None:
    for address in ("https://dome.example/api/", "https://dome.example"):
        shown = cli("config", "show", "--json", DOME_API_URL=address, **WRONG)
        values = {each["name"]: each["value"] for each in shown.json["settings"]}
        assert (values["DOME_API_URL"], values["DOME_API_TOKEN"]) == ("https://dome.example", "***")

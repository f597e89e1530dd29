"""`session`: what was asked, listed, shown and deleted."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from dome_mcp.app import opened
from dome_mcp.services.asking import Question
from dome_mcp.services.sessions import converse
from dome_mcp.settings import load
from tests.cli.conftest import Cli

QUESTIONS = ("When does the warranty end?", "Who painted the ceiling?")


@pytest.fixture
def asked(cli: Cli) -> list[str]:
    """The ids of two sessions of one question each, the last one first."""
    cli("ingest", "-", "--title", "Boiler", stdin="The boiler's warranty ends in May 2031.")
    return anyio.run(ask, cli)


async def ask(cli: Cli) -> list[str]:
    now = datetime.now(UTC)
    async with opened(load(cli.environ)) as dome:
        made = [
            await converse(
                Question(text), dome.ports, user_id=dome.user_id, now=now + timedelta(seconds=n)
            )
            for n, text in enumerate(QUESTIONS)
        ]
    return [each.session_id for each in reversed(made)]


def test_sessions_are_listed_the_last_one_first(cli: Cli, asked: list[str]) -> None:
    listed = cli("session", "list", "--json").json["sessions"]
    assert [each["session_id"] for each in listed] == asked
    shown = cli("session", "list").out.splitlines()
    assert [line.split("\t")[0] for line in shown] == asked
    assert shown[0].endswith(QUESTIONS[1])


def test_a_session_is_shown_with_its_answers(cli: Cli, asked: list[str]) -> None:
    out = cli("session", "show", asked[1]).out
    assert QUESTIONS[0] in out
    assert "May 2031" in out
    assert QUESTIONS[1] not in out


def test_what_is_deleted_is_shown_no_more_and_the_rest_is(cli: Cli, asked: list[str]) -> None:
    assert cli("session", "delete", asked[0]).code == 0
    listed = cli("session", "list", "--json").json["sessions"]
    assert [each["session_id"] for each in listed] == [asked[1]]
    again = cli("session", "delete", asked[0])
    assert (again.code, "There is no session" in again.err) == (2, True)

"""`doctor` before a real server: the right settings, and each that is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.commands.model_server import check_model_server
from dome_mcp.settings import load
from tests.cli.conftest import Cli, cli
from tests.language_model.running import RunningModel, running_model

__all__ = ["cli"]

KEY = "sk-loopback-only"


@pytest.fixture(scope="module")
def locked_model() -> Iterator[RunningModel]:
    """A server that wants a key and reads little."""
    with running_model(context_tokens=1024, api_key=KEY) as running:
        yield running


def checked(cli: Cli, **settings: str) -> dict[str, tuple[str, str]]:
    """What is said about the language model and its server."""
    findings = cli("doctor", "--json", **settings).json["findings"]
    return {
        each["check"]: (each["level"], f"{each['message']} {each['hint']}")
        for each in findings
        if each["check"].startswith("language model")
    }


def test_a_model_that_answers_is_told_with_its_speed_and_context(
    language_model: RunningModel, cli: Cli
) -> None:
    found = checked(cli, **language_model.environment)
    assert [level for level, _ in found.values()] == ["ok", "ok"]
    assert f"{language_model.model} answers in " in found["language model"][1]
    assert f"reads {language_model.context_tokens} tokens" in found["language model's server"][1]


def test_a_model_that_the_server_does_not_list_is_told_with_those_it_does(
    language_model: RunningModel, cli: Cli
) -> None:
    wrong = {**language_model.environment, "DOME_LLM_MODEL": "large-chat"}
    level, words = checked(cli, **wrong)["language model's server"]
    assert level == "warning"
    assert "'large-chat'" in words
    assert f"one of: {language_model.model}." in words


@pytest.mark.anyio
async def test_a_server_that_reads_less_than_dome_sends_is_told_with_what_to_set(
    locked_model: RunningModel, tmp_path: Path
) -> None:
    more = {"DOME_HOME": str(tmp_path), "DOME_LLM_CONTEXT_TOKENS": "8192"}
    settings = load({**locked_model.environment, **more})
    (finding,) = await check_model_server(settings)
    assert finding.level == "warning"
    assert "DOME_LLM_CONTEXT_TOKENS=1024" in finding.hint


def test_a_wrong_key_is_told_and_not_repeated(locked_model: RunningModel, cli: Cli) -> None:
    wrong = {**locked_model.environment, "DOME_LLM_API_KEY": "sk-mistyped"}
    found = checked(cli, **wrong)
    assert found.keys() == {"language model"}
    level, words = found["language model"]
    assert level == "problem"
    assert "DOME_LLM_API_KEY" in words
    assert "sk-mistyped" not in words


@pytest.mark.parametrize(
    ("place", "says"), [("", "it ends with /v1"), ("nowhere", "Is its server running?")]
)
def test_a_wrong_address_is_told_with_what_is_wrong_with_it(
    language_model: RunningModel, cli: Cli, place: str, says: str
) -> None:
    url = "http://127.0.0.1:9/v1" if place else f"{language_model.url}/v2"
    found = checked(cli, **{**language_model.environment, "DOME_LLM_URL": url})
    level, words = found["language model"]
    assert level == "problem"
    assert says in words

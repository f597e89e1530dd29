"""Commands with a chat model of another provider, and with documents that Cloudflare reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.ai_gateway import ProviderName
from tests.cli.conftest import Cli, jsonl
from tests.cli.simulated_cloud import Tokens
from tests.converting import CAT, PNG
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.ai_gateway import GatewayHost
from tests.simulators.cloudflare.providers import GATEWAY_ID, running_gateway
from tests.simulators.cloudflare.served import Served, served_account
from tests.sources.conftest import server, start_server
from tests.sources.web_server import Page, WebServer

__all__ = ["server", "start_server"]


@dataclass(frozen=True, slots=True)
class Providing:
    """An account with an authenticated gateway, and the settings for a provider's model."""

    host: GatewayHost
    variables: dict[str, str]


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as served:
        yield served


@pytest.fixture(params=["openai", "anthropic"])
def providing(request: pytest.FixtureRequest, served: Served) -> Iterator[Providing]:
    provider: ProviderName = request.param
    served.account.register("tokens", Tokens())
    served.resources.gateways.made[GATEWAY_ID] = {}
    with running_gateway() as gateway:
        gateway.host.token = served.account.token
        variables = {**served.settings, **gateway.variables_for(provider)}
        variables["CLOUDFLARE_API_TOKEN"] = served.account.token
        yield Providing(gateway.host, variables)


def checked(cli: Cli, variables: dict[str, str], check: str) -> dict[str, str]:
    """What the doctor finds about one thing."""
    findings = cli("doctor", "--json", **variables).json["findings"]
    (finding,) = [finding for finding in findings if finding["check"] == check]
    return finding


def test_the_doctor_asks_the_providers_model(cli: Cli, providing: Providing) -> None:
    finding = checked(cli, providing.variables, "language model")
    assert (finding["level"], "answers" in finding["message"]) == ("ok", True)
    assert len(providing.host.calls) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DOME_LLM_API_KEY", "sk-mistyped"), ("DOME_LLM_MODEL", "small-chat")],
)
def test_the_doctor_names_the_setting_that_is_wrong(
    cli: Cli, providing: Providing, variable: str, value: str
) -> None:
    provider = providing.variables["DOME_LLM_MODEL"].partition("/")[0]
    wrong = f"{provider}/{value}" if variable == "DOME_LLM_MODEL" else value
    finding = checked(cli, {**providing.variables, variable: wrong}, "language model")
    assert finding["level"] == "problem"
    assert variable in finding["hint"]
    assert "sk-mistyped" not in f"{finding}"


def test_the_doctor_says_that_there_is_no_such_gateway(cli: Cli, providing: Providing) -> None:
    variables = {**providing.variables, "DOME_AI_GATEWAY": "other"}
    assert "DOME_AI_GATEWAY" in checked(cli, variables, "AI Gateway")["hint"]
    assert "DOME_AI_GATEWAY" in checked(cli, variables, "language model")["hint"]


def test_a_folder_of_pictures_is_read_once_where_the_setting_allows_it(
    cli: Cli, served: Served, documents: Path
) -> None:
    served.account.register("ai", WorkersAiSimulator(convert=lambda _: CAT))
    (documents / "cat.png").write_bytes(PNG)
    converting = {**served.settings, "DOME_CONVERT": "cloudflare"}
    cli("ingest", str(documents), **served.settings)
    assert served.account.calls == []
    for _ in range(2):
        cli("ingest", str(documents), **converting)
    assert served.account.asked == ["POST /ai/tomarkdown"]
    found = cli("search", "cat on a sofa", "--json", **served.settings)
    assert found.json["passages"][0]["text"] == CAT


def test_the_doctor_has_a_page_converted_where_documents_may_be(cli: Cli, served: Served) -> None:
    served.account.register("tokens", Tokens())
    served.account.register("ai", WorkersAiSimulator())
    converting = {**served.settings, "DOME_CONVERT": "cloudflare"}
    finding = checked(cli, converting, "conversion")
    assert (finding["level"], ".odt" in finding["message"]) == ("ok", True)
    served.account.fail_next("POST /ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    finding = checked(cli, converting, "conversion")
    assert (finding["level"], "neurons" in finding["message"]) == ("problem", True)


def test_a_page_that_cannot_be_converted_now_stops_no_other(
    cli: Cli, served: Served, server: WebServer
) -> None:
    served.account.fail_next("POST /ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    server.pages["/cat"] = Page(PNG, headers={"Content-Type": "image/png"})
    server.pages["/tides"] = Page(b"High water at noon.", headers={"Content-Type": "text/plain"})
    variables = {"DOME_CONVERT": "cloudflare", "DOME_ALLOW_PRIVATE_URLS": "true"}
    urls = (server.url("/cat"), server.url("/tides"))
    ran = cli("ingest", *urls, "--json", **served.settings, **variables)
    assert ran.code == 1
    assert "10,000 neurons" in ran.out
    assert len(cli.note_ids()) == 1


def test_where_nothing_is_converted_lines_and_texts_need_no_account(
    cli: Cli, served: Served
) -> None:
    converting = {**served.settings, "DOME_CONVERT": "cloudflare"}
    lines = jsonl([{"text": "Tomatoes need sun."}])
    assert cli("ingest", "--jsonl", "-", stdin=lines, **converting).code == 0
    assert served.account.calls == []

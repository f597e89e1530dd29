"""Which chat model the settings open, and where its prompts go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.ai_gateway import ProviderName
from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.backends.patient_model import PatientModel
from dome_mcp.core.model import Turn
from dome_mcp.core.ports import LanguageModel
from dome_mcp.settings import Settings, load
from dome_mcp.wiring import open_services
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.ai_gateway import PROVIDER_KEY
from tests.simulators.cloudflare.providers import RunningGateway, running_gateway
from tests.simulators.cloudflare.served import Served, served_account

pytestmark = pytest.mark.anyio

TURNS = (Turn("user", "What is the guest password?"),)


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def served() -> Iterator[Served]:
    with served_account() as served:
        yield served


def settings_of(home: Path, variables: dict[str, str], **more: str) -> Settings:
    fixed = {"DOME_HOME": str(home), "DOME_TIMEZONE": "UTC", "DOME_EMBEDDING_MODEL": "off"}
    return load({**fixed, **variables, **more})


async def both_ways(model: LanguageModel | None) -> list[str]:
    """What the model says at once, and in pieces."""
    assert model is not None
    completion = await model.complete(TURNS, max_tokens=9)
    pieces = [piece.text async for piece in model.stream(TURNS, max_tokens=9)]
    assert len(pieces) > 1
    return [completion.text, "".join(pieces)]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_providers_model_is_asked_with_the_users_key_and_nothing_is_logged(
    gateway: RunningGateway, provider: ProviderName, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, gateway.variables_for(provider))
    async with open_services(settings) as dome:
        assert await both_ways(dome.ports.language_model) == ["Four. [1]", "Four. [1]"]
    assert len(gateway.host.calls) == 2
    assert all(f"/{provider}/" in call.url.path for call in gateway.host.calls)
    assert gateway.host.traffic.log == []


async def test_without_a_key_cloudflare_sells_the_model_and_logs_nothing_either(
    served: Served, tmp_path: Path
) -> None:
    simulator = WorkersAiSimulator()
    served.account.register("ai", simulator)
    name = {"DOME_LLM_MODEL": "openai/gpt-5-mini"}
    async with open_services(settings_of(tmp_path, served.settings, **name)) as dome:
        assert await both_ways(dome.ports.language_model) == ["Four. [1]", "Four. [1]"]
    assert [body["model"] for body in simulator.bodies] == ["openai/gpt-5-mini"] * 2
    assert simulator.gateways["default"].log == []


async def test_a_server_of_ones_own_is_asked_whatever_its_model_is_called(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    url = {"DOME_LLM_URL": "http://127.0.0.1:1/v1"}
    settings = settings_of(tmp_path, gateway.variables_for("openai"), **url)
    async with open_services(settings) as dome:
        assert isinstance(dome.ports.language_model, PatientModel)
        assert isinstance(dome.ports.language_model.language_model, ChatCompletions)
        assert dome.ports.language_model.model == "openai/gpt-5-mini"


async def test_the_key_of_the_provider_is_sent_to_nobody_else(
    gateway: RunningGateway, served: Served, tmp_path: Path
) -> None:
    variables = {**served.settings, **gateway.variables_for("anthropic")}
    variables["CLOUDFLARE_API_TOKEN"] = gateway.host.token = served.account.token
    variables |= {"DOME_EMBEDDINGS": "cloudflare", "DOME_EMBEDDING_MODEL": ""}
    async with open_services(settings_of(tmp_path, variables)) as dome:
        await both_ways(dome.ports.language_model)
        assert dome.ports.embedder is not None
        await dome.ports.embedder.embed_query("the guest password")
    assert served.account.calls
    for call in served.account.calls:
        # Not the headers as text, in which httpx hides what authorises.
        sent = b" ".join([*sum(call.headers.raw, ()), call.content])
        assert PROVIDER_KEY.encode() not in sent

"""Other providers' models through AI Gateway, with the user's own key."""

import json
import logging
from collections.abc import Sequence

import httpx
import pytest

from dome_mcp.backends.chat_forms import THINKING_TOKENS
from dome_mcp.backends.cloudflare.ai_gateway import (
    Gateway,
    ProviderKey,
    ProviderLanguageModel,
    ProviderName,
)
from dome_mcp.core.errors import BackendProtocolError, BackendRejected, BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from tests.simulators.cloudflare.account import ACCOUNT_ID
from tests.simulators.cloudflare.ai_gateway import (
    GATEWAY_TOKEN,
    MODELS,
    PROVIDER_KEY,
    GatewayHost,
    anthropic_error,
)
from tests.simulators.cloudflare.chat_answers import Break

pytestmark = pytest.mark.anyio

PROVIDERS: Sequence[ProviderName] = ("openai", "anthropic")
TURNS = (
    Turn("system", "Be brief."),
    Turn("user", "What is the guest password?"),
    Turn("assistant", "Which house?"),
    Turn("user", "Ours."),
)


@pytest.fixture
def host() -> GatewayHost:
    return GatewayHost(ACCOUNT_ID, "dome")


async def ask(
    host: GatewayHost,
    provider: ProviderName,
    *,
    gateway: Gateway | None = None,
    key: str = PROVIDER_KEY,
    gateway_token: str | None = None,
    takes_temperature: bool = False,
) -> Completion:
    async with ProviderLanguageModel.connect(
        ACCOUNT_ID,
        gateway or Gateway("dome"),
        ProviderKey(provider, key, gateway_token),
        model=MODELS[provider],
        takes_temperature=takes_temperature,
        transport=host.transport,
    ) as driver:
        return await driver.complete(TURNS, max_tokens=9)


async def streamed(host: GatewayHost, provider: ProviderName) -> list[str]:
    async with ProviderLanguageModel.connect(
        ACCOUNT_ID,
        Gateway("dome"),
        ProviderKey(provider, PROVIDER_KEY),
        model=MODELS[provider],
        transport=host.transport,
    ) as driver:
        return [piece.text async for piece in driver.stream(TURNS, max_tokens=9)]


async def test_openai_is_asked_in_its_own_form(host: GatewayHost) -> None:
    assert await ask(host, "openai") == Completion("Four. [1]", 12, 3)
    assert json.loads(host.calls[0].content) == {
        "model": "gpt-5-mini",
        "messages": [{"role": turn.role, "content": turn.content} for turn in TURNS],
        "max_completion_tokens": 9 + THINKING_TOKENS,
        "stream": False,
    }


async def test_anthropic_is_asked_in_its_own_form_and_its_thoughts_are_left_out(
    host: GatewayHost,
) -> None:
    assert await ask(host, "anthropic", takes_temperature=True) == Completion("Four. [1]", 12, 3)
    assert json.loads(host.calls[0].content) == {
        "model": "claude-sonnet-4-5",
        "system": "Be brief.",
        "messages": [{"role": turn.role, "content": turn.content} for turn in TURNS[1:]],
        "max_tokens": 9,
        "temperature": 0.0,
        "stream": False,
    }


async def test_a_streamed_answer_leaves_out_the_thoughts_too(host: GatewayHost) -> None:
    assert "".join(await streamed(host, "anthropic")) == "Four. [1]"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_gateway_keeps_nothing_unless_it_may(
    host: GatewayHost, provider: ProviderName
) -> None:
    await ask(host, provider)
    assert host.traffic.log == []
    await ask(host, provider, gateway=Gateway("dome", keeps_log=True))
    assert len(host.traffic.log) == 1


async def test_an_authenticated_gateway_gets_its_token_beside_the_providers_key(
    host: GatewayHost,
) -> None:
    host.is_authenticated = True
    with pytest.raises(BackendRejected) as caught:
        await ask(host, "openai")
    assert "CLOUDFLARE_API_TOKEN needs the permission AI Gateway Run" in caught.value.hint
    assert (await ask(host, "openai", gateway_token=GATEWAY_TOKEN)).text == "Four. [1]"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_wrong_key_is_rejected_and_not_repeated(
    host: GatewayHost, provider: ProviderName
) -> None:
    with pytest.raises(BackendRejected) as caught:
        await ask(host, provider, key="sk-mistyped")
    assert "key" in caught.value.message
    assert "DOME_LLM_API_KEY" in caught.value.hint
    assert "sk-mistyped" not in str(caught.value)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_model_that_the_provider_has_not_is_explained(
    host: GatewayHost, provider: ProviderName
) -> None:
    async with ProviderLanguageModel.connect(
        ACCOUNT_ID,
        Gateway("dome"),
        ProviderKey(provider, PROVIDER_KEY),
        model="small-chat",
        transport=host.transport,
    ) as driver:
        with pytest.raises(BackendRejected) as caught:
            await driver.complete(TURNS, max_tokens=9)
    assert "DOME_LLM_MODEL" in caught.value.hint


async def test_an_unknown_gateway_is_explained(host: GatewayHost) -> None:
    with pytest.raises(BackendRejected) as caught:
        await ask(host, "openai", gateway=Gateway("other"))
    assert "DOME_AI_GATEWAY" in caught.value.hint


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("ends", "expected"), [("cut off", BackendProtocolError), ("error", BackendUnavailable)]
)
async def test_a_stream_that_breaks_off_is_not_taken_for_an_answer(
    host: GatewayHost, provider: ProviderName, ends: Break, expected: type[Exception]
) -> None:
    host.ends = ends
    with pytest.raises(expected):
        await streamed(host, provider)


async def test_a_busy_provider_says_when_to_come_back_and_is_asked_once(
    host: GatewayHost,
) -> None:
    host.fault = anthropic_error(529, "overloaded_error", "busy")
    host.fault.headers["Retry-After"] = "7"
    with pytest.raises(BackendUnavailable) as caught:
        await ask(host, "anthropic")
    assert caught.value.retry_after == 7.0
    assert len(host.calls) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [(httpx.ReadTimeout("late"), "in time"), (httpx.ConnectError("down"), "reached")],
)
async def test_a_gateway_that_does_not_answer_is_unavailable(
    host: GatewayHost, fault: Exception, words: str
) -> None:
    host.fault = fault
    with pytest.raises(BackendUnavailable, match=words):
        await ask(host, "openai")
    with pytest.raises(BackendUnavailable, match=words):
        await streamed(host, "openai")


async def test_neither_keys_nor_messages_are_logged_or_shown(
    host: GatewayHost, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await ask(host, "openai", gateway_token=GATEWAY_TOKEN)
    shown = caplog.text + repr(ProviderKey("openai", PROVIDER_KEY, GATEWAY_TOKEN))
    for secret in (PROVIDER_KEY, GATEWAY_TOKEN, "password"):
        assert secret not in shown

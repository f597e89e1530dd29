"""Each `LanguageModel` driver with its server, as the suite wants them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from dome_mcp.backends.cloudflare.ai_gateway import Gateway, ProviderName
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai_chat import WorkersAiLanguageModel
from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.cloudflare_wiring import CloudDrivers
from dome_mcp.core.ports import LanguageModel
from tests.conformance.language_model_suite import Bench, Failure
from tests.simulators import chat_server
from tests.simulators.chat_server import ChatServer, Fault, running_chat_server
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.account import SimulatedAccount, failure
from tests.simulators.cloudflare.ai_gateway import GatewayHost
from tests.simulators.cloudflare.providers import running_gateway

GATEWAY_ID = "dome"
WHILE_THE_TEST_LASTS = 1000
SECRETIVE = "Refused: what is the guest password?"

COMPATIBLE_FAULTS: dict[Failure, Fault] = {
    "wrong key": chat_server.error_fault(401, "invalid_api_key"),
    "unknown model": chat_server.UNKNOWN_MODEL,
    "too long": chat_server.TOO_LONG,
    "no quota": chat_server.NO_QUOTA,
    "overloaded": chat_server.OVERLOADED,
    "failing": chat_server.FAILING,
    "garbage": chat_server.MALFORMED,
}

WORKERS_AI_FAULTS: dict[Failure, tuple[int, dict[str, object] | str]] = {
    "wrong key": (401, failure(10000, SECRETIVE)),
    "unknown model": (400, failure(ai.NO_SUCH_MODEL, SECRETIVE)),
    "too long": (413, ai.WINDOW_EXCEEDED),
    "no quota": (429, ai.DAILY_ALLOWANCE_USED),
    "overloaded": (429, ai.OUT_OF_CAPACITY),
    "failing": (500, failure(3001, SECRETIVE)),
    "garbage": (200, "<html>"),
}


def _openai(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": SECRETIVE, "code": code}})


def _anthropic(status: int, kind: str, message: str = SECRETIVE) -> httpx.Response:
    error = {"type": kind, "message": message}
    return httpx.Response(status, json={"type": "error", "error": error})


PROVIDER_FAULTS: dict[ProviderName, dict[Failure, httpx.Response]] = {
    "openai": {
        "wrong key": _openai(401, "invalid_api_key"),
        "unknown model": _openai(404, "model_not_found"),
        "too long": _openai(400, "context_length_exceeded"),
        "no quota": _openai(429, "insufficient_quota"),
        "overloaded": _openai(429, "rate_limit_exceeded"),
        "failing": _openai(500, "server_error"),
        "garbage": httpx.Response(200, text='{"choices": [{"message"'),
    },
    "anthropic": {
        "wrong key": _anthropic(401, "authentication_error"),
        "unknown model": _anthropic(404, "not_found_error"),
        "too long": _anthropic(400, "invalid_request_error", "prompt is too long: 214431 tokens"),
        "no quota": _anthropic(400, "invalid_request_error", "Your credit balance is too low"),
        "overloaded": _anthropic(529, "overloaded_error"),
        "failing": _anthropic(500, "api_error"),
        "garbage": httpx.Response(200, text='{"content": [{"type"'),
    },
}


@dataclass(frozen=True, slots=True)
class CompatibleBench:
    """`ChatCompletions` before the chat server."""

    driver: ChatCompletions
    server: ChatServer

    @property
    def model(self) -> LanguageModel:
        return self.driver

    def will_say(self, text: str) -> None:
        self.server.say = lambda _: text

    def will_fail(self, failure: Failure) -> None:
        self.server.fault = COMPATIBLE_FAULTS[failure]


@dataclass(frozen=True, slots=True)
class WorkersAiBench:
    """`WorkersAiLanguageModel` before the simulated account."""

    driver: WorkersAiLanguageModel
    account: SimulatedAccount
    simulator: ai.WorkersAiSimulator

    @property
    def model(self) -> LanguageModel:
        return self.driver

    def will_say(self, text: str) -> None:
        self.simulator.say = lambda _: text

    def will_fail(self, failure: Failure) -> None:
        status, body = WORKERS_AI_FAULTS[failure]
        self.account.fail_next("POST /ai/v1/", status, body, WHILE_THE_TEST_LASTS)


@dataclass(frozen=True, slots=True)
class ProviderBench:
    """The model that settings name, before the simulated gateway."""

    driver: LanguageModel
    host: GatewayHost
    provider: ProviderName

    @property
    def model(self) -> LanguageModel:
        return self.driver

    def will_say(self, text: str) -> None:
        self.host.say = lambda _: text

    def will_fail(self, failure: Failure) -> None:
        self.host.fault = PROVIDER_FAULTS[self.provider][failure]


@asynccontextmanager
async def compatible() -> AsyncIterator[Bench]:
    with running_chat_server() as server:
        async with ChatCompletions.connect(
            server.base_url, chat_server.MODEL, api_key=chat_server.API_KEY
        ) as driver:
            yield CompatibleBench(driver, server)


@asynccontextmanager
async def workers_ai(gateway: Gateway | None = None) -> AsyncIterator[Bench]:
    account, simulator = SimulatedAccount(), ai.WorkersAiSimulator()
    account.register("ai", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=_at_once
    ) as api:
        yield WorkersAiBench(WorkersAiLanguageModel(api, gateway=gateway), account, simulator)


@asynccontextmanager
async def provider(name: ProviderName) -> AsyncIterator[Bench]:
    with running_gateway() as gateway:
        settings = gateway.settings_for(name)
        async with CloudDrivers.open(settings) as drivers:
            model = drivers.language_model(settings.llm_model or "")
            yield ProviderBench(model, gateway.host, name)


async def _at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


BENCHES = {
    "compatible": compatible,
    "workers-ai": workers_ai,
    "workers-ai-gateway": lambda: workers_ai(Gateway(GATEWAY_ID)),
    "gateway-openai": lambda: provider("openai"),
    "gateway-anthropic": lambda: provider("anthropic"),
}

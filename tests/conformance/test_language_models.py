"""The language model suite over every driver."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.core.ports import LanguageModel
from tests.conformance.language_model_suite import *  # noqa: F403 - pytest collects the suite here
from tests.conformance.language_model_suite import Failure
from tests.simulators import chat_server
from tests.simulators.chat_server import ChatServer, Fault, running_chat_server

FAULTS: dict[Failure, Fault] = {
    "wrong key": chat_server.error_fault(401, "invalid_api_key"),
    "unknown model": chat_server.UNKNOWN_MODEL,
    "too long": chat_server.TOO_LONG,
    "no quota": chat_server.NO_QUOTA,
    "overloaded": chat_server.OVERLOADED,
    "failing": chat_server.FAILING,
    "garbage": chat_server.MALFORMED,
}


@dataclass(frozen=True, slots=True)
class ChatBench:
    """`ChatCompletions` before the simulator."""

    driver: ChatCompletions
    server: ChatServer

    @property
    def model(self) -> LanguageModel:
        return self.driver

    def will_say(self, text: str) -> None:
        self.server.say = lambda _: text

    def will_fail(self, failure: Failure) -> None:
        self.server.fault = FAULTS[failure]


@pytest.fixture
async def bench() -> AsyncIterator[ChatBench]:
    with running_chat_server() as server:
        async with ChatCompletions.connect(
            server.base_url, chat_server.MODEL, api_key=chat_server.API_KEY
        ) as driver:
            yield ChatBench(driver, server)

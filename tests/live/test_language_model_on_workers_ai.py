"""The language model suite over Workers AI: a model that is told what to say.

Of the failures, those that an account can be brought to; nobody can order an outage.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from dome_mcp.backends.cloudflare.http import Account, CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai_chat import WorkersAiLanguageModel
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel
from tests.conformance.language_model_suite import *  # noqa: F403 - pytest collects the suite here
from tests.conformance.language_model_suite import (
    Bench,
    Failure,
    test_an_answer_without_text_is_an_error_and_not_an_empty_answer,
)
from tests.live.marks import LIVE

pytestmark = LIVE

del test_an_answer_without_text_is_an_error_and_not_an_empty_answer  # no model can be told to

ORDER = "Repeat the text between the lines exactly, and say nothing else.\n---\n{}\n---"
NO_SUCH_MODEL = "@cf/dome/no-such-model"
WRONG_TOKEN = "x" * 40
MORE_WORDS_THAN_IT_READS = 200_000


@dataclass(frozen=True, slots=True)
class ToldWhatToSay:
    """The driver, each request of which asks for the same text."""

    driver: LanguageModel
    text: str

    @property
    def model(self) -> str:
        return self.driver.model

    @property
    def context_tokens(self) -> int:
        return self.driver.context_tokens

    @property
    def _turns(self) -> Sequence[Turn]:
        return (Turn("user", ORDER.format(self.text)),)

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        return await self.driver.complete(
            self._turns, max_tokens=max_tokens, temperature=temperature
        )

    def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        return self.driver.stream(self._turns, max_tokens=max_tokens, temperature=temperature)


@dataclass(slots=True)
class LiveBench:
    """The driver; `refused` is the same account with a token that is none."""

    api: CloudflareApi
    refused: CloudflareApi
    model: LanguageModel = field(init=False)

    def __post_init__(self) -> None:
        self.model = WorkersAiLanguageModel(self.api)

    def will_say(self, text: str) -> None:
        self.model = ToldWhatToSay(WorkersAiLanguageModel(self.api), text)

    def will_fail(self, failure: Failure) -> None:
        if failure == "wrong key":
            self.model = WorkersAiLanguageModel(self.refused)
        elif failure == "unknown model":
            self.model = WorkersAiLanguageModel(self.api, NO_SUCH_MODEL)
        else:
            assert failure == "too long"
            self.will_say("word " * MORE_WORDS_THAN_IT_READS)


@pytest.fixture
async def bench(api: CloudflareApi, account: Account) -> AsyncIterator[Bench]:
    async with CloudflareApi.open(replace(account, token=WRONG_TOKEN)) as refused:
        yield LiveBench(api, refused)

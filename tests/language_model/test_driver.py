"""`ChatCompletions` before llama.cpp itself, which the simulated server only resembles."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import anyio
import pytest

from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.model import Turn
from tests.language_model.running import RunningModel

pytestmark = pytest.mark.anyio

QUESTION = (Turn("system", "Be brief."), Turn("user", "What is the capital of France?"))
A_LONG_STORY = (
    Turn("user", "Write a very long story about a lighthouse keeper, with many chapters."),
)
PATIENCE_SECONDS = 60.0
MUCH_SOONER_SECONDS = 15.0
"""Less than the story takes on any machine that tests run on."""


@pytest.fixture
async def driver(language_model: RunningModel) -> AsyncIterator[ChatCompletions]:
    async with ChatCompletions.connect(language_model.url, language_model.model) as driver:
        yield driver


async def test_an_answer_is_the_same_whole_and_in_pieces_and_counted_both_ways(
    driver: ChatCompletions,
) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        whole = await driver.complete(QUESTION, max_tokens=8)
        *said, counted = [piece async for piece in driver.stream(QUESTION, max_tokens=8)]
    assert "".join(piece.text for piece in said) == whole.text
    assert len(said) > 1
    assert counted == replace(whole, text="")
    assert counted.prompt_tokens is not None
    assert counted.prompt_tokens > 10
    assert counted.completion_tokens == 8


async def test_a_prompt_that_is_too_long_is_refused_and_tells_how_long_one_may_be(
    driver: ChatCompletions, language_model: RunningModel
) -> None:
    turns = [Turn("user", "word " * 2 * language_model.context_tokens)]
    assert driver.context_tokens > language_model.context_tokens
    with anyio.fail_after(PATIENCE_SECONDS):
        with pytest.raises(BackendRejected, match="too long"):
            await driver.complete(turns, max_tokens=8)
        with pytest.raises(BackendRejected, match="too long"):
            await anext(driver.stream(turns, max_tokens=8))
    assert driver.context_tokens == language_model.context_tokens


async def test_a_stream_that_is_closed_ends_the_models_work(driver: ChatCompletions) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        async with aclosing(driver.stream(A_LONG_STORY, max_tokens=3000)) as pieces:
            assert (await anext(pieces)).text
    # The server writes one answer at a time: this one would wait for the other's end.
    with anyio.fail_after(MUCH_SOONER_SECONDS):
        await driver.complete(QUESTION, max_tokens=1)


async def test_the_list_of_models_tells_how_much_the_model_reads(
    driver: ChatCompletions, language_model: RunningModel
) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        (served,) = await driver.served()
    assert (served.name, served.context_tokens) == (
        language_model.model,
        language_model.context_tokens,
    )

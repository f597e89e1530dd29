"""What is particular to chat models of Workers AI; the port's contract is in the suite."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from dome_mcp.backends.cloudflare.ai_gateway import Gateway
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai_chat import DEFAULT_MODEL, WorkersAiLanguageModel
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    InputTooLong,
    QuotaExhausted,
)
from dome_mcp.core.model import Completion, Turn
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.account import SimulatedAccount, failure
from tests.simulators.cloudflare.ai import WorkersAiSimulator
from tests.simulators.cloudflare.chat_answers import Break

pytestmark = pytest.mark.anyio

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
TURNS = (Turn("system", "Be brief."), Turn("user", "What is the guest password?"))
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the guest password?"},
]


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


@dataclass(frozen=True, slots=True)
class Bench:
    account: SimulatedAccount
    simulator: WorkersAiSimulator
    api: CloudflareApi

    async def ask(self, model: str = GEMMA, gateway: Gateway | None = None) -> Completion:
        driver = WorkersAiLanguageModel(self.api, model, gateway=gateway)
        return await driver.complete(TURNS, max_tokens=9)

    async def stream(self) -> list[str]:
        driver = WorkersAiLanguageModel(self.api, GEMMA)
        return [piece.text async for piece in driver.stream(TURNS, max_tokens=9)]

    def will_answer(self, body: dict[str, object]) -> None:
        self.account.fail_next("POST /ai/v1/", 200, body)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    account, simulator = SimulatedAccount(), WorkersAiSimulator()
    account.register("ai", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once
    ) as api:
        yield Bench(account, simulator, api)


async def test_the_request_carries_messages_limits_and_model(bench: Bench) -> None:
    await bench.ask()
    assert bench.simulator.bodies == [
        {
            "model": GEMMA,
            "messages": MESSAGES,
            "max_tokens": 9,
            "temperature": 0.0,
            "stream": False,
        }
    ]
    assert "cf-aig-gateway-id" not in bench.account.calls[0].headers


async def test_the_token_counts_of_the_service_are_passed_on(bench: Bench) -> None:
    assert await bench.ask() == Completion("Four. [1]", 12, 3)


async def test_the_default_model_is_told_to_answer_without_thinking(bench: Bench) -> None:
    await bench.ask(DEFAULT_MODEL)
    (body,) = bench.simulator.bodies
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_thoughts_within_the_text_are_left_in_it(bench: Bench) -> None:
    bench.simulator.say = lambda _: "<think>Two and two…</think>Four."
    assert (await bench.ask()).text == "<think>Two and two…</think>Four."
    assert "".join(await bench.stream()) == "<think>Two and two…</think>Four."


async def test_tokens_used_up_by_thinking_are_told_apart_from_an_empty_answer(
    bench: Bench,
) -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "Two and two"}
    bench.will_answer({"choices": [{"message": message, "finish_reason": "length"}]})
    with pytest.raises(BackendProtocolError) as caught:
        await bench.ask()
    assert "more tokens" in caught.value.hint


async def test_line_breaks_that_json_does_not_escape_stay_in_a_streamed_answer(
    bench: Bench,
) -> None:
    bench.simulator.say = lambda _: "one\u2028two\x85three\x0cfour\r\nfive"
    assert "".join(await bench.stream()) == "one\u2028two\x85three\x0cfour\r\nfive"


@pytest.mark.parametrize(
    ("ends", "expected"), [("cut off", BackendProtocolError), ("error", BackendUnavailable)]
)
async def test_a_stream_that_breaks_off_is_not_taken_for_an_answer(
    bench: Bench, ends: Break, expected: type[Exception]
) -> None:
    bench.simulator.ends = ends
    with pytest.raises(expected):
        await bench.stream()


async def test_a_prompt_that_does_not_fit_is_rejected_with_advice(bench: Bench) -> None:
    driver = WorkersAiLanguageModel(bench.api, DEFAULT_MODEL)
    turns = [Turn("user", "word " * 131_000)]
    with pytest.raises(BackendRejected) as caught:
        await driver.complete(turns, max_tokens=500)
    assert "smaller limit" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 5021, "AiError"),
        (400, 3030, "AiError"),
        (400, 3006, "AiError"),
        (413, 3010, "AiError"),
        (400, 8007, "This model's maximum context length is 24000 tokens"),
    ],
)
async def test_each_way_to_say_too_long_is_understood(
    bench: Bench, status: int, code: int, words: str
) -> None:
    bench.account.fail_next("POST /ai/v1/", status, failure(code, words))
    with pytest.raises(InputTooLong):
        await bench.ask()


async def test_a_request_that_may_have_been_answered_is_not_sent_twice(bench: Bench) -> None:
    bench.account.break_next("POST /ai/v1/", httpx.ReadTimeout("late"))
    with pytest.raises(BackendUnavailable):
        await bench.ask()
    assert bench.api.calls == 1


async def test_a_request_that_found_no_capacity_is_sent_again(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/v1/", 429, ai.OUT_OF_CAPACITY)
    assert (await bench.ask()).text == "Four. [1]"
    assert bench.api.calls == 2


async def test_the_context_of_a_known_model_is_known_and_can_be_overridden(bench: Bench) -> None:
    assert WorkersAiLanguageModel(bench.api).context_tokens == 131_072
    assert WorkersAiLanguageModel(bench.api, "@cf/new/model").context_tokens == 8192
    assert WorkersAiLanguageModel(bench.api, GEMMA, context_tokens=4096).context_tokens == 4096


async def test_a_gateway_keeps_neither_prompts_nor_answers(bench: Bench) -> None:
    await bench.ask(gateway=Gateway("dome"))
    await bench.ask(gateway=Gateway("dome"))
    traffic = bench.simulator.gateways["dome"]
    assert traffic.log == []
    assert len(bench.simulator.bodies) == 2


async def test_a_gateway_logs_where_that_is_wanted(bench: Bench) -> None:
    await bench.ask(gateway=Gateway("dome", keeps_log=True))
    (entry,) = bench.simulator.gateways["dome"].log
    assert entry["request"]["messages"] == MESSAGES


async def test_another_providers_model_passes_the_default_gateway_unlogged(bench: Bench) -> None:
    assert (await bench.ask("openai/gpt-5-mini")).text == "Four. [1]"
    assert bench.simulator.gateways["default"].log == []


async def test_credits_that_are_used_up_are_no_fault_of_the_question(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/v1/", 402, {"error": {"message": "Insufficient credits"}})
    with pytest.raises(QuotaExhausted) as caught:
        await bench.ask("openai/gpt-5-mini")
    assert caught.value.until is None


async def test_the_same_question_is_answered_from_a_cache_only_where_that_is_wanted(
    bench: Bench,
) -> None:
    answers = iter(["first", "second", "third", "fourth"])
    bench.simulator.say = lambda _: next(answers)
    uncached, cached = Gateway("dome"), Gateway("dome", cache_seconds=3600)
    gateways = [uncached, uncached, cached, cached, uncached]
    texts = [(await bench.ask(gateway=gateway)).text for gateway in gateways]
    assert texts == ["first", "second", "third", "third", "fourth"]


@pytest.mark.parametrize(
    "wrong", [{"gateway_id": "a/b"}, {"gateway_id": "dome", "cache_seconds": 59}]
)
def test_a_gateway_that_cannot_be_is_refused_before_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Gateway(**wrong)  # pyright: ignore[reportArgumentType] - the values are the test's

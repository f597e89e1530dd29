"""What every `LanguageModel` driver keeps.

A test module takes the tests in with `from … import *` and provides the fixture `bench`: a driver
and the server behind it, which says and fails what the test asks for.
"""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

import anyio
import pytest

from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InputTooLong,
    QuotaExhausted,
)
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel

pytestmark = pytest.mark.anyio

Failure = Literal[
    "wrong key", "unknown model", "too long", "no quota", "overloaded", "failing", "garbage"
]
TURNS = (Turn("system", "Be brief."), Turn("user", "What is the guest password?"))


class Bench(Protocol):
    """A driver with its server under the test's control."""

    @property
    def model(self) -> LanguageModel: ...

    def will_say(self, text: str) -> None:
        """Every later answer is this text."""
        ...

    def will_fail(self, failure: Failure) -> None:
        """Every later request fails so."""
        ...


async def joined(pieces: AsyncGenerator[Completion]) -> str:
    return "".join([piece.text async for piece in pieces])


async def test_the_answer_comes_back_word_for_word(bench: Bench) -> None:
    bench.will_say("Grüße [1],\n\n- “zwei”\n- 三 🦉")
    completion = await bench.model.complete(TURNS, max_tokens=50)
    assert completion.text == "Grüße [1],\n\n- “zwei”\n- 三 🦉"


async def test_the_streamed_pieces_make_the_same_answer(bench: Bench) -> None:
    bench.will_say("Grüße [1],\n\n- “zwei”\n- 三 🦉")
    pieces = [piece async for piece in bench.model.stream(TURNS, max_tokens=50)]
    assert "".join(piece.text for piece in pieces) == "Grüße [1],\n\n- “zwei”\n- 三 🦉"
    assert len(pieces) > 2


async def test_a_streamed_answers_tokens_are_counted_at_its_end_as_the_whole_ones_are(
    bench: Bench,
) -> None:
    bench.will_say("Four. [1]")
    *said, counted = [piece async for piece in bench.model.stream(TURNS, max_tokens=50)]
    whole = await bench.model.complete(TURNS, max_tokens=50)
    assert counted.text == ""
    assert whole.prompt_tokens
    assert counted.prompt_tokens == whole.prompt_tokens
    assert counted.completion_tokens
    assert all(piece == Completion(piece.text) for piece in said)


async def test_tasks_may_call_at_once(bench: Bench) -> None:
    bench.will_say("four")
    answers: list[str] = []

    async def ask() -> None:
        answers.append((await bench.model.complete(TURNS, max_tokens=5)).text)
        answers.append(await joined(bench.model.stream(TURNS, max_tokens=5)))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
    assert answers == ["four"] * 16


async def test_a_stream_may_be_left_halfway_and_the_model_used_again(bench: Bench) -> None:
    bench.will_say("a long answer of many pieces")
    async for _ in bench.model.stream(TURNS, max_tokens=50):
        break
    assert (await bench.model.complete(TURNS, max_tokens=50)).text == "a long answer of many pieces"


FAILURES: list[tuple[Failure, type[BackendError]]] = [
    ("wrong key", BackendRejected),
    ("unknown model", BackendRejected),
    ("too long", InputTooLong),
    ("no quota", QuotaExhausted),
    ("overloaded", BackendUnavailable),
    ("failing", BackendUnavailable),
    ("garbage", BackendProtocolError),
]


@pytest.mark.parametrize(("failure", "expected"), FAILURES)
async def test_a_failure_is_an_error_of_ours_that_repeats_no_message(
    bench: Bench, failure: Failure, expected: type[BackendError]
) -> None:
    bench.will_fail(failure)
    with pytest.raises(expected) as completing:
        await bench.model.complete(TURNS, max_tokens=5)
    with pytest.raises(expected) as streaming:
        await joined(bench.model.stream(TURNS, max_tokens=5))
    assert "password" not in f"{completing.value!s}{streaming.value!s}"


async def test_an_answer_without_text_is_an_error_and_not_an_empty_answer(bench: Bench) -> None:
    bench.will_say("")
    with pytest.raises(BackendProtocolError):
        await bench.model.complete(TURNS, max_tokens=5)
    with pytest.raises(BackendProtocolError):
        await joined(bench.model.stream(TURNS, max_tokens=5))


async def test_it_says_what_it_is_and_how_much_it_reads(bench: Bench) -> None:
    assert bench.model.model
    assert bench.model.context_tokens > 0

"""A language model that is asked once more, and not for ever."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio
import pytest

from dome_mcp.backends.patient_model import PatientModel
from dome_mcp.core.errors import BackendRejected, BackendUnavailable
from dome_mcp.core.model import Completion, Turn

pytestmark = pytest.mark.anyio

TURNS = (Turn("user", "What is the guest password?"),)
SAID = [Completion("Sea"), Completion("gull."), Completion("", 12, 2)]
Step = Completion | Exception | None
"""A piece, a failure, or None: nothing more ever comes."""


def busy(retry_after: float | None = None) -> BackendUnavailable:
    return BackendUnavailable("llm", "complete", "It is loading.", retry_after=retry_after)


@dataclass
class Scripted:
    """A model that goes through one script for each time it is asked."""

    scripts: list[list[Step]]
    model: str = "scripted"
    context_tokens: int = 1000
    closed: list[int] = field(default_factory=list[int])
    """How many pieces each stream had given when it was closed."""

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        pieces = [piece async for piece in self.stream(turns, max_tokens=max_tokens)]
        return Completion("".join(piece.text for piece in pieces), 12, 2)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        given = 0
        try:
            for step in self.scripts.pop(0):
                if step is None:
                    await anyio.sleep_forever()
                elif isinstance(step, Exception):
                    raise step
                else:
                    given += 1
                    yield step
        finally:
            self.closed.append(given)


@dataclass
class Asked:
    """The model, and the seconds that were waited, in no time."""

    scripted: Scripted
    timeout_seconds: float = 60.0
    waited: list[float] = field(default_factory=list[float])

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    @property
    def patient(self) -> PatientModel:
        return PatientModel(self.scripted, self.timeout_seconds, self._wait)

    async def whole(self) -> str:
        return (await self.patient.complete(TURNS, max_tokens=9)).text

    async def streamed(self) -> list[Completion]:
        return [piece async for piece in self.patient.stream(TURNS, max_tokens=9)]


@pytest.mark.parametrize("pause", [None, 0.0, 10.0])
async def test_a_busy_model_is_asked_once_more_when_it_wants_to_be(pause: float | None) -> None:
    asked = Asked(Scripted([[busy(pause)], [*SAID], [busy(pause)], [*SAID]]))
    assert await asked.whole() == "Seagull."
    assert await asked.streamed() == SAID
    assert asked.waited == [pause or 0.0] * 2


async def test_a_model_that_stays_busy_is_not_asked_a_third_time() -> None:
    asked = Asked(Scripted([[busy()], [busy()], [busy()], [busy()], [*SAID]]))
    with pytest.raises(BackendUnavailable, match="loading"):
        await asked.whole()
    with pytest.raises(BackendUnavailable, match="loading"):
        await asked.streamed()
    assert await asked.streamed() == SAID


@pytest.mark.parametrize("failure", [busy(11.0), BackendRejected("llm", "complete", "Too long.")])
async def test_what_a_moment_does_not_mend_is_not_tried_again(failure: Exception) -> None:
    asked = Asked(Scripted([[failure], [failure], [*SAID]]))
    with pytest.raises(type(failure)):
        await asked.whole()
    with pytest.raises(type(failure)):
        await asked.streamed()
    assert asked.waited == []
    assert await asked.streamed() == SAID


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    asked = Asked(Scripted([[SAID[0], busy()], [*SAID]]))
    with pytest.raises(BackendUnavailable):
        await asked.streamed()
    assert asked.scripted.closed == [1]


@pytest.mark.parametrize("script", [[None], [SAID[0], None]])
async def test_a_model_that_says_nothing_more_is_given_up_and_closed(script: list[Step]) -> None:
    asked = Asked(Scripted([list(script), list(script)]), timeout_seconds=0.05)
    with anyio.fail_after(10):
        with pytest.raises(BackendUnavailable, match="in time"):
            await asked.whole()
        with pytest.raises(BackendUnavailable, match="in time"):
            await asked.streamed()
    assert asked.scripted.closed == [len(script) - 1] * 2


async def test_a_stream_that_is_left_halfway_ends_the_models_work() -> None:
    asked = Asked(Scripted([[*SAID]]))
    async with aclosing(asked.patient.stream(TURNS, max_tokens=9)) as pieces:
        assert await anext(pieces) == SAID[0]
    assert asked.scripted.closed == [1]


async def test_it_is_the_model_that_it_asks() -> None:
    patient = Asked(Scripted([])).patient
    assert (patient.model, patient.context_tokens) == ("scripted", 1000)

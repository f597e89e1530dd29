"""A `LanguageModel` that is given a second chance, and so much time.

A local server is busy while it loads its model, and a hosted one turns requests away; a moment
later either answers. What was told of a streamed answer cannot be taken back, so once a piece has
come there is no second try.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import anyio

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel

LONGEST_PAUSE_SECONDS = 10.0
"""A model that wants to be left alone for longer has not answered, for somebody who waits."""


@dataclass(frozen=True, slots=True)
class PatientModel:
    """Asks twice at most; both tries, the pause between and the whole message fit in the time."""

    language_model: LanguageModel
    timeout_seconds: float
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    @property
    def model(self) -> str:
        return self.language_model.model

    @property
    def context_tokens(self) -> int:
        return self.language_model.context_tokens

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        """The model's next message (see `LanguageModel.complete`)."""
        asked = self.language_model
        with _until(anyio.current_time() + self.timeout_seconds, "complete"):
            try:
                return await asked.complete(turns, max_tokens=max_tokens, temperature=temperature)
            except BackendUnavailable as error:
                await self._pause(error)
            return await asked.complete(turns, max_tokens=max_tokens, temperature=temperature)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        """The same message in pieces (see `LanguageModel.stream`)."""
        deadline = anyio.current_time() + self.timeout_seconds
        is_told, is_last = False, False
        while True:
            pieces = self.language_model.stream(
                turns, max_tokens=max_tokens, temperature=temperature
            )
            try:
                async with aclosing(_timely(pieces, deadline)) as timely:
                    async for piece in timely:
                        is_told = True
                        yield piece
                return
            except BackendUnavailable as error:
                if is_told or is_last or anyio.current_time() >= deadline:
                    raise
                with _until(deadline, "stream"):
                    await self._pause(error)
            is_last = True

    async def _pause(self, error: BackendUnavailable) -> None:
        """Waits as long as the server asks for, or raises its refusal again."""
        seconds = error.retry_after or 0.0
        if seconds > LONGEST_PAUSE_SECONDS:
            raise error
        await self.sleep(seconds)


async def _timely(
    pieces: AsyncGenerator[Completion], deadline: float
) -> AsyncGenerator[Completion]:
    """The same pieces, each before the deadline."""
    async with aclosing(pieces):
        while True:
            with _until(deadline, "stream"):
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece


@contextmanager
def _until(deadline: float, operation: str) -> Iterator[None]:
    """Ends what takes longer, as the drivers say it of one request."""
    try:
        with anyio.fail_after(deadline - anyio.current_time()):
            yield
    except TimeoutError as error:
        raise BackendUnavailable(
            "language model",
            operation,
            "The language model did not answer in time.",
            "Give it more by DOME_LLM_TIMEOUT_SECONDS, or choose a smaller model.",
        ) from error

"""A language model's message, told while it is written."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest

from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import Completion, Passage, Turn
from dome_mcp.services.asking import Follower
from dome_mcp.services.completing import completed

pytestmark = pytest.mark.anyio

TURNS = (Turn("user", "What is the guest password?"),)


@dataclass
class InPieces:
    """A model that says these pieces, and at once all of them."""

    pieces: Sequence[Completion]
    model: str = "in pieces"
    context_tokens: int = 1000
    is_closed: bool = False

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        counts = self.pieces[-1]
        text = "".join(piece.text for piece in self.pieces)
        return Completion(text, counts.prompt_tokens, counts.completion_tokens)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        try:
            for piece in self.pieces:
                yield piece
        finally:
            self.is_closed = True


@dataclass
class Listener:
    """What a follower was told; it goes away after so many pieces."""

    leaves_after: int = 100
    told: list[str] = field(default_factory=list[str])

    async def _found(self, _passages: Sequence[Passage]) -> None: ...

    async def _says(self, piece: str) -> None:
        self.told.append(piece)
        if len(self.told) == self.leaves_after:
            raise BackendUnavailable("follower", "say", "It is gone.")

    @property
    def follower(self) -> Follower:
        return Follower(self._found, self._says)


COUNTED = (Completion("It is "), Completion("seagull."), Completion("", 12, 4))


async def test_a_message_and_its_tokens_are_the_same_whoever_follows() -> None:
    listener = Listener()
    followed = await completed(InPieces(COUNTED), TURNS, max_tokens=9, follower=listener.follower)
    alone = await completed(InPieces(COUNTED), TURNS, max_tokens=9, follower=None)
    assert followed == alone == Completion("It is seagull.", 12, 4)
    assert "".join(listener.told) == "It is seagull."


async def test_a_model_that_does_not_count_leaves_no_numbers() -> None:
    followed = await completed(
        InPieces(COUNTED[:2]), TURNS, max_tokens=9, follower=Listener().follower
    )
    assert followed == Completion("It is seagull.")


async def test_a_follower_that_is_gone_ends_the_models_work() -> None:
    model = InPieces(COUNTED)
    with pytest.raises(BackendUnavailable):
        await completed(model, TURNS, max_tokens=9, follower=Listener(leaves_after=1).follower)
    assert model.is_closed

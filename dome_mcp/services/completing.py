"""Has a language model write its next message, and tells of it while it is written."""

from collections.abc import AsyncGenerator, Sequence

from dome_mcp.core.citations import spoken
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel
from dome_mcp.services.asking import Follower


async def completed(
    model: LanguageModel, turns: Sequence[Turn], *, max_tokens: int, follower: Follower | None
) -> Completion:
    """What the model writes, told to the follower as it comes.

    Raises:
        BackendError: as `LanguageModel.complete`.
    """
    if follower is None:
        return await model.complete(turns, max_tokens=max_tokens)
    text, said = "", 0
    pieces = model.stream(turns, max_tokens=max_tokens)
    try:
        async for piece in pieces:
            text += piece
            if new := spoken(text)[said:]:
                said += len(new)
                await follower.says(new)
    finally:
        # A follower that is gone ends the model's work at once, not when memory is tidied.
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    return Completion(text)

"""Has a language model write its next message, and tells of it while it is written."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from dome_mcp.core.citations import spoken
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import LanguageModel
from dome_mcp.services.asking import Follower


async def completed(
    model: LanguageModel, turns: Sequence[Turn], *, max_tokens: int, follower: Follower | None
) -> Completion:
    """What the model writes, told to the follower as it comes, and how many tokens it took.

    Raises:
        BackendError: as `LanguageModel.complete`.
    """
    if follower is None:
        return await model.complete(turns, max_tokens=max_tokens)
    text, said = "", 0
    piece = Completion("")
    async with aclosing(model.stream(turns, max_tokens=max_tokens)) as pieces:
        async for piece in pieces:
            text += piece.text
            if new := spoken(text)[said:]:
                said += len(new)
                await follower.says(new)
    return replace(piece, text=text)  # the last piece has the counts

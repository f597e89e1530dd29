"""Answers from the notes: quoted as they stand, or written by a language model and checked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.errors import BackendError
from dome_mcp.core.model import Answer, Timing
from dome_mcp.core.ports import Ports
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.gathering import Gathered, gather
from dome_mcp.services.quoting import quoted
from dome_mcp.services.writing import written


async def answer(
    question: Question,
    ports: Ports,
    *,
    user_id: str,
    now: datetime | None = None,
    follower: Follower | None = None,
    stopwatch: Callable[[], float] | None = None,
) -> Answer:
    """The answer to a question with its evidence, or the statement that the notes hold none.

    A language model writes it where one is configured, and each of its sentences is checked
    against the passages; where the model fails, the notes are quoted instead and a warning says
    why. `now` tells what a question's "last March" means, in the zone that it carries.
    `stopwatch` counts seconds, for the timing.

    Raises:
        InvalidInput: an empty question, or a limit out of range.
        BackendError: the notes cannot be searched.
    """
    begun = stopwatch() if stopwatch else 0.0
    gathered = await gather(question, ports, user_id=user_id, now=now)
    found = stopwatch() if stopwatch else 0.0
    if follower is not None:
        await follower.found(gathered.result.passages)
    made = await _made(question, gathered, ports, user_id=user_id, now=now, follower=follower)
    if stopwatch is None:
        return made
    return replace(made, timing=Timing(found - begun, stopwatch() - found))


async def _made(
    question: Question,
    gathered: Gathered,
    ports: Ports,
    *,
    user_id: str,
    now: datetime | None,
    follower: Follower | None,
) -> Answer:
    model = ports.language_model
    if model is None or not gathered.result.passages:
        answer = await quoted(gathered, ports)
        if follower is not None:
            for line in answer.text.splitlines(keepends=True):
                await follower.says(line)
        return answer
    try:
        return await written(
            question, gathered, ports, model, user_id=user_id, now=now, follower=follower
        )
    except BackendError as error:
        answer = await quoted(gathered, ports)
        reason = f"The language model gave no answer ({error.message}); the notes are quoted."
        return replace(answer, warnings=(*answer.warnings, reason))

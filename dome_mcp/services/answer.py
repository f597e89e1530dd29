"""Answers from the notes: quoted as they stand, or written by a language model and checked."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dome_mcp.core.answering import choose, extractive_answer, index_warnings, not_found
from dome_mcp.core.citations import Checked, Claim, check, claims_of, spoken
from dome_mcp.core.errors import BackendError, BackendProtocolError, BackendRejected, InvalidInput
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.follow_ups import Sought, sought
from dome_mcp.core.model import Answer, NoteFilter, Passage, SearchResult, Turn
from dome_mcp.core.packing import pack
from dome_mcp.core.ports import LanguageModel, Ports, Vector
from dome_mcp.core.questions import question_terms
from dome_mcp.core.sessions import Exchange
from dome_mcp.core.support import weigh, with_similarity
from dome_mcp.services.comparing import closeness_to_each, closeness_to_question, question_vector
from dome_mcp.services.search import SearchRequest, search

ANSWER_TOKENS = 700
COMPARED_UNITS = 24
"""Units whose meaning is compared with the question's; embedding them is most of the time."""

_MODEL = "language model"
_BY_WORDS = "The embedding model did not answer; sentences were compared by their words only."


@dataclass(frozen=True, slots=True)
class Question:
    """What to answer, from how many passages, out of which notes.

    `earlier` is what it may go on from, the oldest first.
    """

    text: str
    limit: int = 8
    among: NoteFilter = field(default_factory=NoteFilter)
    earlier: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Follower:
    """Is told of an answer while it is made. Only the answer itself is checked: what was said may
    differ from it, and nothing may have been said at all."""

    found: Callable[[Sequence[Passage]], Awaitable[None]]
    """Called once, with the passages it is made from."""
    says: Callable[[str], Awaitable[None]]
    """Called with each piece of text."""


async def answer(
    question: Question,
    ports: Ports,
    *,
    user_id: str,
    now: datetime | None = None,
    follower: Follower | None = None,
) -> Answer:
    """The answer to a question with its evidence, or the statement that the notes hold none.

    A language model writes it where one is configured, and each of its sentences is checked
    against the passages; where the model fails, the notes are quoted instead and a warning says
    why. `now` tells the model the date, in the zone that it carries.

    Raises:
        InvalidInput: an empty question, or a limit out of range.
        BackendError: the notes cannot be searched.
    """
    if not question.text.strip():
        raise InvalidInput("The question is empty.", "Send a question about the notes.")
    meant = sought(question.text, [each.question for each in question.earlier])
    # Embedded once, to search with and to compare with: a request where the model is far away.
    vector = await question_vector(meant.text, ports.embedder)
    request = SearchRequest(meant.text, limit=question.limit, among=question.among, vector=vector)
    result = await search(request, ports, user_id=user_id)
    if follower is not None:
        await follower.found(result.passages)
    model = ports.language_model
    if model is None or not result.passages:
        quoted = await _quoted(meant, vector, result, ports)
        if follower is not None:
            for line in quoted.text.splitlines(keepends=True):
                await follower.says(line)
        return quoted
    try:
        return await _written(question, result, ports, model, now=now, follower=follower)
    except BackendError as error:
        quoted = await _quoted(meant, vector, result, ports)
        reason = f"The language model gave no answer ({error.message}); the notes are quoted."
        return replace(quoted, warnings=(*quoted.warnings, reason))


async def _quoted(
    meant: Sought, vector: Vector | None, result: SearchResult, ports: Ports
) -> Answer:
    units = [
        unit
        for unit in evidence_units(result.passages)
        if meant.admits(unit.text, _whole(result.passages[unit.passage]))
    ]
    supports = weigh(question_terms(meant.asked), units)[:COMPARED_UNITS]
    warnings = index_warnings(result.index)
    texts = [support.unit.in_context for support in supports]
    similarity = await closeness_to_question(vector, texts, ports.embedder)
    if similarity is not None:
        supports = with_similarity(supports, similarity)
    elif ports.embedder is not None and not warnings:
        warnings = (_BY_WORDS,)
    return extractive_answer(
        choose(supports), result.passages, index=result.index, warnings=warnings
    )


def _whole(passage: Passage) -> str:
    return f"{passage.title}\n{passage.heading or ''}\n{passage.text}"


async def _written(
    question: Question,
    result: SearchResult,
    ports: Ports,
    model: LanguageModel,
    *,
    now: datetime | None,
    follower: Follower | None,
) -> Answer:
    answer_tokens = min(ANSWER_TOKENS, model.context_tokens // 4)
    prompt = pack(
        question.text,
        result.passages,
        earlier=question.earlier,
        context_tokens=model.context_tokens,
        answer_tokens=answer_tokens,
        now=now,
    )
    if not prompt.passages:
        raise BackendRejected(_MODEL, "complete", "Its context is too small for any passage.")
    text = await _text(model, prompt.turns, max_tokens=answer_tokens, follower=follower)
    claims = claims_of(text)
    if not claims:
        raise BackendProtocolError(_MODEL, "complete", "It spent its words on thinking.")
    checked = await _checked(claims, prompt.passages, ports)
    warnings = index_warnings(result.index)
    if checked.is_refusal:
        return not_found(result.passages, index=result.index, model=model.model, warnings=warnings)
    return Answer(
        text=checked.text,
        answered=bool(checked.citations),
        citations=checked.citations,
        passages=result.passages,
        model=model.model,
        index=result.index,
        warnings=(*warnings, *(f"Not supported by your notes: {x}" for x in checked.unsupported)),
    )


async def _text(
    model: LanguageModel, turns: Sequence[Turn], *, max_tokens: int, follower: Follower | None
) -> str:
    """What the model writes, told to the follower as it comes."""
    if follower is None:
        return (await model.complete(turns, max_tokens=max_tokens)).text
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
    return text


async def _checked(claims: Sequence[Claim], passages: Sequence[Passage], ports: Ports) -> Checked:
    units = evidence_units(passages)
    plain = check(claims, units, passages=passages)
    if not plain.unsupported:
        return plain
    similarity = await closeness_to_each(
        [claim.text for claim in claims], [unit.in_context for unit in units], ports.embedder
    )
    return check(claims, units, passages=passages, similarity=similarity) if similarity else plain

"""Answers from the notes: quoted as they stand, or written by a language model and checked."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import mul

from dome_mcp.core.answering import choose, extractive_answer, index_warnings, not_found
from dome_mcp.core.citations import Checked, Claim, check, claims_of, spoken
from dome_mcp.core.errors import BackendError, BackendProtocolError, BackendRejected, InvalidInput
from dome_mcp.core.evidence import Unit, evidence_units
from dome_mcp.core.model import Answer, NoteFilter, Passage, SearchResult, Turn
from dome_mcp.core.packing import pack
from dome_mcp.core.ports import LanguageModel, Ports, Vector
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import weigh, with_similarity
from dome_mcp.services.search import SearchRequest, search

ANSWER_TOKENS = 700
COMPARED_UNITS = 24
"""Units whose meaning is compared with the question's; embedding them is most of the time."""

_MODEL = "language model"
_BY_WORDS = "The embedding model did not answer; sentences were compared by their words only."


@dataclass(frozen=True, slots=True)
class Question:
    """What to answer, from how many passages, out of which notes."""

    text: str
    limit: int = 8
    among: NoteFilter = field(default_factory=NoteFilter)


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
    request = SearchRequest(question.text, limit=question.limit, among=question.among)
    result = await search(request, ports, user_id=user_id)
    if follower is not None:
        await follower.found(result.passages)
    model = ports.language_model
    if model is None or not result.passages:
        quoted = await _quoted(question.text, result, ports)
        if follower is not None:
            for line in quoted.text.splitlines(keepends=True):
                await follower.says(line)
        return quoted
    try:
        return await _written(question.text, result, ports, model, now=now, follower=follower)
    except BackendError as error:
        quoted = await _quoted(question.text, result, ports)
        reason = f"The language model gave no answer ({error.message}); the notes are quoted."
        return replace(quoted, warnings=(*quoted.warnings, reason))


async def _quoted(question: str, result: SearchResult, ports: Ports) -> Answer:
    units = evidence_units(result.passages)
    supports = weigh(question_terms(question), units)[:COMPARED_UNITS]
    warnings = index_warnings(result.index)
    cosines = await _cosines(question, [support.unit for support in supports], ports)
    if cosines is not None:
        supports = with_similarity(supports, cosines)
    elif ports.embedder is not None and not warnings:
        warnings = (_BY_WORDS,)
    return extractive_answer(
        choose(supports), result.passages, index=result.index, warnings=warnings
    )


async def _written(
    question: str,
    result: SearchResult,
    ports: Ports,
    model: LanguageModel,
    *,
    now: datetime | None,
    follower: Follower | None,
) -> Answer:
    answer_tokens = min(ANSWER_TOKENS, model.context_tokens // 4)
    prompt = pack(
        question,
        result.passages,
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
    vectors = await _embedded([*(c.text for c in claims), *(u.in_context for u in units)], ports)
    if vectors is None:
        return plain
    of_claims, of_units = vectors[: len(claims)], vectors[len(claims) :]
    cosines = [[_cosine(claim, unit) for unit in of_units] for claim in of_claims]
    return check(claims, units, passages=passages, cosines=cosines)


async def _cosines(question: str, units: Sequence[Unit], ports: Ports) -> list[float] | None:
    """How close each unit is in meaning to the question; None where no model can say."""
    vectors = await _embedded([unit.in_context for unit in units], ports, query=question)
    return None if vectors is None else [_cosine(vectors[0], vector) for vector in vectors[1:]]


async def _embedded(
    texts: Sequence[str], ports: Ports, *, query: str | None = None
) -> list[Vector] | None:
    """A vector per text, that of the query first; None where no model can make them now.

    A model that fails is no reason to fail: words are compared without it.
    """
    embedder = ports.embedder
    if embedder is None or not embedder.is_ready:
        return None
    try:
        vectors = [] if query is None else [await embedder.embed_query(query)]
        for at in range(0, len(texts), embedder.max_batch):
            vectors += await embedder.embed_passages(texts[at : at + embedder.max_batch])
    except BackendError:
        return None
    return vectors


def _cosine(one: Vector, other: Vector) -> float:
    return sum(map(mul, one, other))

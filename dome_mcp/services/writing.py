"""Answers that a language model writes from the notes, each sentence checked against them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.answering import index_warnings, not_found
from dome_mcp.core.citations import Checked, claims_of, without_foreign_links
from dome_mcp.core.errors import BackendError, BackendProtocolError, BackendRejected, InputTooLong
from dome_mcp.core.model import Answer, Completion, Passage, Tokens
from dome_mcp.core.packing import Asked, Prompt, pack
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.checking import checked
from dome_mcp.services.completing import completed
from dome_mcp.services.gathering import Gathered
from dome_mcp.services.rewording import UNSUPPORTED_ANSWER, quoted_without_orders, reworded
from dome_mcp.store import passages as store

ANSWER_TOKENS = 700
LITTLE_CONTEXT_TOKENS = 2048
"""A model that reads no more than this is a small one, or is to be asked as one."""
ORDERS_LEFT_OUT = (
    "A note holds orders to an assistant; what they had the language model say was left out: {}"
)

_MODEL = "language model"


async def written(
    question: Question,
    gathered: Gathered,
    ports: Ports,
    model: LanguageModel,
    *,
    user_id: str,
    now: datetime | None,
    follower: Follower | None,
) -> Answer:
    """The model's answer with the citations that hold, or the statement that there is none.

    Where the notes bear out less than half of what it states, the model is asked to put into a
    sentence what they are quoted with (rewording.py); where that is not borne out either, they are
    quoted. A model that reads little is asked for the sentence at once.

    Raises:
        BackendError: the model gave no answer.
    """
    if model.context_tokens <= LITTLE_CONTEXT_TOKENS:
        quotation = await quoted_without_orders(gathered, ports)
        return await reworded(question, quotation, ports, model, now=now, follower=follower)
    neighbours = await _neighbours(gathered, ports, user_id=user_id)
    asked = _asked(question, gathered, now)
    prompt, completion = await _completed(asked, gathered, neighbours, model, follower)
    shown = [one for block in prompt.blocks for one in block.passages]
    claims = claims_of(without_foreign_links(completion.text, shown))
    if not claims:
        raise BackendProtocolError(_MODEL, "complete", "It spent its words on thinking.")
    found = await checked(claims, prompt.blocks, ports, now)
    ordered = tuple(ORDERS_LEFT_OUT.format(text) for text in found.ordered)
    if found.is_refusal or found.is_borne_out:
        answer = _answer(found, shown, gathered, model)
    else:
        answer = await _second_answer(question, gathered, ports, model, now)
    tokens = _sum(Tokens(completion.prompt_tokens, completion.completion_tokens), answer.tokens)
    return replace(answer, warnings=(*answer.warnings, *ordered), tokens=tokens)


def _answer(
    found: Checked, shown: Sequence[Passage], gathered: Gathered, model: LanguageModel
) -> Answer:
    result = gathered.result
    warnings = index_warnings(result.index)
    if found.is_refusal:
        return not_found(result.passages, index=result.index, model=model.model, warnings=warnings)
    unsupported = (f"Not supported by your notes: {text}" for text in found.unsupported)
    cited = {citation.chunk_id for citation in found.citations}
    known = {passage.chunk_id for passage in result.passages}
    beside = [one for one in shown if one.chunk_id in cited - known]
    return Answer(
        text=found.text,
        answered=True,
        citations=found.citations,
        passages=(*result.passages, *beside),
        model=model.model,
        index=result.index,
        warnings=(*warnings, *unsupported),
        confidence=found.support,
    )


async def _second_answer(
    question: Question,
    gathered: Gathered,
    ports: Ports,
    model: LanguageModel,
    now: datetime | None,
) -> Answer:
    """The quotation in the model's words or, where it fails now, in those of the notes.

    Nobody is told of it while it is written: it would follow on what was not borne out.
    """
    quotation = await quoted_without_orders(gathered, ports)
    try:
        answer = await reworded(question, quotation, ports, model, now=now, follower=None)
    except BackendError:
        answer = quotation
    if answer.model == model.model or UNSUPPORTED_ANSWER in answer.warnings:
        return answer
    return replace(quotation, warnings=(*quotation.warnings, UNSUPPORTED_ANSWER))


def _sum(one: Tokens, other: Tokens | None) -> Tokens:
    """What two requests took; a count that one of them lacks is unknown."""
    if other is None:
        return one
    prompts, answers = (one.prompt, other.prompt), (one.completion, other.completion)
    return Tokens(
        None if None in prompts else sum(filter(None, prompts)),
        None if None in answers else sum(filter(None, answers)),
    )


async def _neighbours(gathered: Gathered, ports: Ports, *, user_id: str) -> list[Passage]:
    found = [passage.chunk_id for passage in gathered.result.passages]
    try:
        rows = await ports.database.query(store.neighbours(user_id, found))
    except BackendError:
        # They are a help, and no part of what was found.
        return []
    return [store.to_passage(row, score=0.0, semantic={}) for row in rows]


def _asked(question: Question, gathered: Gathered, now: datetime | None) -> Asked:
    periods = (part.period for part in gathered.parts)
    return Asked(
        question.text,
        now=now,
        period="; ".join(dict.fromkeys(period.describe() for period in periods if period)),
        parts=tuple(part.text for part in gathered.parts),
        earlier=question.earlier,
    )


async def _completed(
    asked: Asked,
    gathered: Gathered,
    neighbours: Sequence[Passage],
    model: LanguageModel,
    follower: Follower | None,
) -> tuple[Prompt, Completion]:
    """What the model says to the prompt; to one half as long where it refuses the first.

    How many tokens a text has is estimated, and what a server allows may be less than was set; its
    driver may know it after the refusal.
    """
    first = _packed(asked, gathered, neighbours, model.context_tokens)
    if not first[0].blocks:
        raise BackendRejected(_MODEL, "complete", "Its context is too small for any passage.")
    tried = model.context_tokens
    try:
        return await _said(first, model, follower)
    except InputTooLong:
        second = _packed(asked, gathered, neighbours, min(model.context_tokens, tried // 2))
        if not second[0].blocks or second[0] == first[0]:
            raise
    return await _said(second, model, follower)


def _packed(
    asked: Asked, gathered: Gathered, neighbours: Sequence[Passage], context_tokens: int
) -> tuple[Prompt, int]:
    """The prompt for a context, and how many tokens of it are for the answer."""
    answer_tokens = min(ANSWER_TOKENS, context_tokens // 4)
    prompt = pack(
        asked,
        gathered.result.passages,
        neighbours=neighbours,
        context_tokens=context_tokens,
        answer_tokens=answer_tokens,
    )
    return prompt, answer_tokens


async def _said(
    packed: tuple[Prompt, int], model: LanguageModel, follower: Follower | None
) -> tuple[Prompt, Completion]:
    prompt, answer_tokens = packed
    return prompt, await completed(model, prompt.turns, max_tokens=answer_tokens, follower=follower)

"""Answers that a language model writes from the notes, each sentence checked against them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.answering import index_warnings, not_found
from dome_mcp.core.citations import (
    Checked,
    Claim,
    check,
    claims_of,
    to_compare,
    without_foreign_links,
)
from dome_mcp.core.errors import BackendError, BackendProtocolError, BackendRejected
from dome_mcp.core.grounds import Closeness, Grounds
from dome_mcp.core.instructions import without_orders
from dome_mcp.core.model import Answer, Completion, Passage, Tokens
from dome_mcp.core.packing import Asked, Prompt, pack
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.core.widening import Block
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.comparing import closeness_to_each
from dome_mcp.services.completing import completed
from dome_mcp.services.gathering import Gathered
from dome_mcp.services.quoting import quoted
from dome_mcp.store import passages as store

ANSWER_TOKENS = 700
UNSUPPORTED_ANSWER = (
    "What the language model wrote is not what your notes say; they are quoted instead."
)
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

    Where the notes bear out less than half of what it states, they are quoted instead.

    Raises:
        BackendError: the model gave no answer.
    """
    neighbours = await _neighbours(gathered, ports, user_id=user_id)
    asked = _asked(question, gathered, now)
    prompt, completion = await _completed(asked, gathered, neighbours, model, follower)
    shown = [one for block in prompt.blocks for one in block.passages]
    claims = claims_of(without_foreign_links(completion.text, shown))
    if not claims:
        raise BackendProtocolError(_MODEL, "complete", "It spent its words on thinking.")
    checked = await _checked(claims, prompt.blocks, ports, now)
    answer = await _answer(checked, shown, gathered, ports, model)
    tokens = Tokens(completion.prompt_tokens, completion.completion_tokens)
    return replace(answer, tokens=tokens)


async def _answer(
    checked: Checked,
    shown: Sequence[Passage],
    gathered: Gathered,
    ports: Ports,
    model: LanguageModel,
) -> Answer:
    result = gathered.result
    warnings = index_warnings(result.index)
    if checked.is_refusal:
        return not_found(result.passages, index=result.index, model=model.model, warnings=warnings)
    ordered = tuple(ORDERS_LEFT_OUT.format(text) for text in checked.ordered)
    if not checked.is_borne_out:
        answer = await _quoted_without_orders(gathered, ports)
        return replace(answer, warnings=(*answer.warnings, UNSUPPORTED_ANSWER, *ordered))
    unsupported = (f"Not supported by your notes: {text}" for text in checked.unsupported)
    cited = {citation.chunk_id for citation in checked.citations}
    found = {passage.chunk_id for passage in result.passages}
    beside = [one for one in shown if one.chunk_id in cited - found]
    return Answer(
        text=checked.text,
        answered=True,
        citations=checked.citations,
        passages=(*result.passages, *beside),
        model=model.model,
        index=result.index,
        warnings=(*warnings, *unsupported, *ordered),
        confidence=checked.support,
    )


async def _quoted_without_orders(gathered: Gathered, ports: Ports) -> Answer:
    """The quotation, of anything but what orders a model about: it was just seen to obey."""
    result = gathered.result
    blanked = tuple(replace(one, text=without_orders(one.text)) for one in result.passages)
    answer = await quoted(replace(gathered, result=replace(result, passages=blanked)), ports)
    texts = {one.chunk_id: (one.start, one.text) for one in result.passages}
    for citation in answer.citations:
        start, text = texts[citation.chunk_id]
        if text[citation.start - start : citation.end - start] != citation.quote:
            # A list with an order for an item cannot be quoted word for word without it.
            return not_found(result.passages, index=result.index, model=answer.model)
    return replace(answer, passages=result.passages)


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

    How many tokens a text has is estimated, and what a server allows may be less than it says.
    """
    answer_tokens = min(ANSWER_TOKENS, model.context_tokens // 4)
    prompts = [
        pack(
            asked,
            gathered.result.passages,
            neighbours=neighbours,
            context_tokens=context_tokens,
            answer_tokens=answer_tokens,
        )
        for context_tokens in (model.context_tokens, model.context_tokens // 2)
    ]
    if not prompts[0].blocks:
        raise BackendRejected(_MODEL, "complete", "Its context is too small for any passage.")
    first, second = prompts
    try:
        return first, await completed(
            model, first.turns, max_tokens=answer_tokens, follower=follower
        )
    except BackendRejected:
        if not second.blocks or second == first:
            raise
    return second, await completed(model, second.turns, max_tokens=answer_tokens, follower=follower)


async def _checked(
    claims: Sequence[Claim], blocks: Sequence[Block], ports: Ports, now: datetime | None
) -> Checked:
    """The claims held against the blocks as the model read them: dated in the person's zone."""
    zone = now.tzinfo if now else None
    grounds = Grounds(
        [
            replace(one, created_at=one.created_at.astimezone(zone)) if zone else one
            for block in blocks
            for one in block.passages
        ]
    )
    by_words = check(claims, blocks, grounds, close={})
    failed = {*by_words.unsupported, *by_words.ordered}
    if not failed:
        return by_words
    close = await _closeness([one for one in claims if one.text in failed], grounds, ports)
    return check(claims, blocks, grounds, close=close)


async def _closeness(
    claims: Sequence[Claim], grounds: Grounds, ports: Ports
) -> dict[str, Closeness] | None:
    """How close claims and units are where words cannot tell; None where no model can say so."""
    wanted = to_compare(claims, grounds)
    places = sorted({at for units in wanted.values() for at in units})
    texts = [grounds.units[at].in_context for at in places]
    rows = await closeness_to_each(list(wanted), texts, ports.embedder)
    if rows is None:
        return None
    return {
        text: dict(zip(places, row, strict=True)) for text, row in zip(wanted, rows, strict=True)
    }

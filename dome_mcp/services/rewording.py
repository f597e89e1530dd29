"""Has a small language model put into a sentence what would be quoted, and checks the sentence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dome_mcp.core.answering import not_found
from dome_mcp.core.citations import Claim, claims_of, without_foreign_links
from dome_mcp.core.instructions import without_orders
from dome_mcp.core.model import Answer, Citation, Passage, Tokens
from dome_mcp.core.packing import estimate_tokens
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.core.rewording import can_be_reworded, cites_any_of, says_again, to_reword
from dome_mcp.core.widening import Block
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.checking import checked
from dome_mcp.services.completing import completed
from dome_mcp.services.gathering import Gathered
from dome_mcp.services.quoting import quoted

UNSUPPORTED_ANSWER = (
    "What the language model wrote is not what your notes say; they are quoted instead."
)
NOT_REWORDED = (
    "What answers is more than plain sentences, which is too much for a small language model;"
    " your notes are quoted."
)

_SENTENCE_TOKENS = 120


async def quoted_without_orders(gathered: Gathered, ports: Ports) -> Answer:
    """The quotation, of anything but what orders a language model about."""
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


async def reworded(
    question: Question,
    quotation: Answer,
    ports: Ports,
    model: LanguageModel,
    *,
    now: datetime | None,
    follower: Follower | None,
) -> Answer:
    """The quotation as the model says it in a sentence, where that is borne out; else as it is.

    `quotation` is free of orders (`quoted_without_orders`). The model is not asked where that holds
    no answer, or more than can be put into one sentence.

    Raises:
        BackendError: the model gave no answer.
    """
    if not quotation.answered:
        return quotation
    turns = to_reword(question.text, quotation.text)
    needed = estimate_tokens("".join(turn.content for turn in turns)) + _SENTENCE_TOKENS
    if needed > model.context_tokens or not can_be_reworded(quotation):
        return replace(quotation, warnings=(*quotation.warnings, NOT_REWORDED))
    completion = await completed(model, turns, max_tokens=_SENTENCE_TOKENS, follower=follower)
    answer = await _borne_out(completion.text, question, quotation, ports, now)
    if answer is None:
        answer = replace(quotation, warnings=(*quotation.warnings, UNSUPPORTED_ANSWER))
    else:
        answer = replace(answer, model=model.model)
    return replace(answer, tokens=Tokens(completion.prompt_tokens, completion.completion_tokens))


async def _borne_out(
    text: str, question: Question, quotation: Answer, ports: Ports, now: datetime | None
) -> Answer | None:
    """The first sentence of the text with what it is quoted from; None where that is not so.

    A small model goes on after the one sentence that it is asked for, and seldom with another that
    is right.
    """
    quoted_from = {citation.chunk_id for citation in quotation.citations}
    passages = [one for one in quotation.passages if one.chunk_id in quoted_from]
    for claim in claims_of(without_foreign_links(text, passages))[:1]:
        said = [one for one in quotation.citations if says_again(claim, question.text, one)]
        support = await _support(claim, said, passages, ports, now) if said else None
        if support is not None:
            marks = "".join(f"[{n}]" for n in range(1, len(said) + 1))
            return replace(
                quotation,
                text=f"{claim.text} {marks}",
                citations=tuple(replace(one, n=n) for n, one in enumerate(said, 1)),
                confidence=min(quotation.confidence, support),
            )
    return None


async def _support(
    claim: Claim,
    said: Sequence[Citation],
    passages: Sequence[Passage],
    ports: Ports,
    now: datetime | None,
) -> float | None:
    """How far what is quoted bears the claim out, 0 to 1; None where it does not.

    It is held against the passages under their titles and without: a long title over a sentence
    makes it mean something else, and here the sentence is known to be what answers.
    """
    untitled = [replace(one, title="", heading=None) for one in passages]
    for each in (passages, untitled):
        found = await checked([claim], [Block((one,)) for one in each], ports, now)
        if not found.unsupported and cites_any_of(found.citations, said):
            return found.support
    return None

"""Answers that a language model writes from the notes, each sentence checked against them."""

from collections.abc import Sequence
from datetime import datetime

from dome_mcp.core.answering import index_warnings, not_found
from dome_mcp.core.citations import Checked, Claim, check, claims_of
from dome_mcp.core.errors import BackendProtocolError, BackendRejected
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.model import Answer, Passage
from dome_mcp.core.packing import pack
from dome_mcp.core.ports import LanguageModel, Ports
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.comparing import closeness_to_each
from dome_mcp.services.completing import completed
from dome_mcp.services.gathering import Gathered

ANSWER_TOKENS = 700

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

    Raises:
        BackendError: the model gave no answer.
    """
    result = gathered.result
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
    completion = await completed(model, prompt.turns, max_tokens=answer_tokens, follower=follower)
    claims = claims_of(completion.text)
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


async def _checked(claims: Sequence[Claim], passages: Sequence[Passage], ports: Ports) -> Checked:
    units = evidence_units(passages)
    plain = check(claims, units, passages=passages)
    if not plain.unsupported:
        return plain
    similarity = await closeness_to_each(
        [claim.text for claim in claims], [unit.in_context for unit in units], ports.embedder
    )
    return check(claims, units, passages=passages, similarity=similarity) if similarity else plain

"""Answers that quote the notes as they stand."""

from dome_mcp.core.answering import choose, extractive_answer, index_warnings
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.model import Answer, Passage, SearchResult
from dome_mcp.core.ports import Ports
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import weigh, with_similarity
from dome_mcp.services.comparing import closeness_to_question
from dome_mcp.services.gathering import Gathered, Part

COMPARED_UNITS = 24
"""Units whose meaning is compared with the question's; embedding them is most of the time."""

_BY_WORDS = "The embedding model did not answer; sentences were compared by their words only."


async def quoted(gathered: Gathered, ports: Ports) -> Answer:
    """The sentences that answer a question, or the statement that there are none."""
    return await _part_quoted(gathered.parts[0], gathered.result, ports)


async def _part_quoted(part: Part, result: SearchResult, ports: Ports) -> Answer:
    units = [
        unit
        for unit in evidence_units(result.passages)
        if part.meant.admits(unit.text, _whole(result.passages[unit.passage]))
    ]
    supports = weigh(question_terms(part.meant.asked), units)[:COMPARED_UNITS]
    warnings = index_warnings(result.index)
    texts = [support.unit.in_context for support in supports]
    similarity = await closeness_to_question(part.vector, texts, ports.embedder)
    if similarity is not None:
        supports = with_similarity(supports, similarity)
    elif ports.embedder is not None and not warnings:
        warnings = (_BY_WORDS,)
    return extractive_answer(
        choose(supports), result.passages, index=result.index, warnings=warnings
    )


def _whole(passage: Passage) -> str:
    return f"{passage.title}\n{passage.heading or ''}\n{passage.text}"

"""Answers that quote the notes as they stand."""

from collections.abc import Sequence

from dome_mcp.core.answering import PartQuotes, choose, extractive_answer, index_warnings
from dome_mcp.core.contradictions import Quotes, newest_first
from dome_mcp.core.evidence import Unit, evidence_units
from dome_mcp.core.model import Answer, Passage, SearchResult
from dome_mcp.core.period_words import is_from
from dome_mcp.core.ports import Ports
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import LEAST_CERTAIN, Support, certainty, weigh, with_similarity
from dome_mcp.services.comparing import closeness_to_question
from dome_mcp.services.gathering import Gathered, Part

COMPARED_UNITS = 24
"""Units whose meaning is compared with the question's; embedding them is most of the time."""

_BY_WORDS = "The embedding model did not answer; sentences were compared by their words only."


async def quoted(gathered: Gathered, ports: Ports) -> Answer:
    """The sentences that answer each thing a question asks, or the statement that none does."""
    result = gathered.result
    units = evidence_units(result.passages)
    parts: list[PartQuotes] = []
    was_compared = True
    for part in gathered.parts:
        supports = weigh(question_terms(part.meant.asked), _admitted(part, units, result))
        supports = supports[:COMPARED_UNITS]
        texts = [support.unit.in_context for support in supports]
        similarity = await closeness_to_question(part.vector, texts, ports.embedder)
        if similarity is None:
            was_compared = False
        else:
            supports = with_similarity(supports, similarity)
        parts.append(_part_quotes(part, supports, result))
    warnings = index_warnings(result.index)
    if not was_compared and ports.embedder is not None and not warnings:
        warnings = (_BY_WORDS,)
    return extractive_answer(parts, result.passages, index=result.index, warnings=warnings)


def _admitted(part: Part, units: Sequence[Unit], result: SearchResult) -> list[Unit]:
    return [
        unit
        for unit in units
        if part.meant.admits(unit.text, _whole(result.passages[unit.passage]))
    ]


def _part_quotes(part: Part, supports: Sequence[Support], result: SearchResult) -> PartQuotes:
    terms = question_terms(part.meant.asked)
    quotes = newest_first(choose(supports), supports, result.passages, terms)
    if not quotes.chosen:
        return PartQuotes(part.text, quotes)
    sure = certainty((*quotes.chosen, *quotes.outdated), supports)
    if sure < LEAST_CERTAIN:
        return PartQuotes(part.text, Quotes(()))
    elsewhen = None
    if part.period is not None and not any(
        is_from(result.passages[one.unit.passage], part.period) for one in quotes.chosen
    ):
        elsewhen = part.period.describe()
    return PartQuotes(part.text, quotes, certainty=sure, elsewhen=elsewhen)


def _whole(passage: Passage) -> str:
    return f"{passage.title}\n{passage.heading or ''}\n{passage.text}"

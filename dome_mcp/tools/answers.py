"""The structured result of an answer."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NotRequired

from typing_extensions import TypedDict

from dome_mcp.core.model import Passage
from dome_mcp.services.sessions import Conversed
from dome_mcp.tools.excerpts import excerpt
from dome_mcp.tools.results import (
    CitationResult,
    PassageResult,
    citation_result,
    passage_results,
)

DEFAULT_PASSAGES = 8

_PASSAGE_CHARACTERS = 500


class Answered(TypedDict):
    """What rag_answer gives."""

    answer: str
    answered: bool
    citations: list[CitationResult]
    passages: list[PassageResult]
    model: str
    session_id: str
    warnings: NotRequired[list[str]]


def answer_result(conversed: Conversed, question: str, *, zone: tzinfo) -> Answered:
    """The answer with its evidence, of which only what speaks of the question is shown."""
    answer = conversed.answer
    result: Answered = {
        "answer": answer.text,
        "answered": answer.answered,
        "citations": [citation_result(citation, zone=zone) for citation in answer.citations],
        "passages": evidence_results(answer.passages, question, zone=zone),
        "model": answer.model,
        "session_id": conversed.session_id,
    }
    if answer.warnings:
        result["warnings"] = list(answer.warnings)
    return result


def evidence_results(
    passages: Sequence[Passage], question: str, *, zone: tzinfo
) -> list[PassageResult]:
    """The passages an answer is made from, with the part that speaks of the question."""
    texts = [excerpt(found.text, question, width=_PASSAGE_CHARACTERS) for found in passages]
    return passage_results(passages, texts, zone=zone)

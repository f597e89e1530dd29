"""The structured result of an answer."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NotRequired

from typing_extensions import TypedDict

from dome_mcp.core.model import Passage, Tokens
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


class TokenCounts(TypedDict):
    """What a language model read and wrote; what its server did not count is left out."""

    prompt: NotRequired[int]
    completion: NotRequired[int]


class Milliseconds(TypedDict):
    """How long an answer took: to find its passages, and to make it from them."""

    search: int
    answer: int


class Answered(TypedDict):
    """What rag_answer gives. `confidence`, 0 to 1, is how far the notes bear the answer out."""

    answer: str
    answered: bool
    confidence: float
    citations: list[CitationResult]
    passages: list[PassageResult]
    model: str
    tokens: NotRequired[TokenCounts]
    milliseconds: NotRequired[Milliseconds]
    session_id: str
    warnings: NotRequired[list[str]]


def answer_result(conversed: Conversed, question: str, *, zone: tzinfo) -> Answered:
    """The answer with its evidence, of which only what speaks of the question is shown."""
    answer = conversed.answer
    result: Answered = {
        "answer": answer.text,
        "answered": answer.answered,
        "confidence": round(answer.confidence, 2),
        "citations": [citation_result(citation, zone=zone) for citation in answer.citations],
        "passages": evidence_results(answer.passages, question, zone=zone),
        "model": answer.model,
        "session_id": conversed.session_id,
    }
    if answer.tokens is not None:
        result["tokens"] = _counts(answer.tokens)
    if answer.timing is not None:
        result["milliseconds"] = {
            "search": round(1000 * answer.timing.search),
            "answer": round(1000 * answer.timing.answer),
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


def _counts(tokens: Tokens) -> TokenCounts:
    counts: TokenCounts = {}
    if tokens.prompt is not None:
        counts["prompt"] = tokens.prompt
    if tokens.completion is not None:
        counts["completion"] = tokens.completion
    return counts

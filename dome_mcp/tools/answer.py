"""The rag_answer tool."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Annotated, NotRequired

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult
from pydantic import Field
from typing_extensions import TypedDict

from dome_mcp.core.model import Answer, Citation, Passage
from dome_mcp.services import answer as answering
from dome_mcp.services.answer import Question
from dome_mcp.services.search import MAX_LIMIT
from dome_mcp.tools._boundary import READS, Call, define, dome_of, reply
from dome_mcp.tools.excerpts import excerpt, shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, Since, Until, note_filter
from dome_mcp.tools.results import (
    CitationResult,
    PassageResult,
    citation_result,
    passage_results,
)
from dome_mcp.tools.search import head

DEFAULT_PASSAGES = 8

_PASSAGE_CHARACTERS = 500
_CLOSEST = 3
"""How many passages the text shows when the notes hold no answer."""


class Answered(TypedDict):
    """What rag_answer gives."""

    answer: str
    answered: bool
    citations: list[CitationResult]
    passages: list[PassageResult]
    model: str
    session_id: NotRequired[str]
    warnings: NotRequired[list[str]]


def tools() -> list[Tool]:
    """The tools of this module."""
    return [
        define(rag_answer, title="Answer from notes", annotations=READS, scopes=("notes:read",))
    ]


async def rag_answer(
    question: str,
    *,
    call: Call,
    limit: Annotated[int, Field(le=MAX_LIMIT)] = DEFAULT_PASSAGES,
    tags: Names = (),
    context: str = "",
    note_ids: NoteIds = (),
    since: Since = "",
    until: Until = "",
    session_id: str = "",
) -> Annotated[CallToolResult, Answered]:
    """Answer a question from the user's notes with [n] citations; says so when they hold no answer.
    Not for general knowledge."""
    dome = await dome_of(call)
    zone = dome.zone
    among = note_filter(
        zone=zone, tags=tags, context=context, note_ids=note_ids, since=since, until=until
    )
    answer = await answering.answer(
        Question(question, limit=limit, among=among),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now().astimezone(zone),
    )
    result = answer_result(answer, question, zone=zone, session_id=session_id)
    return reply(_page(answer, result["passages"], zone=zone), result)


def answer_result(answer: Answer, question: str, *, zone: tzinfo, session_id: str = "") -> Answered:
    """The answer with its evidence, of which only what speaks of the question is shown."""
    result: Answered = {
        "answer": answer.text,
        "answered": answer.answered,
        "citations": [citation_result(citation, zone=zone) for citation in answer.citations],
        "passages": evidence_results(answer.passages, question, zone=zone),
        "model": answer.model,
    }
    if session_id:
        result["session_id"] = session_id
    if answer.warnings:
        result["warnings"] = list(answer.warnings)
    return result


def evidence_results(
    passages: Sequence[Passage], question: str, *, zone: tzinfo
) -> list[PassageResult]:
    """The passages an answer is made from, with the part that speaks of the question."""
    texts = [excerpt(found.text, question, width=_PASSAGE_CHARACTERS) for found in passages]
    return passage_results(passages, texts, zone=zone)


def _page(answer: Answer, shown: Sequence[PassageResult], *, zone: tzinfo) -> str:
    lines = [f"Note: {warning}" for warning in answer.warnings]
    if answer.answered:
        sources = [_source(citation, zone=zone) for citation in answer.citations]
        lines.append(fenced("\n".join([answer.text, "", *sources])))
        return "\n".join(lines)
    lines.append(answer.text)
    closest = [
        f"{head(passage, zone=zone)}\n{result['text']}"
        for passage, result in zip(answer.passages[:_CLOSEST], shown, strict=False)
    ]
    if closest:
        lines += ["The closest passages:", fenced("\n\n".join(closest))]
    return "\n".join(lines)


def _source(citation: Citation, *, zone: tzinfo) -> str:
    heading = citation.heading or ""
    parts = [
        shortened(citation.title, 80),
        f"{citation.created_at.astimezone(zone):%Y-%m-%d}",
        citation.note_id,
        f"p. {citation.page}" if citation.page is not None else "",
        shortened(heading, 60) if heading != citation.title else "",
    ]
    return f"[{citation.n}] {' · '.join(filter(None, parts))}"

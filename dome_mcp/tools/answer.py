"""The rag_answer tool."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.search import MAX_LIMIT
from dome_mcp.services.sessions import converse
from dome_mcp.tools._boundary import READS, Arguments, Call, define, dome_of
from dome_mcp.tools.answers import DEFAULT_PASSAGES, Answered, answer_result
from dome_mcp.tools.excerpts import shortened
from dome_mcp.tools.fences import fenced
from dome_mcp.tools.parameters import Names, NoteIds, Since, Until, note_filter
from dome_mcp.tools.results import CitationResult
from dome_mcp.tools.search import head

_TOLD_CHARACTERS = 100
"""A client hears of the answer's progress each time that so much was written."""
_CLOSEST = 3
"""How many passages the text shows when the notes hold no answer."""


def tools() -> list[Tool]:
    """The tools of this module."""
    return [
        define(
            rag_answer, _told, title="Answer from notes", annotations=READS, scopes=("notes:read",)
        )
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
) -> Answered:
    """Answer a question from the user's notes with [n] citations, or say that they hold no answer.
    Not for general knowledge. To follow up, send the session_id back."""
    dome = await dome_of(call)
    zone = dome.zone
    among = note_filter(
        zone=zone, tags=tags, context=context, note_ids=note_ids, since=since, until=until
    )
    progress = Progress(call)
    conversed = await converse(
        Question(question, limit=limit, among=among),
        dome.ports,
        user_id=dome.user_id,
        now=dome.now().astimezone(zone),
        session_id=session_id,
        follower=Follower(progress.found, progress.says),
        stopwatch=time.perf_counter,
    )
    return answer_result(conversed, question, zone=zone)


@dataclass(slots=True)
class Progress:
    """Tells the client how far its answer is, and not its words: they are checked at the end."""

    call: Call
    said: int = 0
    told: int = 0

    async def found(self, passages: Sequence[object]) -> None:
        """The passages are there, and the answer is begun."""
        await self.call.report_progress(0, message=f"Passages found: {len(passages)}")

    async def says(self, text: str) -> None:
        """So much more of the answer is written."""
        self.said += len(text)
        if self.said - self.told >= _TOLD_CHARACTERS:
            self.told = self.said
            await self.call.report_progress(self.said, message=f"Characters written: {self.said}")


def _told(result: Answered, _: Arguments) -> str:
    lines = [f"Note: {warning}" for warning in result.get("warnings", ())]
    if result["answered"]:
        sources = map(_source, result["citations"])
        lines.append(fenced("\n".join([result["answer"], "", *sources])))
        return "\n".join([*lines, f"session_id: {result['session_id']}"])
    lines.append(result["answer"])
    closest = [f"{head(passage)}\n{passage['text']}" for passage in result["passages"][:_CLOSEST]]
    if closest:
        lines += ["The closest passages:", fenced("\n\n".join(closest))]
    return "\n".join([*lines, f"session_id: {result['session_id']}"])


def _source(citation: CitationResult) -> str:
    place = citation["location"]
    heading = place.get("heading", "")
    parts = [
        shortened(citation["title"], 80),
        citation["date"][:10],
        citation["note_id"],
        f"p. {place['page']}" if "page" in place else "",
        shortened(heading, 60) if heading != citation["title"] else "",
    ]
    return f"[{citation['n']}] {' · '.join(filter(None, parts))}"

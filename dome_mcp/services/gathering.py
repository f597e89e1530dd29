"""What the notes have for a question: the passages, and what the question asks of them."""

from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.follow_ups import Sought, sought
from dome_mcp.core.model import SearchResult
from dome_mcp.core.ports import Ports, Vector
from dome_mcp.services.asking import Question
from dome_mcp.services.comparing import question_vector
from dome_mcp.services.search import SearchRequest, search


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a question asks, and its vector where a model could make one."""

    meant: Sought
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The passages found, best first, and the things that the question asks, at least one."""

    parts: tuple[Part, ...]
    result: SearchResult


async def gather(
    question: Question, ports: Ports, *, user_id: str, now: datetime | None
) -> Gathered:
    """The passages that may hold the answer to a question.

    Raises:
        InvalidInput: an empty question, or a limit out of range.
        BackendError: the notes cannot be searched.
    """
    if not question.text.strip():
        raise InvalidInput("The question is empty.", "Send a question about the notes.")
    meant = sought(question.text, [each.question for each in question.earlier])
    # Embedded once, to search with and to compare with: a request where the model is far away.
    vector = await question_vector(meant.text, ports.embedder)
    request = SearchRequest(meant.text, limit=question.limit, among=question.among, vector=vector)
    result = await search(request, ports, user_id=user_id)
    return Gathered((Part(meant, vector),), result)

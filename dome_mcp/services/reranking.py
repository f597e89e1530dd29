"""The best of what a search found, in the order of a model that reads each with the question."""

from collections.abc import Mapping, Sequence

from dome_mcp.core.errors import BackendError
from dome_mcp.core.ports import Reranker, Row
from dome_mcp.core.queries import asks_for_words, embedding_text
from dome_mcp.core.ranking import Candidate
from dome_mcp.store.notes import optional

RERANKED = 24
"""So many of the best are read with the question, whichever page is asked for, so that the pages of
a list share one order; what comes after them stays where it is."""

Ranked = Sequence[tuple[Candidate, float]]


async def reranked(
    ranked: Ranked, rows: Mapping[str, Row], query: str, reranker: Reranker | None
) -> tuple[Ranked, str | None]:
    """The list with its first `RERANKED` in the reranker's order, and a note where it failed.

    Each keeps its score, so the scores need not fall any more. A query that asks for very words is
    left as it is: which passage has them is not a matter of meaning.
    """
    if reranker is None or len(ranked) < 2 or asks_for_words(query):
        return ranked, None
    best = ranked[:RERANKED]
    try:
        scores = await reranker.rerank(query, [_text(rows[item.chunk_id]) for item, _ in best])
    except BackendError as error:
        return ranked, f"Reranking failed ({error.message}); these results are in the usual order."
    order = sorted(range(len(best)), key=lambda place: -scores[place])
    return [*(best[place] for place in order), *ranked[RERANKED:]], None


def _text(row: Row) -> str:
    return embedding_text(str(row["title"]), optional(row["heading"]), str(row["text"]))

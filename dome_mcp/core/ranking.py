"""One order for what two searches found: by keyword (BM25) and by meaning (cosine similarity).

The two scores have no common scale, and what a good one is differs from query to query. So each
is taken as its distance from the mean of the query's own candidates, in standard deviations: the
search that singles a few passages out has the say, one that finds everything alike has none.
Over Cranfield, CISI and LoCoMo (mean nDCG@10) this gave 0.509, scores between their least and
most 0.505, reciprocal ranks, which forget the distances, 0.476, each with its best weight.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from dome_mcp.core.model import SearchMode
from dome_mcp.core.queries import asks_for_words

KEYWORD_RANK = "bm25(1.5, 1.0, 1.0)"
"""FTS5's ranking with the weights of title, heading and text.

A title given by the author deserves 2 to 4, one made from the first words of a short note 1;
no collection with headings was measured.
"""

SEMANTIC_WEIGHT = 0.55
"""The share of the vectors; 0.5 to 0.6 are equal within the noise of the collections measured."""

SEMANTIC_WEIGHT_EXACT = 0.3
"""The same where the query asks for the very words: a quotation, an identifier, an address."""

POOL = 100
"""Candidates asked of each search: 200 or 300 order no better, 50 lose what only one found."""

PASSAGES_PER_NOTE = 3
"""So many passages of one note compete unhindered; a long document must not fill the page."""

_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that a search found; a score is None where that search did not find it.

    `keyword` is BM25, higher is better; `semantic` the cosine similarity.
    """

    chunk_id: str
    note_id: str
    ordinal: int
    keyword: float | None
    semantic: float | None


def pool_size(wanted: int) -> int:
    """How many candidates to ask of each search for the first `wanted` results.

    It grows in doubles, so that the pages of a list mostly share one pool and thus one order.
    """
    size = POOL
    while size < 2 * wanted:
        size *= 2
    return size


def fuse(
    candidates: Sequence[Candidate], *, query: str, mode: SearchMode
) -> list[tuple[Candidate, float]]:
    """The candidates that `mode` asks for with their scores, best first, ties by chunk id.

    In `hybrid` and `keyword` mode the best has 1 and a score only compares within one list; in
    `semantic` mode it is the cosine similarity, 0 where that is negative. From the fourth passage
    of a note on, the k-th keeps 3/k of its score.
    """
    if mode == "semantic":
        found = [item for item in candidates if item.semantic is not None]
        scores = [max(item.semantic or 0.0, 0.0) for item in found]
    elif mode == "keyword":
        found = [item for item in candidates if item.keyword is not None]
        scores = _share_of_best([item.keyword or 0.0 for item in found])
    else:
        found = list(candidates)
        scores = _hybrid(found, SEMANTIC_WEIGHT_EXACT if asks_for_words(query) else SEMANTIC_WEIGHT)
    return _spread(sorted(zip(found, scores, strict=True), key=_best_first))


def _hybrid(candidates: Sequence[Candidate], semantic_weight: float) -> list[float]:
    by_keyword = _standardised([item.keyword for item in candidates], weakest=_weakest_keyword)
    by_meaning = _standardised([item.semantic for item in candidates], weakest=min)
    fused = [
        (1 - semantic_weight) * keyword + semantic_weight * meaning
        for keyword, meaning in zip(by_keyword, by_meaning, strict=True)
    ]
    lowest = min(fused, default=0.0)
    return _share_of_best([score - lowest for score in fused])


def _weakest_keyword(scores: Sequence[float]) -> float:
    """A full list was cut off, so what is not on it may be as good as its last; else it has 0.

    Without the 0, a single match would be no better than everything that does not match.
    """
    return min(scores) if len(scores) >= POOL else 0.0


def _standardised(
    scores: Sequence[float | None], *, weakest: Callable[[Sequence[float]], float]
) -> list[float]:
    """Distances from the mean in standard deviations; all 0 where nothing is told apart.

    A missing score counts as the `weakest` of those that are known.
    """
    known = [score for score in scores if score is not None]
    if not known:
        return [0.0] * len(scores)
    absent = weakest(known)
    values = [absent if score is None else score for score in scores]
    mean = fmean(values)
    deviation = pstdev(values, mean)
    return [(value - mean) / deviation if deviation > _EPSILON else 0.0 for value in values]


def _share_of_best(scores: Sequence[float]) -> list[float]:
    """The scores, none negative, over the highest; all 1 where that is 0."""
    best = max(scores, default=0.0)
    return [score / best if best > _EPSILON else 1.0 for score in scores]


def _spread(ranked: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    """The list again, with the later passages of each note set back."""
    seen: Counter[str] = Counter()
    spread: list[tuple[Candidate, float]] = []
    for item, score in ranked:
        seen[item.note_id] += 1
        share = PASSAGES_PER_NOTE / max(seen[item.note_id], PASSAGES_PER_NOTE)
        spread.append((item, score * share))
    return sorted(spread, key=_best_first)


def _best_first(scored: tuple[Candidate, float]) -> tuple[float, str]:
    item, score = scored
    return -score, item.chunk_id

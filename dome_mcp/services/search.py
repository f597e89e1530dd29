"""Search: keywords and meaning, found apart and ranked together.

One embedding, one vector search and one SQL statement, however many results there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dome_mcp.core import ranking
from dome_mcp.core.drafts import clean_context, clean_tags
from dome_mcp.core.errors import BackendError, InvalidInput
from dome_mcp.core.model import EVERY_NOTE, IndexState, NoteFilter, SearchMode, SearchResult
from dome_mcp.core.ports import Ports, Row
from dome_mcp.core.queries import match_terms
from dome_mcp.services.indexing import Semantics, semantics
from dome_mcp.store import passages
from dome_mcp.store.notes import to_int

MAX_LIMIT = 50
MAX_OFFSET = 1_000


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for, where, and which page of it."""

    query: str
    limit: int = 10
    mode: SearchMode = "hybrid"
    among: NoteFilter = EVERY_NOTE
    offset: int = 0


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the search by meaning found, or why it found nothing."""

    scores: Mapping[str, float]
    index: IndexState


async def search(request: SearchRequest, ports: Ports, *, user_id: str) -> SearchResult:
    """A page of the passages that answer a query, best first.

    While the model loads, or when the search by meaning fails, a hybrid search answers with
    keywords alone and says so in `index.note`; a semantic one waits, or fails.

    Raises:
        InvalidInput: an empty query, or a limit or offset out of range.
        BackendError: the database cannot be read, or a semantic search cannot be made.
    """
    request = _checked(request)
    terms = [] if request.mode == "semantic" else match_terms(request.query)
    wanted = request.offset + request.limit
    meaning = await _by_meaning(request, ports, user_id=user_id, pool=ranking.pool_size(wanted))
    statement = passages.candidates(
        user_id,
        request.among,
        terms=terms,
        rank=ranking.KEYWORD_RANK,
        keyword_limit=ranking.pool_size(wanted),
        chunk_ids=tuple(meaning.scores),
    )
    rows = {str(row["chunk_id"]): row for row in await ports.database.query(statement)}
    found = [_candidate(row, meaning.scores) for row in rows.values()]
    ranked = ranking.fuse(found, query=request.query, mode=request.mode)
    page = ranked[request.offset : wanted]
    return SearchResult(
        tuple(
            passages.to_passage(rows[item.chunk_id], score=score, semantic=meaning.scores)
            for item, score in page
        ),
        meaning.index,
        wanted if len(ranked) > wanted and wanted <= MAX_OFFSET else None,
    )


async def _by_meaning(request: SearchRequest, ports: Ports, *, user_id: str, pool: int) -> _Meaning:
    ready = await semantics(ports, user_id=user_id)
    if request.mode == "keyword":
        return _Meaning({}, IndexState())
    if ready.problem or ports.embedder is None or ports.vectors is None:
        return _without_meaning(request, ready)
    if request.mode == "hybrid" and not ports.embedder.is_ready:
        note = "The embedding model is still loading; these results are by keyword only."
        return _Meaning({}, replace(ready.state, note=note))
    try:
        vector = await ports.embedder.embed_query(request.query)
        matches = await ports.vectors.search(user_id, vector, limit=pool, among=request.among)
    except BackendError as error:
        if request.mode == "semantic":
            raise
        note = f"Search by meaning failed ({error.message}); these results are by keyword only."
        return _Meaning({}, replace(ready.state, note=note))
    return _Meaning({match.chunk_id: match.score for match in matches}, ready.state)


def _without_meaning(request: SearchRequest, ready: Semantics) -> _Meaning:
    if request.mode == "semantic":
        raise InvalidInput(
            ready.problem or "Search by meaning is not available.", "Use mode keyword."
        )
    return _Meaning({}, ready.state)


def _candidate(row: Row, semantic: Mapping[str, float]) -> ranking.Candidate:
    keyword = row["keyword"]
    chunk_id = str(row["chunk_id"])
    return ranking.Candidate(
        chunk_id=chunk_id,
        note_id=str(row["note_id"]),
        ordinal=to_int(row["ordinal"]),
        keyword=None if keyword is None else float(keyword),
        semantic=semantic.get(chunk_id),
    )


def _checked(request: SearchRequest) -> SearchRequest:
    if not request.query.strip():
        raise InvalidInput("The query is empty.", "Send some words to look for.")
    if not 1 <= request.limit <= MAX_LIMIT:
        raise InvalidInput(f"limit {request.limit} is out of range.", f"Send 1 to {MAX_LIMIT}.")
    if not 0 <= request.offset <= MAX_OFFSET:
        raise InvalidInput("There is no such page.", "Send next_cursor of the last page.")
    among = request.among
    return replace(
        request,
        among=replace(
            among,
            tags=clean_tags(among.tags),
            context=None if among.context is None else clean_context(among.context),
        ),
    )

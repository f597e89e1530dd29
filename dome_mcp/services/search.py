"""Search: keywords and meaning, found apart and ranked together; the best reranked, if wanted.

Where the vector index is in the database, this is one embedding, one vector search and two SQL
statements; where it lives elsewhere, one embedding, one question to the index and one batch of the
database. What the index's lookup finds beyond what it began with takes one more statement.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dome_mcp.core import ranking
from dome_mcp.core.drafts import clean_context, clean_tags
from dome_mcp.core.errors import BackendError, InvalidInput
from dome_mcp.core.model import EVERY_NOTE, IndexState, NoteFilter, SearchMode, SearchResult
from dome_mcp.core.ports import Database, Lookup, Ports, Row, Statement, Vector
from dome_mcp.core.queries import match_terms
from dome_mcp.services.indexing import Semantics, to_semantics
from dome_mcp.services.reranking import RERANKED, reranked
from dome_mcp.store import embedding, passages
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
    vector: Vector | None = None
    """The query's, where the caller has it already."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """How far the search by meaning is before the database is asked, or what it failed with.

    With neither it was not begun: nobody asked for it, or the model is not there.
    """

    lookup: Lookup | None = None
    failure: BackendError | None = None


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the search by meaning found, or why it found nothing."""

    scores: Mapping[str, float]
    index: IndexState


async def search(request: SearchRequest, ports: Ports, *, user_id: str) -> SearchResult:
    """A page of the passages that answer a query, best first.

    While the model loads, or when the search by meaning fails, a hybrid search answers with
    keywords alone and says so in `index.note`; a semantic one waits, or fails. When the reranker
    fails, the order stands, and the note says so.

    Raises:
        InvalidInput: an empty query, or a limit or offset out of range.
        BackendError: the database cannot be read, or a semantic search cannot be made.
    """
    request = _checked(request)
    wanted = request.offset + request.limit
    begun = await _begin(request, ports, user_id=user_id, pool=ranking.pool_size(wanted))
    found, facts, standing = await _read(
        [
            _candidates(request, begun.lookup, user_id=user_id),
            *([] if request.mode == "keyword" else [embedding.index_facts(user_id)]),
        ],
        begun.lookup,
        ports.database,
    )
    meaning = _Meaning({}, IndexState())
    if facts:
        ready = to_semantics(facts[0], ports.embedder)
        meaning = await _by_meaning(request, begun, ready, standing)
    rows = {str(row["chunk_id"]): row for row in found}
    rows |= await _others(request, meaning, rows, begun.lookup, ports, user_id=user_id)
    ranked = ranking.fuse(
        [_candidate(row, meaning.scores) for row in rows.values() if _is_found(row, meaning)],
        query=request.query,
        mode=request.mode,
    )
    index = meaning.index
    if request.mode == "hybrid" and request.offset < RERANKED:
        ranked, note = await reranked(ranked, rows, request.query, ports.reranker)
        index = replace(index, note=" ".join(filter(None, (index.note, note))) or None)
    page = ranked[request.offset : wanted]
    return SearchResult(
        tuple(
            passages.to_passage(rows[item.chunk_id], score=score, semantic=meaning.scores)
            for item, score in page
        ),
        index,
        wanted if len(ranked) > wanted and wanted <= MAX_OFFSET else None,
    )


async def _begin(request: SearchRequest, ports: Ports, *, user_id: str, pool: int) -> _Begun:
    if request.mode == "keyword" or ports.embedder is None or ports.vectors is None:
        return _Begun()
    if request.mode == "hybrid" and not ports.embedder.is_ready:
        return _Begun()
    try:
        vector = request.vector or await ports.embedder.embed_query(request.query)
        return _Begun(await ports.vectors.look_up(user_id, vector, limit=pool, among=request.among))
    except BackendError as error:
        return _Begun(failure=error)


def _candidates(request: SearchRequest, lookup: Lookup | None, *, user_id: str) -> Statement:
    return passages.candidates(
        user_id,
        request.among,
        terms=[] if request.mode == "semantic" else match_terms(request.query),
        rank=ranking.KEYWORD_RANK,
        keyword_limit=ranking.pool_size(request.offset + request.limit),
        chunk_ids=tuple(lookup.chunk_ids) if lookup else (),
        with_staged=lookup is not None and lookup.statement is not None,
    )


async def _read(
    statements: Sequence[Statement], lookup: Lookup | None, database: Database
) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
    """The candidates, the facts of the index if they are asked for, and the lookup's rows.

    A batch is one request where the database is far away. Where the index is in the same file it
    would take the lock that writers wait for, and single statements are as fast.
    """
    if lookup is None or lookup.statement is None:
        results = [await database.query(statement) for statement in statements]
        return results[0], results[1] if len(results) > 1 else (), ()
    found, facts, standing = await database.batch([*statements, lookup.statement])
    return found, facts, standing


async def _by_meaning(
    request: SearchRequest, begun: _Begun, ready: Semantics, standing: Sequence[Row]
) -> _Meaning:
    failure = begun.failure
    if not ready.problem and begun.lookup is not None:
        try:
            matches = await begun.lookup.matches(standing)
            return _Meaning({match.chunk_id: match.score for match in matches}, ready.state)
        except BackendError as error:
            failure = error
    if request.mode == "semantic":
        if ready.problem or failure is None:
            problem = ready.problem or "Search by meaning is not available."
            raise InvalidInput(problem, "Use mode keyword.")
        raise failure
    if ready.problem:
        return _Meaning({}, ready.state)
    note = "The embedding model is still loading; these results are by keyword only."
    if failure is not None:
        note = f"Search by meaning failed ({failure.message}); these results are by keyword only."
    return _Meaning({}, replace(ready.state, note=note))


async def _others(
    request: SearchRequest,
    meaning: _Meaning,
    known: Collection[str],
    lookup: Lookup | None,
    ports: Ports,
    *,
    user_id: str,
) -> dict[str, Row]:
    """The rows of chunks that the lookup found after it had named those it began with."""
    named = lookup.chunk_ids if lookup else ()
    others = meaning.scores.keys() - {*known, *named}
    if not others:
        return {}
    statement = passages.candidates(
        user_id,
        request.among,
        terms=(),
        rank=ranking.KEYWORD_RANK,
        keyword_limit=0,
        chunk_ids=tuple(sorted(others)),
    )
    return {str(row["chunk_id"]): row for row in await ports.database.query(statement)}


def _is_found(row: Row, meaning: _Meaning) -> bool:
    """Not a chunk that was read along in case it would be."""
    return row["keyword"] is not None or str(row["chunk_id"]) in meaning.scores


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

"""The statement behind a search: keyword matches and named chunks, with all that ranks them."""

import json
from collections.abc import Mapping, Sequence

from dome_mcp.core.model import NoteFilter, Passage, Scores
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms
from dome_mcp.store import filters, vector_ledger
from dome_mcp.store.chunks import optional_int
from dome_mcp.store.notes import optional, to_int, to_tags

# CROSS JOIN fixes the order of the loops: FTS5 sorts by its own rank only while it is outermost,
# and a user's notes must be looked up for the rows found, never scanned.
_AMONG_MANY = """
SELECT c.chunk_key, -f.rank AS keyword
FROM chunks_fts f
CROSS JOIN chunks c ON c.chunk_key = f.rowid
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE (SELECT count(*) FROM eligible) > CAST(?6 AS INTEGER)
  AND chunks_fts MATCH (SELECT expression FROM telling) AND f.rank MATCH ?2 AND {condition}
ORDER BY f.rank LIMIT CAST(?3 AS INTEGER)"""

# Among a few notes only their chunks are scored, by every term. The plus keeps SQLite from asking
# FTS5 for each of them apart, and ordering by an expression from having it score all that match.
_AMONG_FEW = """
SELECT f.rowid AS chunk_key, -f.rank AS keyword
FROM chunks_fts f
WHERE (SELECT count(*) FROM eligible) <= CAST(?6 AS INTEGER)
  AND chunks_fts MATCH (SELECT coalesce(group_concat(value, ' OR '), '""') FROM json_each(?1))
  AND f.rank MATCH ?2 AND +f.rowid IN (
    SELECT c.chunk_key FROM eligible e CROSS JOIN chunks c ON c.note_key = e.note_key)
ORDER BY -f.rank DESC LIMIT CAST(?3 AS INTEGER)"""

# One note more than few, so that many can be told from few without counting them all.
_ELIGIBLE = """
SELECT n.note_key FROM notes n WHERE {listing} LIMIT CAST(?6 AS INTEGER) + 1"""

# BM25 costs by the row: of a term in each third chunk it would score a third of all chunks. So the
# terms are taken from the rarest on while the chunks that hold them stay within a budget.
_COUNTED = """
SELECT j.value AS term, (SELECT count(*) FROM chunks_fts WHERE chunks_fts MATCH j.value) AS chunks
FROM (SELECT DISTINCT value FROM json_each(?1)) AS j"""

_TELLING = """
SELECT coalesce(group_concat(j.value, ' OR '), '""') AS expression
FROM json_each(?1) AS j JOIN (
  SELECT term, chunks, sum(chunks) OVER (ORDER BY chunks, term) AS so_far
  FROM counted WHERE chunks > 0) AS rising ON rising.term = j.value
WHERE so_far <= CAST(?5 AS INTEGER) OR so_far = chunks"""

_CANDIDATES = f"""
WITH counted AS MATERIALIZED ({_COUNTED}),
telling AS MATERIALIZED ({_TELLING}),
eligible AS MATERIALIZED ({_ELIGIBLE}),
keyword AS MATERIALIZED (
  SELECT * FROM ({_AMONG_MANY}) UNION ALL SELECT * FROM ({_AMONG_FEW})),
found AS (
  SELECT chunk_key, keyword FROM keyword
  UNION ALL
  SELECT c.chunk_key, NULL FROM json_each(?4) AS j JOIN chunks c ON c.chunk_id = j.value{{staged}})
SELECT f.keyword, c.chunk_id, c.ordinal, c.start_offset, c.end_offset, c.page, c.heading, c.text,
  n.note_id, n.title, n.context, n.source_uri, n.created_at_ms,
  (SELECT json_group_array(t.name) FROM note_tags t WHERE t.note_key = n.note_key) AS tags
FROM (SELECT chunk_key, max(keyword) AS keyword FROM found GROUP BY chunk_key) f
CROSS JOIN chunks c ON c.chunk_key = f.chunk_key
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE {{condition}}
ORDER BY c.chunk_key"""

_AND_STAGED = """
  UNION ALL
  SELECT chunk_key, NULL FROM ({staged})"""

# The plus keeps the planner from walking all of a user's chunks instead of the named ones.
_NEIGHBOURS = """
SELECT DISTINCT NULL AS keyword, c.chunk_id, c.ordinal, c.start_offset, c.end_offset, c.page,
  c.heading, c.text, n.note_id, n.title, n.context, n.source_uri, n.created_at_ms,
  (SELECT json_group_array(t.name) FROM note_tags t WHERE t.note_key = n.note_key) AS tags
FROM json_each(?2) AS j
CROSS JOIN chunks hit ON hit.chunk_id = j.value AND +hit.user_id = ?1
CROSS JOIN chunks c ON c.note_key = hit.note_key
  AND c.ordinal IN (hit.ordinal - 1, hit.ordinal + 1)
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE n.user_id = ?1 AND n.deleted_at_ms IS NULL
  AND c.chunk_id NOT IN (SELECT value FROM json_each(?2))"""

SCORED_CHUNKS = 8_000
"""How many chunks a keyword search scores at most, the rarest terms of the query first.

At 100,000 chunks this takes the time of eight-word queries from 27 to 6 ms. Where the terms are
found in fewer chunks, taken together, every one of them is scored.
"""

FEW_NOTES = 2_000
"""The chunks of so few notes, of a user or under a filter, are each scored by every term.

Common words count there: among all chunks they would have been left out, and a filter for one
project would then not find what only they say.
"""


def candidates(
    user_id: str,
    among: NoteFilter,
    *,
    terms: Sequence[str],
    rank: str,
    keyword_limit: int,
    chunk_ids: tuple[str, ...],
    with_staged: bool = False,
    scored_chunks: int = SCORED_CHUNKS,
    few_notes: int = FEW_NOTES,
) -> Statement:
    """The best keyword matches and the named chunks, each once, in no order of merit.

    `with_staged` names the newest chunks of the vector ledger too, as `vector_ledger.standing`.

    `terms` are FTS5 strings, OR-ed (none for no keyword search), `rank` the ranking function with
    its column weights, `bm25(4.0, 2.0, 1.0)`. `keyword` in a row is BM25, higher is better, NULL
    for a chunk that is among the rows only because it was named.
    """
    condition = filters.among(user_id, among, first=7)
    listing = filters.among(user_id, among, first=7, starts_from_tags=True)
    staged = ""
    if with_staged:
        staged = _AND_STAGED.format(staged=vector_ledger.staged_chunks(condition.sql))
    return Statement(
        _CANDIDATES.format(condition=condition.sql, listing=listing.sql, staged=staged),
        (
            json.dumps(terms),
            rank,
            keyword_limit,
            json.dumps(chunk_ids),
            scored_chunks,
            few_notes,
            *condition.params,
        ),
    )


def neighbours(user_id: str, chunk_ids: Sequence[str]) -> Statement:
    """The chunks that stand directly before and after the named ones, without these.

    The rows are as those of `candidates`, in no order.
    """
    return Statement(_NEIGHBOURS, (user_id, json.dumps(chunk_ids)))


def to_passage(row: Row, *, score: float, semantic: Mapping[str, float]) -> Passage:
    """The passage of a candidate's row; `semantic` holds cosine similarities by chunk id."""
    chunk_id = str(row["chunk_id"])
    keyword = row["keyword"]
    return Passage(
        note_id=str(row["note_id"]),
        chunk_id=chunk_id,
        title=str(row["title"]),
        text=str(row["text"]),
        created_at=from_ms(to_int(row["created_at_ms"])),
        start=to_int(row["start_offset"]),
        end=to_int(row["end_offset"]),
        ordinal=to_int(row["ordinal"]),
        score=score,
        scores=Scores(None if keyword is None else float(keyword), semantic.get(chunk_id)),
        page=optional_int(row, "page"),
        heading=optional(row["heading"]),
        tags=to_tags(row["tags"]),
        context=optional(row["context"]) or None,
        source=optional(row["source_uri"]),
    )

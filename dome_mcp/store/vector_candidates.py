"""The vectors of an index that lives elsewhere, as a search compares them: from the ledger.

Each is about the index in the ledger that the caller names, as in `vector_ledger`.
"""

import json
from collections.abc import Sequence

from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Statement
from dome_mcp.store import filters
from dome_mcp.store.meta import VECTOR_INDEX

FIRST = ""
"""As the name of an index in the ledger: the one that the settings name."""

_IN_FORCE = f"coalesce((SELECT value FROM meta WHERE name = '{VECTOR_INDEX}'), '{FIRST}')"

STAGED_LIMIT = 256
"""How many of the newest staged chunks a search reads along; where there are more it asks again."""

_NEWEST = 2**53 - 1
"""Above every ledger_key, and the largest integer that D1 binds."""

# CROSS JOIN fixes the order of the loops: what is staged is little, what a user has is not.
_STAGED = """
SELECT u.ledger_key, c.chunk_key
FROM vector_ledger u
CROSS JOIN chunks c ON c.chunk_id = u.chunk_id
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE u.is_settled = 0 AND u.index_name = {index} AND u.embedding IS NOT NULL
  AND u.ledger_key < CAST({before} AS INTEGER) AND {condition}
ORDER BY u.ledger_key DESC LIMIT CAST({limit} AS INTEGER)"""

_STAGED_PAGE = """
SELECT s.ledger_key, l.chunk_id, l.embedding
FROM ({staged}) s JOIN vector_ledger l ON l.ledger_key = s.ledger_key"""

_STANDING = """
WITH found AS (
  SELECT l.ledger_key FROM json_each(?1) AS j
  JOIN vector_ledger l ON l.chunk_id = j.value AND l.index_name = ?2
  UNION
  SELECT ledger_key FROM ({staged}))
SELECT l.ledger_key, l.chunk_id, l.embedding, l.is_settled
FROM found f
CROSS JOIN vector_ledger l ON l.ledger_key = f.ledger_key
CROSS JOIN chunks c ON c.chunk_id = l.chunk_id
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE l.embedding IS NOT NULL AND {condition}"""

_ELIGIBLE = """
SELECT l.ledger_key
FROM notes n
CROSS JOIN chunks c ON c.note_key = n.note_key
CROSS JOIN vector_ledger l ON l.chunk_id = c.chunk_id AND l.index_name = ?2
WHERE l.embedding IS NOT NULL AND {condition}"""

# One more than few, so that many can be told from few without counting them all.
_FEW = f"""
WITH eligible AS MATERIALIZED ({_ELIGIBLE} LIMIT CAST(?1 AS INTEGER) + 1),
counted AS MATERIALIZED (SELECT count(*) AS eligible FROM eligible)
SELECT counted.eligible, l.chunk_id, l.embedding
FROM counted
LEFT JOIN eligible e ON counted.eligible <= CAST(?1 AS INTEGER)
LEFT JOIN vector_ledger l ON l.ledger_key = e.ledger_key"""

_ELIGIBLE_KEYS = f"""
SELECT json_group_array(ledger_key) AS keys FROM (
  {_ELIGIBLE} ORDER BY l.ledger_key DESC LIMIT CAST(?1 AS INTEGER))"""

_AT_KEYS = """
SELECT l.chunk_id, l.embedding
FROM json_each(?1) AS j JOIN vector_ledger l ON l.ledger_key = j.value
WHERE l.embedding IS NOT NULL"""


def staged_chunks(condition: str) -> str:
    """A query for the newest staged vectors, as `ledger_key, chunk_key`, to stand in another.

    Of the index that is searched, whichever that is. `condition` is SQL about `notes n`.
    """
    return _newest_staged(condition, index=_IN_FORCE)


def staged_page(
    user_id: str, among: NoteFilter, *, limit: int, before: int, index: str = FIRST
) -> Statement:
    """Staged vectors, the newest of those before a ledger_key."""
    condition = filters.among(user_id, among, first=4)
    staged = _STAGED.format(condition=condition.sql, before="?2", limit="?1", index="?3")
    params = (limit, before, index, *condition.params)
    return Statement(_STAGED_PAGE.format(staged=staged), params)


def standing(
    user_id: str, among: NoteFilter, *, chunk_ids: Sequence[str], index: str = FIRST
) -> Statement:
    """The vectors of the named chunks and of the newest staged ones, as they are to be.

    Only those of notes in `among`; a chunk without a vector has no row.
    """
    condition = filters.among(user_id, among, first=3)
    staged = _newest_staged(condition.sql, index="?2")
    sql = _STANDING.format(staged=staged, condition=condition.sql)
    return Statement(sql, (json.dumps(list(chunk_ids)), index, *condition.params))


def few_eligible(user_id: str, among: NoteFilter, *, few: int, index: str = FIRST) -> Statement:
    """The vectors of all chunks in `among`, where they are few.

    Each row says how many are `eligible`, at most one more than `few`; where there are so many, or
    none, it is the only row and its chunk_id NULL.
    """
    condition = filters.among(user_id, among, first=3, starts_from_tags=True)
    return Statement(_FEW.format(condition=condition.sql), (few, index, *condition.params))


def eligible_keys(user_id: str, among: NoteFilter, *, limit: int, index: str = FIRST) -> Statement:
    """One row, one JSON list `keys`: the newest vectors of chunks in `among`, for `at_keys`."""
    condition = filters.among(user_id, among, first=3, starts_from_tags=True)
    params = (limit, index, *condition.params)
    return Statement(_ELIGIBLE_KEYS.format(condition=condition.sql), params)


def at_keys(ledger_keys: Sequence[int]) -> Statement:
    """The vectors under these keys, as far as they still are the ones."""
    return Statement(_AT_KEYS, (json.dumps(list(ledger_keys)),))


def _newest_staged(condition: str, *, index: str) -> str:
    return _STAGED.format(condition=condition, before=_NEWEST, limit=STAGED_LIMIT, index=index)

"""The vectors of an index that lives elsewhere: what it is to hold, and how far it is.

How it is known that the index has taken a change in: it names the last mutation that it has
processed, and processes them in the order they came. A mutation has its number when its answer was
read, and remembers the largest number there was before it was sent. So of two mutations, `a` came
first for certain when `a.mutation_key <= b.sent_after`; where neither did, the order is unknown,
and what was sent with the one that is not named is sent again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from dome_mcp.core.model import NoteFilter
from dome_mcp.core.ports import Statement
from dome_mcp.store import filters

SLICE_CHARACTERS = 500_000
"""How much one parameter carries; well under D1's 2 MB for a bound value.
Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-11)."""

_IDS_A_SLICE = 5_000
STAGED_LIMIT = 256
"""How many of the newest staged chunks a search reads along; where there are more it asks again."""

_NEWEST = 2**53 - 1
"""Above every ledger_key, and the largest integer that D1 binds."""

_STAGE = """
INSERT OR REPLACE INTO vector_ledger (chunk_id, embedding)
SELECT c.chunk_id, j.value FROM json_each(?1) AS j JOIN chunks c ON c.chunk_id = j.key"""

_UNSTAGE = """
INSERT OR REPLACE INTO vector_ledger (chunk_id)
SELECT l.chunk_id FROM json_each(?1) AS j JOIN vector_ledger l ON l.chunk_id = j.value"""

_STAGE_AGAIN = "UPDATE vector_ledger SET mutation_key = NULL, is_settled = 0 WHERE is_settled = 1"

_TO_SEND = """
SELECT l.ledger_key, l.chunk_id, l.embedding, c.user_id, n.context, n.created_at_ms
FROM vector_ledger l
LEFT JOIN chunks c ON c.chunk_id = l.chunk_id
LEFT JOIN notes n ON n.note_key = c.note_key
WHERE l.is_settled = 0 AND l.mutation_key IS NULL
ORDER BY l.ledger_key LIMIT CAST(?1 AS INTEGER)"""

_PROGRESS = """
SELECT
  (SELECT count(*) FROM vector_ledger WHERE is_settled = 0) AS unsettled,
  (SELECT count(*) FROM vector_ledger
    WHERE is_settled = 0 AND mutation_key IS NOT NULL) AS sent,
  (SELECT coalesce(max(mutation_key), 0) FROM vector_mutations) AS sent_after"""

_RECORD = """
INSERT INTO vector_mutations (mutation_id, sent_after) VALUES (?1, CAST(?2 AS INTEGER))
ON CONFLICT (mutation_id) DO NOTHING"""

_MARK_SENT = """
UPDATE vector_ledger
SET mutation_key = (SELECT mutation_key FROM vector_mutations WHERE mutation_id = ?1)
WHERE is_settled = 0 AND ledger_key IN (SELECT value FROM json_each(?2))"""

# What changed while the older version was on its way may have overtaken it.
_SEND_NEWER = """
UPDATE vector_ledger SET mutation_key = NULL, is_settled = 0
WHERE chunk_id IN (SELECT j.key FROM json_each(?1) AS j)
  AND ledger_key NOT IN (SELECT j.value FROM json_each(?1) AS j)"""

_REMOVE_GONE = """
INSERT INTO vector_ledger (chunk_id) SELECT j.key FROM json_each(?1) AS j
WHERE NOT EXISTS (SELECT 1 FROM vector_ledger l WHERE l.chunk_id = j.key)"""

_PROCESSED = """
SELECT x.mutation_key FROM vector_mutations m JOIN vector_mutations x
  ON x.mutation_key = m.mutation_key OR x.mutation_key <= m.sent_after
WHERE m.mutation_id = ?1"""

_DROP_REMOVED = f"""
DELETE FROM vector_ledger
WHERE is_settled = 0 AND embedding IS NULL AND mutation_key IN ({_PROCESSED})"""

_SETTLE = f"""
UPDATE vector_ledger SET is_settled = 1
WHERE is_settled = 0 AND mutation_key IN ({_PROCESSED})"""

_SEND_UNORDERED = """
UPDATE vector_ledger SET mutation_key = NULL
WHERE is_settled = 0 AND mutation_key IN (
  SELECT x.mutation_key FROM vector_mutations m JOIN vector_mutations x
    ON x.mutation_key <> m.mutation_key
    AND x.mutation_key > m.sent_after AND x.sent_after < m.mutation_key
  WHERE m.mutation_id = ?1)"""

_FORGET_MUTATIONS = """
DELETE FROM vector_mutations
WHERE mutation_key < (SELECT mutation_key FROM vector_mutations WHERE mutation_id = ?1)
  AND mutation_key NOT IN (
    SELECT mutation_key FROM vector_ledger WHERE is_settled = 0 AND mutation_key IS NOT NULL)"""

_MISSING = """
SELECT c.chunk_id FROM chunks c LEFT JOIN vector_ledger l ON l.chunk_id = c.chunk_id
WHERE c.embedded_with = ?1 AND l.embedding IS NULL ORDER BY c.chunk_key"""

_ORPHANS = """
FROM vector_ledger l LEFT JOIN chunks c ON c.chunk_id = l.chunk_id
WHERE l.embedding IS NOT NULL AND c.chunk_id IS NULL"""

_COUNT_ORPHANS = f"SELECT count(*) AS orphans {_ORPHANS}"

_UNSTAGE_ORPHANS = f"""
INSERT OR REPLACE INTO vector_ledger (chunk_id) SELECT l.chunk_id {_ORPHANS}"""

# CROSS JOIN fixes the order of the loops: what is staged is little, what a user has is not.
_STAGED = """
SELECT u.ledger_key, c.chunk_key
FROM vector_ledger u
CROSS JOIN chunks c ON c.chunk_id = u.chunk_id
CROSS JOIN notes n ON n.note_key = c.note_key
WHERE u.is_settled = 0 AND u.embedding IS NOT NULL AND u.ledger_key < CAST({before} AS INTEGER)
  AND {condition}
ORDER BY u.ledger_key DESC LIMIT CAST({limit} AS INTEGER)"""

_STAGED_PAGE = """
SELECT s.ledger_key, l.chunk_id, l.embedding
FROM ({staged}) s JOIN vector_ledger l ON l.ledger_key = s.ledger_key"""

_STANDING = """
WITH found AS (
  SELECT l.ledger_key FROM json_each(?1) AS j JOIN vector_ledger l ON l.chunk_id = j.value
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
CROSS JOIN vector_ledger l ON l.chunk_id = c.chunk_id
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

_OF_CHUNKS = """
SELECT l.chunk_id, l.embedding
FROM json_each(?1) AS j JOIN vector_ledger l ON l.chunk_id = j.value
WHERE l.embedding IS NOT NULL ORDER BY j.key"""


def stage(embeddings: Sequence[tuple[str, str]]) -> list[Statement]:
    """Puts vectors, each after its chunk id, in place of what the ledger has.

    Of two for one id the last counts; an id without a chunk is passed over.
    """
    return [Statement(_STAGE, (json.dumps(part),)) for part in _slices(dict(embeddings))]


def unstage(chunk_ids: Sequence[str]) -> list[Statement]:
    """Asks for the removal of those of the chunks that the ledger has."""
    return [
        Statement(_UNSTAGE, (json.dumps(chunk_ids[start : start + _IDS_A_SLICE]),))
        for start in range(0, len(chunk_ids), _IDS_A_SLICE)
    ]


def stage_again() -> Statement:
    """Has all that is settled sent anew: to an index that was lost, or filters by more now."""
    return Statement(_STAGE_AGAIN)


def of_chunks(chunk_ids: Sequence[str]) -> Statement:
    """The vectors of these chunks, as far as they have one, in this order."""
    return Statement(_OF_CHUNKS, (json.dumps(list(chunk_ids)),))


def damage(model: str) -> list[Statement]:
    """The ids of chunks that have a vector of `model`, to believe their rows, and none here; and
    one row, how many vectors, the `orphans`, have no chunk."""
    return [Statement(_MISSING, (model,)), Statement(_COUNT_ORPHANS)]


def unstage_orphans() -> Statement:
    """Asks for the removal of the vectors that have no chunk."""
    return Statement(_UNSTAGE_ORPHANS)


def to_send(*, limit: int) -> Statement:
    """The oldest changes that were not sent; `embedding` is NULL for a removal."""
    return Statement(_TO_SEND, (limit,))


def progress() -> Statement:
    """One row: how many changes are `unsettled`, how many of them `sent`, and the number that a
    mutation sent from now on comes `sent_after`."""
    return Statement(_PROGRESS)


def mark_sent(
    ledger_keys: Mapping[str, int], mutation_id: str, *, sent_after: int, are_removals: bool
) -> list[Statement]:
    """Records what a mutation carried: chunk ids, and the version of each under which it was read.

    A chunk that has another version by now is sent again, and one that was dropped is removed
    again: the mutation may have come after the one that carried the newer version.
    """
    sent = json.dumps(ledger_keys)
    statements = [
        Statement(_RECORD, (mutation_id, sent_after)),
        Statement(_MARK_SENT, (mutation_id, json.dumps(list(ledger_keys.values())))),
        Statement(_SEND_NEWER, (sent,)),
    ]
    return statements if are_removals else [*statements, Statement(_REMOVE_GONE, (sent,))]


def settle_processed(mutation_id: str) -> list[Statement]:
    """Settles what the index has taken in, given the last mutation that it processed.

    A mutation that nobody recorded settles nothing.
    """
    return [
        Statement(sql, (mutation_id,))
        for sql in (_DROP_REMOVED, _SETTLE, _SEND_UNORDERED, _FORGET_MUTATIONS)
    ]


def staged_chunks(condition: str) -> str:
    """A query for the newest staged vectors, as `ledger_key, chunk_key`, to stand in another.
    `condition` is SQL about `notes n`."""
    return _STAGED.format(condition=condition, before=_NEWEST, limit=STAGED_LIMIT)


def staged_page(user_id: str, among: NoteFilter, *, limit: int, before: int) -> Statement:
    """Staged vectors, the newest of those before a ledger_key."""
    condition = filters.among(user_id, among, first=3)
    staged = _STAGED.format(condition=condition.sql, before="?2", limit="?1")
    return Statement(_STAGED_PAGE.format(staged=staged), (limit, before, *condition.params))


def standing(user_id: str, among: NoteFilter, *, chunk_ids: Sequence[str]) -> Statement:
    """The vectors of the named chunks and of the newest staged ones, as they are to be.

    Only those of notes in `among`; a chunk without a vector has no row.
    """
    condition = filters.among(user_id, among, first=2)
    sql = _STANDING.format(staged=staged_chunks(condition.sql), condition=condition.sql)
    return Statement(sql, (json.dumps(list(chunk_ids)), *condition.params))


def few_eligible(user_id: str, among: NoteFilter, *, few: int) -> Statement:
    """The vectors of all chunks in `among`, where they are few.

    Each row says how many are `eligible`, at most one more than `few`; where there are so many, or
    none, it is the only row and its chunk_id NULL.
    """
    condition = filters.among(user_id, among, first=2, starts_from_tags=True)
    return Statement(_FEW.format(condition=condition.sql), (few, *condition.params))


def eligible_keys(user_id: str, among: NoteFilter, *, limit: int) -> Statement:
    """One row, one JSON list `keys`: the newest vectors of chunks in `among`, for `at_keys`."""
    condition = filters.among(user_id, among, first=2, starts_from_tags=True)
    return Statement(_ELIGIBLE_KEYS.format(condition=condition.sql), (limit, *condition.params))


def at_keys(ledger_keys: Sequence[int]) -> Statement:
    """The vectors under these keys, as far as they still are the ones."""
    return Statement(_AT_KEYS, (json.dumps(list(ledger_keys)),))


def _slices(embeddings: Mapping[str, str]) -> Iterator[dict[str, str]]:
    part: dict[str, str] = {}
    characters = 0
    for chunk_id, embedding in embeddings.items():
        if part and characters + len(embedding) > SLICE_CHARACTERS:
            yield part
            part, characters = {}, 0
        part[chunk_id] = embedding
        characters += len(embedding)
    if part:
        yield part

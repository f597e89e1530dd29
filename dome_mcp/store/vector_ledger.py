"""The vectors of an index that lives elsewhere: what it is to hold, and how far it is.

How it is known that the index has taken a change in: it names the last mutation that it has
processed, and processes them in the order they came. A mutation has its number when its answer was
read, and remembers the largest number there was before it was sent. So of two mutations, `a` came
first for certain when `a.mutation_key <= b.sent_after`; where neither did, the order is unknown,
and what was sent with the one that is not named is sent again.

Each is about one index of those that the ledger knows (see the migration `vector_indexes`), so that
whoever still works on one that was left changes nothing of the others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from dome_mcp.core.ports import Statement
from dome_mcp.store.vector_candidates import (
    FIRST,
    STAGED_LIMIT,
    at_keys,
    eligible_keys,
    few_eligible,
    staged_chunks,
    staged_page,
    standing,
)

__all__ = [  # the ledger in one module, for those who are given all of it
    "FIRST",
    "STAGED_LIMIT",
    "at_keys",
    "count",
    "damage",
    "eligible_keys",
    "few_eligible",
    "forget_index",
    "mark_sent",
    "of_chunks",
    "progress",
    "send_last_again",
    "settle_processed",
    "stage",
    "stage_again",
    "staged_chunks",
    "staged_page",
    "standing",
    "to_send",
    "unstage",
    "unstage_orphans",
]

SLICE_CHARACTERS = 500_000
"""How much one parameter carries; well under D1's 2 MB for a bound value.
Source: https://developers.cloudflare.com/d1/platform/limits/ (2026-11)."""

_IDS_A_SLICE = 5_000
_STAGE = """
INSERT OR REPLACE INTO vector_ledger (chunk_id, embedding, index_name)
SELECT c.chunk_id, j.value, ?2 FROM json_each(?1) AS j JOIN chunks c ON c.chunk_id = j.key"""

_UNSTAGE = """
INSERT OR REPLACE INTO vector_ledger (chunk_id, index_name)
SELECT l.chunk_id, l.index_name FROM json_each(?1) AS j
JOIN vector_ledger l ON l.chunk_id = j.value AND l.index_name = ?2"""

_STAGE_AGAIN = """
UPDATE vector_ledger SET mutation_key = NULL, is_settled = 0
WHERE index_name = ?1 AND (is_settled = 1 OR mutation_key IS NOT NULL)"""

_COUNT = """
SELECT count(*) AS held, count(*) FILTER (WHERE is_settled = 1) AS settled
FROM vector_ledger WHERE index_name = ?1 AND embedding IS NOT NULL"""

_TO_SEND = """
SELECT l.ledger_key, l.chunk_id, l.embedding, c.user_id, n.context, n.created_at_ms
FROM vector_ledger l
LEFT JOIN chunks c ON c.chunk_id = l.chunk_id
LEFT JOIN notes n ON n.note_key = c.note_key
WHERE l.is_settled = 0 AND l.index_name = ?2 AND l.mutation_key IS NULL
ORDER BY l.ledger_key LIMIT CAST(?1 AS INTEGER)"""

_PROGRESS = """
SELECT
  (SELECT count(*) FROM vector_ledger WHERE is_settled = 0 AND index_name = ?1) AS unsettled,
  (SELECT count(*) FROM vector_ledger
    WHERE is_settled = 0 AND index_name = ?1 AND mutation_key IS NOT NULL) AS sent,
  (SELECT coalesce(max(mutation_key), 0) FROM vector_mutations) AS sent_after"""

_RECORD = """
INSERT INTO vector_mutations (mutation_id, sent_after, index_name)
VALUES (?1, CAST(?2 AS INTEGER), ?3)
ON CONFLICT (mutation_id) DO NOTHING"""

_MARK_SENT = """
UPDATE vector_ledger
SET mutation_key = (SELECT mutation_key FROM vector_mutations WHERE mutation_id = ?1)
WHERE is_settled = 0 AND ledger_key IN (SELECT value FROM json_each(?2))"""

# What changed while the older version was on its way may have overtaken it.
_SEND_NEWER = """
UPDATE vector_ledger SET mutation_key = NULL, is_settled = 0
WHERE chunk_id IN (SELECT j.key FROM json_each(?1) AS j) AND index_name = ?2
  AND ledger_key NOT IN (SELECT j.value FROM json_each(?1) AS j)"""

_REMOVE_GONE = """
INSERT INTO vector_ledger (chunk_id, index_name) SELECT j.key, ?2 FROM json_each(?1) AS j
WHERE NOT EXISTS (
  SELECT 1 FROM vector_ledger l WHERE l.chunk_id = j.key AND l.index_name = ?2)"""

_PROCESSED = """
SELECT x.mutation_key FROM vector_mutations m JOIN vector_mutations x
  ON x.index_name = m.index_name
  AND (x.mutation_key = m.mutation_key OR x.mutation_key <= m.sent_after)
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
    ON x.index_name = m.index_name AND x.mutation_key <> m.mutation_key
    AND x.mutation_key > m.sent_after AND x.sent_after < m.mutation_key
  WHERE m.mutation_id = ?1)"""

_SEND_LAST = """
UPDATE vector_ledger SET mutation_key = NULL
WHERE ledger_key = (
  SELECT max(ledger_key) FROM vector_ledger
  WHERE is_settled = 0 AND index_name = ?2 AND mutation_key IS NOT NULL)
AND NOT EXISTS (SELECT 1 FROM vector_mutations WHERE mutation_id = ?1)"""

_FORGET_MUTATIONS = """
DELETE FROM vector_mutations
WHERE mutation_key < (SELECT mutation_key FROM vector_mutations WHERE mutation_id = ?1)
  AND index_name = (SELECT index_name FROM vector_mutations WHERE mutation_id = ?1)
  AND mutation_key NOT IN (
    SELECT mutation_key FROM vector_ledger WHERE is_settled = 0 AND mutation_key IS NOT NULL)"""

_MISSING = """
SELECT c.chunk_id FROM chunks c
LEFT JOIN vector_ledger l ON l.chunk_id = c.chunk_id AND l.index_name = ?2
WHERE c.embedded_with = ?1 AND l.embedding IS NULL ORDER BY c.chunk_key"""

_ORPHANS = """
FROM vector_ledger l LEFT JOIN chunks c ON c.chunk_id = l.chunk_id
WHERE l.index_name = ?1 AND l.embedding IS NOT NULL AND c.chunk_id IS NULL"""

_COUNT_ORPHANS = f"SELECT count(*) AS orphans {_ORPHANS}"

_UNSTAGE_ORPHANS = f"""
INSERT OR REPLACE INTO vector_ledger (chunk_id, index_name)
SELECT l.chunk_id, l.index_name {_ORPHANS}"""

_FORGET_INDEX = (
    "DELETE FROM vector_ledger WHERE index_name = ?1",
    "DELETE FROM vector_mutations WHERE index_name = ?1",
)

_OF_CHUNKS = """
SELECT l.chunk_id, l.embedding
FROM json_each(?1) AS j
JOIN vector_ledger l ON l.chunk_id = j.value AND l.index_name = ?2
WHERE l.embedding IS NOT NULL ORDER BY j.key"""


def stage(embeddings: Sequence[tuple[str, str]], *, index: str = FIRST) -> list[Statement]:
    """Puts vectors, each after its chunk id, in place of what the ledger has.

    Of two for one id the last counts; an id without a chunk is passed over.
    """
    return [Statement(_STAGE, (json.dumps(part), index)) for part in _slices(dict(embeddings))]


def unstage(chunk_ids: Sequence[str], *, index: str = FIRST) -> list[Statement]:
    """Asks for the removal of those of the chunks that the ledger has."""
    return [
        Statement(_UNSTAGE, (json.dumps(chunk_ids[start : start + _IDS_A_SLICE]), index))
        for start in range(0, len(chunk_ids), _IDS_A_SLICE)
    ]


def stage_again(*, index: str = FIRST) -> Statement:
    """Has all that is settled sent anew: to an index that was lost, or filters by more now."""
    return Statement(_STAGE_AGAIN, (index,))


def count(*, index: str = FIRST) -> Statement:
    """One row: how many vectors are `held` here, and how many of them the index took in, the
    `settled`."""
    return Statement(_COUNT, (index,))


def forget_index(index: str) -> list[Statement]:
    """Takes away all that the ledger has about an index that is gone."""
    return [Statement(sql, (index,)) for sql in _FORGET_INDEX]


def of_chunks(chunk_ids: Sequence[str], *, index: str = FIRST) -> Statement:
    """The vectors of these chunks, as far as they have one, in this order."""
    return Statement(_OF_CHUNKS, (json.dumps(list(chunk_ids)), index))


def damage(model: str, *, index: str = FIRST) -> list[Statement]:
    """The ids of chunks that have a vector of `model`, to believe their rows, and none here; and
    one row, how many vectors, the `orphans`, have no chunk."""
    return [Statement(_MISSING, (model, index)), Statement(_COUNT_ORPHANS, (index,))]


def unstage_orphans(*, index: str = FIRST) -> Statement:
    """Asks for the removal of the vectors that have no chunk."""
    return Statement(_UNSTAGE_ORPHANS, (index,))


def to_send(*, limit: int, index: str = FIRST) -> Statement:
    """The oldest changes that were not sent; `embedding` is NULL for a removal."""
    return Statement(_TO_SEND, (limit, index))


def progress(*, index: str = FIRST) -> Statement:
    """One row: how many changes are `unsettled`, how many of them `sent`, and the number that a
    mutation sent from now on comes `sent_after`."""
    return Statement(_PROGRESS, (index,))


def mark_sent(
    ledger_keys: Mapping[str, int],
    mutation_id: str,
    *,
    sent_after: int,
    are_removals: bool,
    index: str = FIRST,
) -> list[Statement]:
    """Records what a mutation carried: chunk ids, and the version of each under which it was read.

    A chunk that has another version by now is sent again, and one that was dropped is removed
    again: the mutation may have come after the one that carried the newer version.
    """
    sent = json.dumps(ledger_keys)
    statements = [
        Statement(_RECORD, (mutation_id, sent_after, index)),
        Statement(_MARK_SENT, (mutation_id, json.dumps(list(ledger_keys.values())))),
        Statement(_SEND_NEWER, (sent, index)),
    ]
    return statements if are_removals else [*statements, Statement(_REMOVE_GONE, (sent, index))]


def settle_processed(mutation_id: str) -> list[Statement]:
    """Settles what the index has taken in, given the last mutation that it processed.

    A mutation that nobody recorded settles nothing.
    """
    return [
        Statement(sql, (mutation_id,))
        for sql in (_DROP_REMOVED, _SETTLE, _SEND_UNORDERED, _FORGET_MUTATIONS)
    ]


def send_last_again(mutation_id: str, *, index: str) -> Statement:
    """Has the last change sent again where nobody recorded the last mutation that was processed.

    The answer to that one was lost. Where nothing is sent after it, no mutation that is known ever
    becomes the last, and what was taken in would stay unsettled.
    """
    return Statement(_SEND_LAST, (mutation_id, index))


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

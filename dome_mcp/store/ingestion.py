"""What is still to be done of ingests whose notes are stored: vectors, and word to who asked.

A job's result, JSON, has two fields for it. `status` is `indexing` until the note's last chunk has
its vector, then `ready`. `ingestion_complete` is `pending` until those who asked were told, then
how that went; a job of a process that tells nobody has no such field.
"""

from datetime import datetime

from dome_mcp.core.jobs import Job, JobKind
from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store.jobs import JOB_COLUMNS

_IS_UNTOLD = "state = 'done' AND result ->> '$.ingestion_complete' = 'pending'"

_MARK_READY = f"""
UPDATE jobs SET result = json_set(result, '$.status', 'ready')
WHERE {_IS_UNTOLD} AND result ->> '$.status' = 'indexing' AND NOT EXISTS (
  SELECT 1 FROM notes n JOIN chunks c ON c.note_key = n.note_key
  WHERE n.note_id = jobs.result ->> '$.note_id' AND n.user_id = jobs.user_id
    AND c.embedded_with IS NULL)"""

_UNTOLD = f"""
SELECT {JOB_COLUMNS} FROM jobs
WHERE {_IS_UNTOLD} AND result ->> '$.status' = 'ready'
ORDER BY updated_at_ms, job_id LIMIT CAST(?1 AS INTEGER)"""

_NOTE_TOLD = f"""
UPDATE jobs SET result = json_set(result, '$.ingestion_complete', ?3)
WHERE job_id = ?1 AND user_id = ?2 AND {_IS_UNTOLD}"""

_WAITS = f"""
SELECT EXISTS (
  SELECT 1 FROM jobs
  WHERE state = 'queued' AND not_before_ms <= CAST(?1 AS INTEGER) AND kind = ?2
) OR EXISTS (
  SELECT 1 FROM jobs
  WHERE state = 'running' AND lease_until_ms <= CAST(?1 AS INTEGER) AND kind = ?2
) OR EXISTS (SELECT 1 FROM jobs WHERE {_IS_UNTOLD}) AS waits"""


def mark_ready() -> Statement:
    """Says of the jobs whose note has all its vectors that it does."""
    return Statement(_MARK_READY)


def untold(limit: int) -> Statement:
    """The oldest jobs whose notes are ready, and of which nobody has been told."""
    return Statement(_UNTOLD, (limit,))


def note_told(job: Job, outcome: str) -> Statement:
    """Says how the telling went, once."""
    return Statement(_NOTE_TOLD, (job.job_id, job.user_id, outcome))


def job_waits(kind: JobKind, now: datetime) -> Statement:
    """One row: whether a job of this kind `waits` to be done, or one to be told of."""
    return Statement(_WAITS, (to_ms(now), kind))

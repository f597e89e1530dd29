"""Ingest jobs: accept, claim, renew, settle, forget.

What keeps them safe to repeat, and safe beside others:

- A job's id is a function of its request, so accepting it again finds it.
- `claim` raises `attempt`, which fences: `renew` and `settle` act for the present claim alone.
- `lease_until_ms` is pushed on while somebody works on the job. Whoever is silent until it is over
  has lost the job to the next claim.

The states follow `TRANSITIONS` of core/jobs.py.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from dome_mcp.core.access import Principal, known_scopes
from dome_mcp.core.drafts import Labels
from dome_mcp.core.jobs import IngestRequest, Job, JobKind, JobSettlement, JobState
from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.core.uploads import ReceivedFile
from dome_mcp.store.housekeeping import AT_ONCE
from dome_mcp.store.notes import optional, to_int

JOB_COLUMNS = """
  job_id, user_id, request, state, attempt, failures, result, problem,
  created_at_ms, updated_at_ms"""

# A job that has a file is accepted only together with it.
_ACCEPT = """
INSERT INTO jobs (
  job_id, user_id, kind, request, state, attempt, not_before_ms, lease_until_ms,
  created_at_ms, updated_at_ms)
SELECT
  ?1, ?2, ?9, ?3, ?4, CAST(?5 AS INTEGER), CAST(?6 AS INTEGER), CAST(?7 AS INTEGER),
  CAST(?6 AS INTEGER), CAST(?6 AS INTEGER)
WHERE ?8 IS NULL OR EXISTS (
  SELECT 1 FROM uploads WHERE upload_id = ?8 AND user_id = ?2 AND state = 'consumed')
ON CONFLICT (job_id) DO NOTHING
RETURNING job_id"""

_OF_USER = f"SELECT {JOB_COLUMNS} FROM jobs WHERE job_id = ?1 AND user_id = ?2"

# Those whose worker fell silent once too often.
_GIVE_UP = """
UPDATE jobs SET
  state = 'failed', failures = failures + 1, problem = ?3, lease_until_ms = NULL,
  updated_at_ms = CAST(?1 AS INTEGER)
WHERE state = 'running' AND lease_until_ms <= CAST(?1 AS INTEGER)
  AND failures + 1 >= CAST(?2 AS INTEGER) AND kind = ?4"""

# What a worker that is gone left behind, then what waits: first for whom the least is being done,
# so that nobody's thousand files keep another's one waiting.
_CLAIM = f"""
UPDATE jobs SET
  failures = failures + (state = 'running'), state = 'running', attempt = attempt + 1,
  lease_until_ms = CAST(?2 AS INTEGER), updated_at_ms = CAST(?1 AS INTEGER)
WHERE job_id = (
  SELECT job_id FROM (
    SELECT job_id, 0 AS turn, 0 AS busy, lease_until_ms AS since_ms FROM jobs
    WHERE state = 'running' AND lease_until_ms <= CAST(?1 AS INTEGER) AND kind = ?3
    UNION ALL
    SELECT q.job_id, 1, (
      SELECT count(*) FROM jobs r WHERE r.state = 'running' AND r.user_id = q.user_id),
      q.not_before_ms
    FROM jobs q
    WHERE q.state = 'queued' AND q.not_before_ms <= CAST(?1 AS INTEGER) AND q.kind = ?3
      AND q.user_id NOT IN (SELECT user_id FROM users WHERE deleting_at_ms IS NOT NULL))
  ORDER BY turn, busy, since_ms, job_id LIMIT 1)
RETURNING {JOB_COLUMNS}"""

_RENEW = """
UPDATE jobs SET lease_until_ms = CAST(?4 AS INTEGER)
WHERE job_id = ?1 AND user_id = ?2 AND attempt = CAST(?3 AS INTEGER) AND state = 'running'
RETURNING job_id"""

_SETTLE = f"""
UPDATE jobs SET
  state = ?4, not_before_ms = CAST(?5 AS INTEGER), failures = CAST(?6 AS INTEGER),
  result = ?7, problem = ?8, lease_until_ms = NULL, updated_at_ms = CAST(?9 AS INTEGER)
WHERE job_id = ?1 AND user_id = ?2 AND attempt = CAST(?3 AS INTEGER) AND state = 'running'
RETURNING {JOB_COLUMNS}"""

_DEAD_LETTER = """
UPDATE jobs SET
  state = 'failed', problem = ?3, lease_until_ms = NULL, updated_at_ms = CAST(?4 AS INTEGER)
WHERE job_id = ?1 AND user_id = ?2 AND (
  state = 'queued' OR (state = 'running' AND lease_until_ms <= CAST(?4 AS INTEGER)))"""

_FINISHED = f"""
SELECT job_id FROM jobs
WHERE state IN ('done', 'failed') AND updated_at_ms <= CAST(?1 AS INTEGER)
ORDER BY updated_at_ms, job_id LIMIT {AT_ONCE}"""

_FORGET_FILES = f"""
DELETE FROM uploads WHERE state = 'consumed' AND upload_id IN (
  SELECT request ->> '$.file.upload_id' FROM jobs WHERE job_id IN ({_FINISHED}))"""

_OF_NOTE = """
SELECT job_id FROM jobs
WHERE user_id = ?1 AND state = 'done' AND result ->> '$.note_id' = ?2"""

_FORGET_FILES_OF_NOTE = f"""
DELETE FROM uploads WHERE user_id = ?1 AND state = 'consumed' AND upload_id IN (
  SELECT request ->> '$.file.upload_id' FROM jobs WHERE job_id IN ({_OF_NOTE}))"""

_FORGET_OF_NOTE = f"DELETE FROM jobs WHERE user_id = ?1 AND job_id IN ({_OF_NOTE})"

_FORGET = f"DELETE FROM jobs WHERE job_id IN ({_FINISHED})"


def accept(
    job_id: str,
    request: IngestRequest,
    *,
    kind: JobKind,
    now: datetime,
    lease_until: datetime | None = None,
) -> Statement:
    """Writes a job down; no row where it is there already, or its file is not.

    With `lease_until` the one who accepts it has claimed it, too.
    """
    user_id = request.principal.user_id
    is_claimed = lease_until is not None
    return Statement(
        _ACCEPT,
        (
            *(job_id, user_id, _to_json(request), "running" if is_claimed else "queued"),
            *(int(is_claimed), to_ms(now), to_ms(lease_until) if lease_until else None),
            request.file.upload_id if request.file else None,
            kind,
        ),
    )


def job_of_user(job_id: str, user_id: str) -> Statement:
    return Statement(_OF_USER, (job_id, user_id))


def claim(
    kind: JobKind, *, now: datetime, until: datetime, max_failures: int, given_up: str
) -> list[Statement]:
    """Takes one job of this kind, of any user, until then; the last statement's row is it.

    To be run as one batch. Whoever held it before can change it no more. A job that brought down
    its worker `max_failures` times has failed instead, with the problem `given_up`.
    """
    return [
        Statement(_GIVE_UP, (to_ms(now), max_failures, given_up, kind)),
        Statement(_CLAIM, (to_ms(now), to_ms(until), kind)),
    ]


def renew(job: Job, *, until: datetime) -> Statement:
    """Holds a claimed job for longer; no row for a holder that is too late."""
    return Statement(_RENEW, (job.job_id, job.user_id, job.attempt, to_ms(until)))


def settle(job: Job, settlement: JobSettlement, *, now: datetime) -> Statement:
    """Writes how an attempt ended; the job as it is now, no row for a holder that is too late."""
    return Statement(
        _SETTLE,
        (
            *(job.job_id, job.user_id, job.attempt, settlement.state),
            *(to_ms(settlement.not_before), settlement.failures),
            *(settlement.result, settlement.problem, to_ms(now)),
        ),
    )


def dead_letter(job_id: str, user_id: str, problem: str, *, now: datetime) -> Statement:
    """Ends a job that nobody works on, with this problem."""
    return Statement(_DEAD_LETTER, (job_id, user_id, problem, to_ms(now)))


def forget_jobs_of_note(note_id: str, user_id: str) -> list[Statement]:
    """Drops the finished jobs that made a note, and what is known of their files."""
    return [
        Statement(_FORGET_FILES_OF_NOTE, (user_id, note_id)),
        Statement(_FORGET_OF_NOTE, (user_id, note_id)),
    ]


def forget_finished(before: datetime) -> list[Statement]:
    """Drops the jobs that finished before then, with their uploads, at most `AT_ONCE` of them.

    To be run as one batch.
    """
    params = (to_ms(before),)
    return [Statement(_FORGET_FILES, params), Statement(_FORGET, params)]


def to_job(row: Row) -> Job:
    user_id = str(row["user_id"])
    return Job(
        job_id=str(row["job_id"]),
        user_id=user_id,
        request=_to_request(json.loads(str(row["request"])), user_id),
        state=cast("JobState", str(row["state"])),
        attempt=to_int(row["attempt"]),
        failures=to_int(row["failures"]),
        created_at=from_ms(to_int(row["created_at_ms"])),
        updated_at=from_ms(to_int(row["updated_at_ms"])),
        result=optional(row["result"]),
        problem=optional(row["problem"]),
    )


def _to_json(request: IngestRequest) -> str:
    principal, labels, file = request.principal, request.labels, request.file
    content: dict[str, object] = {
        "scopes": sorted(principal.scopes),
        "credential": principal.credential,
        "zone": principal.zone.key if principal.zone else None,
        "started_at_ms": to_ms(request.started_at),
        "title": labels.title,
        "tags": labels.tags,
        "context": labels.context,
        "source": labels.source,
        "created_at_ms": to_ms(labels.created_at) if labels.created_at else None,
        "text": request.text,
        "url": request.url,
    }
    if file is not None:
        content["file"] = {
            "upload_id": file.upload_id,
            "sha256": file.sha256,
            "bytes": file.size_bytes,
            "filename": file.filename,
            "content_type": file.content_type,
        }
    return json.dumps(content)


def _to_request(content: Mapping[str, Any], user_id: str) -> IngestRequest:
    zone, created_at_ms = content["zone"], content["created_at_ms"]
    return IngestRequest(
        principal=Principal(
            user_id,
            known_scopes(content["scopes"]),
            credential=content["credential"],
            zone=ZoneInfo(zone) if zone else None,
        ),
        labels=Labels(
            title=content["title"],
            tags=tuple(content["tags"]),
            context=content["context"],
            source=content["source"],
            created_at=None if created_at_ms is None else from_ms(created_at_ms),
        ),
        started_at=from_ms(content["started_at_ms"]),
        text=content["text"],
        url=content["url"],
        file=_to_file(content["file"]) if "file" in content else None,
    )


def _to_file(content: Mapping[str, Any]) -> ReceivedFile:
    return ReceivedFile(
        upload_id=content["upload_id"],
        sha256=content["sha256"],
        size_bytes=content["bytes"],
        filename=content["filename"],
        content_type=content["content_type"],
    )

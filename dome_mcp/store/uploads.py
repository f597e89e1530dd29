"""Files on their way in, by row. The file itself lies in a folder beside the database.

A file is whole and on disk before its row says so, and its row outlives it: so a file without a
row belongs to nobody, and one that a row names is there until its job is finished.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from dome_mcp.core.ports import Row, Statement
from dome_mcp.core.timestamps import from_ms, to_ms
from dome_mcp.core.uploads import ReceivedFile, Upload, UploadState
from dome_mcp.store.housekeeping import AT_ONCE
from dome_mcp.store.notes import optional, to_int

_COLUMNS = """
  upload_id, user_id, filename, content_type, bytes, max_bytes, sha256, state,
  created_at_ms, expires_at_ms"""

_ANNOUNCE = """
INSERT INTO uploads (
  upload_id, user_id, filename, content_type, bytes, max_bytes, state,
  created_at_ms, expires_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8)
ON CONFLICT (upload_id) DO NOTHING"""

_OF_USER = f"SELECT {_COLUMNS} FROM uploads WHERE upload_id = ?1 AND user_id = ?2"
_SIGNED = f"SELECT {_COLUMNS} FROM uploads WHERE upload_id = ?1"

_COMPLETE = """
UPDATE uploads SET
  state = 'complete', sha256 = ?3, bytes = CAST(?4 AS INTEGER), expires_at_ms = CAST(?5 AS INTEGER)
WHERE upload_id = ?1 AND user_id = ?2 AND state = 'open'"""

_INSERT_CONSUMED = """
INSERT INTO uploads (
  upload_id, user_id, filename, content_type, bytes, max_bytes, sha256, state,
  created_at_ms, expires_at_ms)
SELECT
  ?1, ?2, ?3, ?4, CAST(?5 AS INTEGER), CAST(?5 AS INTEGER), ?6, 'consumed',
  CAST(?7 AS INTEGER), CAST(?7 AS INTEGER)
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job_id = ?8)
ON CONFLICT (upload_id) DO NOTHING"""

_CONSUME = """
UPDATE uploads SET state = 'consumed'
WHERE upload_id = ?1 AND user_id = ?2 AND state = 'complete'"""

# What a job has consumed goes with the job.
_FORGET_EXPIRED = f"""
DELETE FROM uploads WHERE upload_id IN (
  SELECT upload_id FROM uploads
  WHERE expires_at_ms <= CAST(?1 AS INTEGER) AND state <> 'consumed'
  ORDER BY expires_at_ms LIMIT {AT_ONCE})"""

_WAITING = """
WITH open_jobs AS (
  SELECT request ->> '$.file.upload_id' AS upload_id FROM jobs
  WHERE user_id = ?1 AND state IN ('queued', 'running'))
SELECT
  (SELECT count(*) FROM open_jobs)
    + (SELECT count(*) FROM uploads WHERE user_id = ?1 AND state <> 'consumed') AS items,
  (SELECT coalesce(sum(bytes), 0) FROM uploads WHERE user_id = ?1 AND (
    state = 'complete' OR upload_id IN (SELECT upload_id FROM open_jobs))) AS bytes"""

_KNOWN = "SELECT upload_id FROM uploads WHERE upload_id IN (SELECT value FROM json_each(?1))"


def announce(upload: Upload) -> Statement:
    """Writes down a file that is to come; does nothing where it is written down already."""
    return Statement(
        _ANNOUNCE,
        (
            *(upload.upload_id, upload.user_id, upload.filename, upload.content_type),
            *(upload.size_bytes, upload.max_bytes),
            *(to_ms(upload.created_at), to_ms(upload.expires_at)),
        ),
    )


def upload_of_user(upload_id: str, user_id: str) -> Statement:
    return Statement(_OF_USER, (upload_id, user_id))


def signed_upload(upload_id: str) -> Statement:
    """The upload that a signed URL names, whoever's it is: the signature binds it to its user."""
    return Statement(_SIGNED, (upload_id,))


def complete(upload: Upload, *, sha256: str, size_bytes: int, expires_at: datetime) -> Statement:
    """Says that the file is here; does nothing where the upload is complete already."""
    return Statement(
        _COMPLETE, (upload.upload_id, upload.user_id, sha256, size_bytes, to_ms(expires_at))
    )


def insert_consumed(file: ReceivedFile, user_id: str, *, job_id: str, now: datetime) -> Statement:
    """A file that came together with the request to ingest it; nothing where the job is there."""
    row = (file.upload_id, user_id, file.filename, file.content_type, file.size_bytes, file.sha256)
    return Statement(_INSERT_CONSUMED, (*row, to_ms(now), job_id))


def consume(upload_id: str, user_id: str) -> Statement:
    """Gives a complete upload to a job; does nothing where a job has it."""
    return Statement(_CONSUME, (upload_id, user_id))


def forget_expired(now: datetime) -> Statement:
    """Drops the uploads that nobody sent or ingested in time, at most `AT_ONCE` of them."""
    return Statement(_FORGET_EXPIRED, (to_ms(now),))


def waiting(user_id: str) -> Statement:
    """One row: how many jobs and uploads of the user wait, and how many bytes are here for them."""
    return Statement(_WAITING, (user_id,))


def known_uploads(upload_ids: Sequence[str]) -> Statement:
    """A row for each of the ids that still has one."""
    return Statement(_KNOWN, (json.dumps(upload_ids),))


def to_upload(row: Row) -> Upload:
    return Upload(
        upload_id=str(row["upload_id"]),
        user_id=str(row["user_id"]),
        filename=str(row["filename"]),
        content_type=optional(row["content_type"]),
        size_bytes=None if row["bytes"] is None else to_int(row["bytes"]),
        max_bytes=to_int(row["max_bytes"]),
        state=cast("UploadState", str(row["state"])),
        created_at=from_ms(to_int(row["created_at_ms"])),
        expires_at=from_ms(to_int(row["expires_at_ms"])),
        sha256=optional(row["sha256"]),
    )

"""What comes over the queue of ingest jobs: word of a job, or of a file in the bucket.

A message only wakes: what is to be done stands in the rows. Ours is JSON, `{"job_id", "user_id"}`.

Source: https://developers.cloudflare.com/r2/buckets/event-notifications/ (2026-09), for R2's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker_companions.ingest.places import inbox_of

_ARRIVALS = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})


@dataclass(frozen=True, slots=True)
class Wake:
    """There may be something to do; `job_id` is the job that this was said for, if any."""

    job_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was put into a user's inbox."""

    user_id: str
    key: str
    etag: str
    size_bytes: int
    at: datetime

    @property
    def filename(self) -> str:
        return self.key.rpartition("/")[2]


def wake_message(job_id: str = "", user_id: str = "") -> str:
    """The body that wakes the Worker, for a job of a user or for whatever there is."""
    return json.dumps({"job_id": job_id, "user_id": user_id})


def read_message(body: object) -> Wake | Dropped | None:
    """What a message says; None for what is none of ours, or of a file that is no user's."""
    try:
        content: Any = json.loads(body) if isinstance(body, str) else body
        if "action" in content:
            return _dropped(content)
        return Wake(str(content["job_id"]), str(content["user_id"]))
    except (ValueError, LookupError, TypeError):
        return None


def _dropped(event: Mapping[str, Any]) -> Dropped | None:
    key = str(event["object"]["key"])
    user_id = inbox_of(key)
    if event["action"] not in _ARRIVALS or user_id is None:
        return None
    return Dropped(
        user_id=user_id,
        key=key,
        etag=str(event["object"]["eTag"]),
        size_bytes=int(event["object"]["size"]),
        at=datetime.fromisoformat(str(event["eventTime"])).astimezone(UTC),
    )

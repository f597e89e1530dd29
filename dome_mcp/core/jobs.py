"""Ingest jobs: what was asked for, the states of a job, and what an attempt leads to.

    queued --claimed--> running --stored------> done
                                --refused-----> failed
                                --put_off-----> queued, at the time of the next try
                                --handed_back-> queued, at once: the server is being shut down
                                --fell_silent-> running, for whoever claims it next
    queued, or running for nobody any more --dead_lettered--> failed

Two counters stand in a job and must not be confused. `attempt` counts claims; it fences off the
holders of older ones. `failures` counts attempts that a backend failed or that ended without a
word; only those run out, so that a restart never uses up a job's chances, and a file that brings
the program down is not read for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from dome_mcp.core.access import Principal
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import BackendError, BackendUnavailable, QuotaExhausted
from dome_mcp.core.uploads import ReceivedFile

JobState = Literal["queued", "running", "done", "failed"]
JobEvent = Literal[
    "claimed", "stored", "refused", "put_off", "handed_back", "fell_silent", "dead_lettered"
]

JobKind = Literal["ingest", "bucket_ingest"]
"""`ingest`: a process does it, on whose disk its file is; `bucket_ingest`: a Worker, from R2."""

TRANSITIONS: Mapping[JobState, Mapping[JobEvent, JobState]] = MappingProxyType(
    {
        "queued": {"claimed": "running", "dead_lettered": "failed"},
        "running": {
            "stored": "done",
            "refused": "failed",
            "put_off": "queued",
            "handed_back": "queued",
            "fell_silent": "running",
            "dead_lettered": "failed",
        },
        "done": {},
        "failed": {},
    }
)
"""What may follow what; the statements of store/jobs.py do no other steps."""

KEPT = timedelta(days=7)
"""How long a finished job is remembered."""

LONGEST_PAUSE = timedelta(days=1)
"""However long a backend asks us to wait, a job is tried again within this time."""


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """How jobs are held and tried again. The n-th failure is followed by the n-th pause.

    `longest_seconds` is the most that an attempt may take; `idle_seconds` is how often an idle
    process looks for a job that another left behind.
    """

    lease_seconds: float = 30.0
    renew_seconds: float = 8.0
    retry_seconds: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    max_failures: int = 5
    longest_seconds: float = 1800.0
    concurrency: int = 2
    idle_seconds: float = 5.0

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What is to be taken in, one of `text`, `url` and `file`, and on whose behalf.

    `started_at` is when it was asked for: ids are functions of it, so that a job that runs twice
    stores one note. `principal` has the rights of that moment.
    """

    principal: Principal
    labels: Labels
    started_at: datetime
    text: str | None = None
    url: str | None = None
    file: ReceivedFile | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An ingest that is done beside the requests; `result` and `problem` are JSON texts."""

    job_id: str
    user_id: str
    request: IngestRequest
    state: JobState
    attempt: int
    failures: int
    created_at: datetime
    updated_at: datetime
    result: str | None = None
    problem: str | None = None

    @property
    def is_finished(self) -> bool:
        return not TRANSITIONS[self.state]


@dataclass(frozen=True, slots=True)
class JobSettlement:
    """What an attempt leaves in its job's row."""

    state: JobState
    not_before: datetime
    failures: int
    result: str | None = None
    problem: str | None = None


def after_success(job: Job, result: str, *, now: datetime) -> JobSettlement:
    """The job is done, with this result."""
    return JobSettlement(TRANSITIONS["running"]["stored"], now, job.failures, result=result)


def after_failure(
    job: Job, error: Exception, problem: str, policy: JobPolicy, *, now: datetime
) -> JobSettlement:
    """What follows from an attempt that ended with this error, told as `problem`.

    It is tried again where the error may pass and chances are left, after the policy's pause or
    later where the backend asked for it; otherwise it has failed.
    """
    failures = job.failures + 1
    if not _may_pass(error) or failures >= policy.max_failures:
        state = TRANSITIONS["running"]["refused"]
        return JobSettlement(state, now, failures, problem=problem)
    pause = timedelta(seconds=policy.retry_seconds[min(failures, len(policy.retry_seconds)) - 1])
    asked = min(_asked_pause(error, now=now), LONGEST_PAUSE)
    state = TRANSITIONS["running"]["put_off"]
    return JobSettlement(state, now + max(pause, asked), failures, problem=problem)


def after_hand_back(job: Job, *, now: datetime) -> JobSettlement:
    """The job waits for another process; no chance is used up."""
    return JobSettlement(TRANSITIONS["running"]["handed_back"], now, job.failures)


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed later; a full disk may be emptied."""
    if isinstance(error, QuotaExhausted):
        return True
    return isinstance(error, BackendError) and error.retryable


def _asked_pause(error: Exception, *, now: datetime) -> timedelta:
    if isinstance(error, BackendUnavailable) and error.retry_after is not None:
        return timedelta(seconds=error.retry_after)
    if isinstance(error, QuotaExhausted) and error.until is not None:
        return error.until - now
    return timedelta()

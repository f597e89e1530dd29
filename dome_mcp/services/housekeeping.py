"""Housekeeping: what is past its time goes, once a day, by whoever comes first.

A companion, the cron Worker or a server may each ask as often as they like. Each part is one small
transaction of a bounded number of rows; what is left of it has its turn on the next day. What is
still in use is never touched: jobs that wait or run, files that a job has, notices on their way.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dome_mcp.core.errors import BackendError
from dome_mcp.core.jobs import KEPT as JOBS_KEPT
from dome_mcp.core.ports import Database, Statement
from dome_mcp.core.sessions import KEPT as SESSIONS_KEPT
from dome_mcp.services.audit import RETENTION
from dome_mcp.services.idempotency import KEPT as KEYS_KEPT
from dome_mcp.store import audit, housekeeping, idempotency, jobs, sessions, uploads
from dome_mcp.store.housekeeping import Kept

PAUSE = timedelta(days=1)
DIGESTS_KEPT = timedelta(days=7)


async def keep_house(database: Database, *, now: datetime) -> Kept | None:
    """Forgets what is past its time; None where that was done within the last day.

    A part that fails leaves the others alone, and is told of in `failures`.

    Raises:
        BackendError: it could not be begun, or what failed could not be written down.
    """
    if not await database.query(housekeeping.claim_housekeeping(now, pause=PAUSE)):
        return None
    failures: list[str] = []
    for name, statements in _parts(now):
        try:
            await database.batch(statements)
        except BackendError as error:
            failures.append(f"Old {name} are left for another day: {error}")
    if failures:
        await database.query(housekeeping.note_failures(now, failures))
    return Kept(now, tuple(failures))


async def last_kept(database: Database) -> Kept | None:
    """When the house was kept last, and what failed then; None where it never was.

    Raises:
        BackendError: the rows cannot be read.
    """
    rows = await database.query(housekeeping.last_housekeeping())
    return housekeeping.to_kept(rows[0]) if rows else None


def _parts(now: datetime) -> Sequence[tuple[str, Sequence[Statement]]]:
    """What is forgotten, each part in a transaction of its own."""
    return (
        ("audit entries", [audit.forget_entries_before(now - RETENTION)]),
        ("idempotency keys", [idempotency.forget_requests_before(now - KEYS_KEPT)]),
        ("jobs", jobs.forget_finished(now - JOBS_KEPT)),
        ("uploads", [uploads.forget_expired(now)]),
        ("sessions", [sessions.forget_before(now - SESSIONS_KEPT)]),
        ("digests", housekeeping.forget_digests_before(now - DIGESTS_KEPT)),
    )

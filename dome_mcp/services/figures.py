"""How much there is over all users, for whoever runs the server: numbers, and nobody's content."""

from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.ports import Database
from dome_mcp.services.companions import companion_state
from dome_mcp.store import figures
from dome_mcp.store.notes import to_int


@dataclass(frozen=True, slots=True)
class Figures:
    """What there is, and what waits."""

    notes: int
    chunks_pending: int
    reminders_upcoming: int
    deliveries_waiting: int
    deliveries_failed: int
    jobs_open: int
    has_companion: bool
    companion_lag_seconds: float


async def overall_figures(database: Database, *, now: datetime) -> Figures:
    """The figures of the whole database.

    Raises:
        BackendError: it cannot be read.
    """
    (row,) = await database.query(figures.overall_counts())
    companion = await companion_state(database, now=now)
    return Figures(
        notes=to_int(row["notes"]),
        chunks_pending=to_int(row["chunks_pending"]),
        reminders_upcoming=to_int(row["reminders_upcoming"]),
        deliveries_waiting=to_int(row["deliveries_waiting"]),
        deliveries_failed=to_int(row["deliveries_failed"]),
        jobs_open=to_int(row["jobs_open"]),
        has_companion=companion.is_running,
        companion_lag_seconds=companion.lag_seconds,
    )

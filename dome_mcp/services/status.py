"""What is stored and how it is doing."""

from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.model import Counts
from dome_mcp.core.ports import Ports, Row, Statement
from dome_mcp.core.timestamps import to_ms
from dome_mcp.store import notes, reminder_listings, tasks
from dome_mcp.store.notes import to_int


@dataclass(frozen=True, slots=True)
class AgendaCounts:
    """How much a user has to do and to be told."""

    tasks_pending: int
    tasks_overdue: int
    tasks_closed: int
    reminders_upcoming: int
    unacknowledged: int
    """Notices in the inbox."""
    deliveries_failed: int
    channels: int


async def counts(ports: Ports, *, user_id: str) -> Counts:
    """How much the user has stored, and the tags and contexts most used."""
    database = ports.database
    total = (await database.query(notes.note_counts(user_id)))[0]
    return Counts(
        notes=to_int(total["notes"]),
        chunks=to_int(total["chunks"]),
        pending_chunks=to_int(total["pending"]),
        tags=await _named(notes.tag_counts(user_id), ports),
        contexts=await _named(notes.context_counts(user_id), ports),
    )


async def agenda_counts(ports: Ports, *, user_id: str, now: datetime) -> AgendaCounts:
    """How many tasks, reminders, notices, failed deliveries and channels the user has."""
    (of_tasks,), (of_reminders,) = await ports.database.batch(
        [
            tasks.task_counts(user_id, now_ms=to_ms(now)),
            reminder_listings.reminder_counts(user_id),
        ]
    )
    return AgendaCounts(
        tasks_pending=to_int(of_tasks["pending"]),
        tasks_overdue=to_int(of_tasks["overdue"]),
        tasks_closed=to_int(of_tasks["closed"]),
        reminders_upcoming=to_int(of_reminders["upcoming"]),
        unacknowledged=to_int(of_reminders["open"]),
        deliveries_failed=to_int(of_reminders["failed"]),
        channels=to_int(of_reminders["channels"]),
    )


async def tags_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The user's tags that start so, most used first, at most 100."""
    return [name for name, _ in await _named(notes.tag_counts(user_id, prefix=prefix), ports)]


async def contexts_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The user's contexts that start so, most used first, at most 100."""
    return [name for name, _ in await _named(notes.context_counts(user_id, prefix=prefix), ports)]


async def note_ids_with_prefix(prefix: str, ports: Ports, *, user_id: str) -> list[str]:
    """The ids of the user's notes that start so, newest first, at most 100."""
    rows = await ports.database.query(notes.ids_with_prefix(user_id, prefix=prefix.upper()))
    return [str(row["name"]) for row in rows]


async def _named(statement: Statement, ports: Ports) -> tuple[tuple[str, int], ...]:
    rows = await ports.database.query(statement)
    return tuple(map(_count, rows))


def _count(row: Row) -> tuple[str, int]:
    return str(row["name"]), to_int(row["notes"])

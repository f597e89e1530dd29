"""The audit log: written in batches, read newest first, forgotten after three months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from dome_mcp.core.audit import AuditEntry
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.ports import Ports
from dome_mcp.store import audit
from dome_mcp.store.notes import to_int

RETENTION = timedelta(days=90)
"""How long an entry is kept: long enough to look into something that was noticed late."""

MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first, and where the next page starts."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None = None


async def record(entries: Sequence[AuditEntry], ports: Ports) -> None:
    """Writes the entries, all or none. The same call again writes them again.

    Raises:
        BackendError: none was written.
    """
    if entries:
        await ports.database.query(audit.insert_entries(entries))


async def list_entries(
    ports: Ports, *, user_id: str | None, limit: int = 100, cursor: str | None = None
) -> AuditPage:
    """A page of the log, newest first; `user_id` None is everybody's, the unknown callers' too.

    Raises:
        InvalidInput: a limit outside 1 to 1000, or a cursor that no listing gave.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"limit {limit} is out of range.", f"Send 1 to {MAX_PAGE}.")
    before = _position(cursor) if cursor else None
    statement = (
        audit.all_entries(before=before, limit=limit + 1)
        if user_id is None
        else audit.entries_of(user_id, before=before, limit=limit + 1)
    )
    rows = await ports.database.query(statement)
    is_last = len(rows) <= limit
    return AuditPage(
        tuple(map(audit.to_entry, rows[:limit])),
        None if is_last else str(to_int(rows[limit - 1]["audit_key"])),
    )


def _position(cursor: str) -> int:
    # isdecimal lets digits of other scripts through, which int() reads as well; 15 digits are
    # more than there will ever be entries, and fewer than a number of the database may have.
    if not cursor.isdecimal() or len(cursor) > 15:
        raise InvalidInput(
            "The cursor is not one that the log gave.",
            "Send the cursor of the last page as it was, or none for the first page.",
        )
    return int(cursor)

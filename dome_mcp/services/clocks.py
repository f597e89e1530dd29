"""What the alarm clocks of the users are set by, where there are such clocks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dome_mcp.core.ports import Database
from dome_mcp.store import clocks


async def next_due(database: Database, *, user_id: str) -> datetime | None:
    """When the user's next reminder is due; None where there is none.

    Raises:
        BackendError: the rows cannot be read.
    """
    rows = await database.query(clocks.next_due(user_id))
    return clocks.to_next_due(rows[0])


async def users_due_within(
    database: Database, span: timedelta, *, now: datetime, limit: int
) -> Sequence[str]:
    """The users whose clocks have to be right: something of theirs is due within `span`.

    Raises:
        BackendError: the rows cannot be read.
    """
    rows = await database.query(clocks.users_due(now, now + span, limit=limit))
    return [str(row["user_id"]) for row in rows]

"""The daily digest: turned on and off by channel, and made of the day when it is sent."""

from datetime import datetime

from dome_mcp.core.agenda import Firing, Notice, Reminder
from dome_mcp.core.digest import (
    GATHERED,
    OPEN_FOR,
    Day,
    Item,
    compose_digest,
    day_of,
    digest_id,
    draft_digest,
    is_over,
)
from dome_mcp.core.ports import Database, Ports, Row, Statement
from dome_mcp.core.timestamps import from_ms
from dome_mcp.services.channels import channel_named
from dome_mcp.store import digests, firings, tasks
from dome_mcp.store.notes import to_int


async def set_digest(
    channel_name: str, at: str, ports: Ports, *, user_id: str, now: datetime, zone: str
) -> Reminder:
    """Has a digest sent by the channel every day at `at`, `07:30`, in `zone`; harmless to repeat.

    Raises:
        NotFound: the user has no such channel.
        InvalidInput: not a time of day, or no such zone.
    """
    channel = await channel_named(channel_name, ports, user_id=user_id)
    digest = draft_digest(channel.name, at, user_id=user_id, zone_name=zone, now=now)
    await ports.database.batch(digests.set_digest(digest))
    return digest


async def end_digest(channel_name: str, ports: Ports, *, user_id: str, now: datetime) -> str:
    """Has no digest sent by the channel any more, and returns the channel's name.

    Raises:
        NotFound: the user has no such channel.
    """
    channel = await channel_named(channel_name, ports, user_id=user_id)
    ended = digests.end_digest(digest_id(channel.name, user_id=user_id), user_id, now=now)
    await ports.database.query(ended)
    return channel.name


async def make_digest(
    digest: Reminder, firing: Firing, database: Database, *, now: datetime
) -> Notice | None:
    """The notice of a digest that has fired; None where nothing is to tell, or its day is over.

    Raises:
        BackendError: the rows cannot be read.
    """
    if is_over(firing, digest.schedule.zone, now=now):
        return None
    day = await _day(digest, firing, database, now=now)
    return compose_digest(day, digest, firing, now=now)


async def _day(digest: Reminder, firing: Firing, database: Database, *, now: datetime) -> Day:
    """What there is to tell; of a task and its reminder the task alone."""
    user_id = digest.user_id
    start, end = day_of(firing, digest.schedule.zone)
    overdue, due, coming, fired = await database.batch(
        [
            _pending(user_id, None, start),
            _pending(user_id, start, end),
            digests.coming_reminders(user_id, now, end, limit=GATHERED),
            firings.open_firings(user_id, limit=GATHERED),
        ]
    )
    told = {str(row["task_id"]) for row in (*overdue, *due)}
    coming = [row for row in coming if row["task_id"] not in told]
    fired = [row for row in reversed(fired) if row["task_id"] not in told]
    recent = (each for each in fired if now - firings.to_firing(each).fired_at <= OPEN_FOR)
    return Day(
        [_item(row, text="description", at="due_at_ms") for row in overdue],
        [_item(row, text="description", at="due_at_ms") for row in due],
        [_item(row, text="text", at="due_at_ms") for row in coming],
        [_item(row, text="text", at="fired_due_at_ms") for row in recent],
    )


def _item(row: Row, *, text: str, at: str) -> Item:
    return Item(str(row[text]), from_ms(to_int(row[at])))


def _pending(user_id: str, since: datetime | None, until: datetime) -> Statement:
    among = tasks.TaskSelection("pending", due_after=since, due_before=until)
    return tasks.tasks_page(user_id, among, after=None, limit=GATHERED)

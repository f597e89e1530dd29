"""A clock in Berlin, and short ways to make, fire and read tasks and reminders."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.services.agenda import ReminderView
from dome_mcp.services.dispatch import tick
from dome_mcp.services.reminders import NewReminder, create_reminder, update_reminder
from dome_mcp.services.tasks import NewTask, TaskChanges, TaskView, create_task, update_task
from tests.services.dispatching import MemoryQueue

BERLIN = "Europe/Berlin"
USER = "me"
OTHER = "you"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday, ten o'clock in Berlin."""


def berlin(text: str) -> datetime:
    """The instant of a wall time in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


def later(**units: float) -> datetime:
    return NOW + timedelta(**units)


async def fire(ports: Ports, now: datetime) -> int:
    """Fires what is due, as a companion would, and returns how many firings that made."""
    return (await tick(ports.database, MemoryQueue(), DeliveryPolicy(), now=now)).fired


async def add_task(
    ports: Ports, description: str = "Water the plants", *, now: datetime = NOW, **fields: object
) -> TaskView:
    return await create_task(
        NewTask(description, **fields), ports, user_id=USER, now=now, zone=BERLIN
    )


async def change_task(
    ports: Ports, task_id: str, *, now: datetime = NOW, **changes: object
) -> TaskView:
    return await update_task(
        task_id, TaskChanges(**changes), ports, user_id=USER, now=now, zone=BERLIN
    )


async def add_reminder(ports: Ports, *, now: datetime = NOW, **fields: object) -> ReminderView:
    """A reminder of a text, unless the fields name a task."""
    wanted = fields if {"task_id", "text"} & fields.keys() else {"text": "Stretch", **fields}
    return await create_reminder(NewReminder(**wanted), ports, user_id=USER, now=now, zone=BERLIN)


async def act(
    ports: Ports, reminder_id: str, action: str, *, now: datetime = NOW, **how: str
) -> ReminderView:
    return await update_reminder(
        reminder_id,
        ReminderAction(action, **how),
        ports,
        user_id=USER,
        now=now,
        zone=BERLIN,
    )

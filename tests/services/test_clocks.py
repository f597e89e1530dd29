"""What the users' alarm clocks are set by."""

from datetime import timedelta

import pytest

from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.services.clocks import next_due, users_due_within
from dome_mcp.services.reminders import NewReminder, create_reminder, update_reminder
from tests.services.notes_for_tests import NOW, USER

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


async def remind(ports: Ports, at: str, user_id: str = USER) -> str:
    new = NewReminder("Look up", at=at)
    made = await create_reminder(new, ports, user_id=user_id, now=NOW, zone="UTC")
    return made.reminder.reminder_id


async def test_the_next_time_is_that_of_the_users_first_reminder_to_come(ports: Ports) -> None:
    await remind(ports, "+1m", "zelda")
    assert await next_due(ports.database, user_id=USER) is None
    await remind(ports, "+9m")
    first = await remind(ports, "+2m")
    assert await next_due(ports.database, user_id=USER) == NOW + 2 * MINUTE
    cancel = ReminderAction("cancel")
    await update_reminder(first, cancel, ports, user_id=USER, now=NOW, zone="UTC")
    assert await next_due(ports.database, user_id=USER) == NOW + 9 * MINUTE


async def test_whoever_has_something_due_soon_is_named_once_the_first_first(ports: Ports) -> None:
    for at, user_id in (("+3m", "ann"), ("+2m", "bob"), ("+1m", "bob"), ("+4m", "cleo")):
        await remind(ports, at, user_id)
    within = 3 * MINUTE
    assert await users_due_within(ports.database, within, now=NOW, limit=9) == ["bob", "ann"]
    assert await users_due_within(ports.database, within, now=NOW, limit=1) == ["bob"]
    # What is due by now is fired and not waited for.
    at = NOW + 2 * MINUTE
    assert await users_due_within(ports.database, within, now=at, limit=9) == ["ann", "cleo"]

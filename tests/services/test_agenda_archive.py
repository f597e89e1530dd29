import json
from collections.abc import Mapping

import pytest

from dome_mcp.core.agenda import Reminder, Task
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.services.agenda_archive import (
    all_reminders,
    all_tasks,
    restore_reminder,
    restore_task,
    to_record,
    to_reminder,
    to_task,
)
from dome_mcp.services.tasks import get_task
from tests.services.agenda_for_tests import (
    NOW,
    OTHER,
    USER,
    act,
    add_reminder,
    add_task,
    change_task,
    fire,
    later,
)

pytestmark = pytest.mark.anyio


async def stocked(ports: Ports) -> tuple[list[Task], list[Reminder]]:
    """A user's tasks and reminders with something in every field."""
    task = (
        await add_task(ports, due="+1d", repeat="every! 3 days", tags=("a", "b"), remind=("-1h",))
    ).task
    await change_task(ports, task.task_id, due="+2d")
    await add_task(ports, "Some day, 🌱")
    made = (
        await add_reminder(ports, at="+1h", repeat="daily", count=9, channels=("desktop",))
    ).reminder
    await act(ports, made.reminder_id, "reschedule", at="+26h", now=later(minutes=1))
    return (
        [each async for each in all_tasks(ports, user_id=USER)],
        [each async for each in all_reminders(ports, user_id=USER)],
    )


def carried(item: Task | Reminder) -> Mapping[str, object]:
    """The record as it is read back from a file."""
    return json.loads(json.dumps(to_record(item)))


async def test_tasks_and_reminders_come_back_as_they_were(ports: Ports):
    tasks, reminders = await stocked(ports)
    assert (len(tasks), len(reminders)) == (2, 2)
    for name in ("task_tags", "tasks", "reminders"):
        await ports.database.query(Statement(f"DELETE FROM {name}"))  # noqa: S608  names of this test
    for task in tasks:
        assert await restore_task(to_task(carried(task), user_id=USER), ports) == "restored"
    for each in reminders:
        restored = to_reminder(carried(each), user_id=USER)
        assert await restore_reminder(restored, ports) == "restored"
    assert [each async for each in all_tasks(ports, user_id=USER)] == tasks
    assert [each async for each in all_reminders(ports, user_id=USER)] == reminders
    assert await fire(ports, later(days=2)) == 3


async def test_what_is_there_is_left_and_what_is_another_users_is_not_touched(ports: Ports):
    (task, *_), (reminder, *_) = await stocked(ports)
    newer = await change_task(ports, task.task_id, description="Newer", tags=("c",))
    assert await restore_task(task, ports) == "present"
    assert (await get_task(task.task_id, ports, user_id=USER, now=NOW)).task == newer.task
    assert await restore_task(to_task(carried(task), user_id=OTHER), ports) == "taken"
    assert await restore_reminder(to_reminder(carried(reminder), user_id=OTHER), ports) == "taken"
    assert [each async for each in all_tasks(ports, user_id=OTHER)] == []
    assert [each async for each in all_reminders(ports, user_id=OTHER)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"state": "asleep"},
        {"created_at": "yesterday"},
        {"due_at": 1 << 60},
        {"channels": "desktop"},
        {"text": "\ud800"},
        {"schedule": None},
        {"schedule": {"start": "2026-03-02T09:00:00", "zone": "Nowhere"}},
        {
            "schedule": {
                "start": "2026-03-02T09:00:00",
                "zone": "Europe/Berlin",
                "rule": "FREQ=NEVER",
                "exdates": [],
                "anchor": "schedule",
            }
        },
    ],
)
async def test_a_damaged_record_is_refused(ports: Ports, change: dict[str, object]):
    _, (reminder, *_) = await stocked(ports)
    with pytest.raises(InvalidInput, match="damaged"):
        to_reminder({**carried(reminder), **change}, user_id=USER)

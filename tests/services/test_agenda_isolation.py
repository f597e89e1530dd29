"""No call of one user sees, changes or names what another one has."""

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from dome_mcp.core.agenda import Channel
from dome_mcp.core.errors import NotFound
from dome_mcp.core.ports import Ports, Statement
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.task_edits import TaskChanges
from dome_mcp.services.channels import add_channel
from dome_mcp.services.ingest import ingest
from dome_mcp.services.reminders import (
    NewReminder,
    ReminderQuery,
    create_reminder,
    inbox,
    list_reminders,
    update_reminder,
)
from dome_mcp.services.status import agenda_counts
from dome_mcp.services.tasks import (
    NewTask,
    TaskFilter,
    complete_task,
    create_task,
    get_task,
    list_tasks,
    update_task,
)
from tests.services.agenda_for_tests import (
    BERLIN,
    NOW,
    OTHER,
    USER,
    add_reminder,
    add_task,
    fire,
    later,
)
from tests.services.notes_for_tests import draft

pytestmark = pytest.mark.anyio

AGENDA = ("tasks", "task_tags", "reminders", "firings", "deliveries", "channels")


async def snapshot(ports: Ports) -> list[object]:
    return [await ports.database.query(Statement(f"SELECT * FROM {name}")) for name in AGENDA]  # noqa: S608  names of this module


async def of_me(ports: Ports) -> tuple[str, str, str]:
    """The ids of my task, of its reminder, which has fired, and of my note."""
    note = (await ingest(draft("The code is 1234."), ports, user_id=USER, now=NOW)).note
    hook = Channel("hook", USER, kind="webhook", address="https://example.com/hook")
    await add_channel(hook, ports, user_id=USER, now=NOW, allow_private=False)
    task = await add_task(
        ports, due="+1h", repeat="daily", tags=("home",), note_ids=(note.note_id,)
    )
    made = await add_reminder(ports, task_id=task.task.task_id, channels=("hook",))
    await fire(ports, later(hours=1))
    return task.task.task_id, made.reminder.reminder_id, note.note_id


CALLS: dict[str, Callable[[Ports, str, str, str], Awaitable[object]]] = {
    "get_task": lambda ports, task, _, __: get_task(task, ports, user_id=OTHER, now=NOW),
    "complete_task": lambda ports, task, _, __: complete_task(task, ports, user_id=OTHER, now=NOW),
    "update_task": lambda ports, task, _, __: update_task(
        task,
        TaskChanges(description="Mine", status="cancelled"),
        ports,
        user_id=OTHER,
        now=NOW,
        zone=BERLIN,
    ),
    "create_task with a note": lambda ports, _, __, note: create_task(
        NewTask("Read", note_ids=(note,)), ports, user_id=OTHER, now=NOW, zone=BERLIN
    ),
    "create_reminder of a task": lambda ports, task, _, __: create_reminder(
        NewReminder(task_id=task, at="+1h"), ports, user_id=OTHER, now=NOW, zone=BERLIN
    ),
    "create_reminder with a note": lambda ports, _, __, note: create_reminder(
        NewReminder("Read", at="+1h", note_ids=(note,)),
        ports,
        user_id=OTHER,
        now=NOW,
        zone=BERLIN,
    ),
    "create_reminder by a channel": lambda ports, _, __, ___: create_reminder(
        NewReminder("Read", at="+1h", channels=("hook",)),
        ports,
        user_id=OTHER,
        now=NOW,
        zone=BERLIN,
    ),
    "list_reminders of a task": lambda ports, task, _, __: list_reminders(
        ReminderQuery(task_id=task), ports, user_id=OTHER, now=NOW
    ),
    **{
        f"update_reminder to {action}": lambda ports, _, reminder, __, action=action: (
            update_reminder(
                reminder,
                ReminderAction(action, by="1h" if action == "reschedule" else None),
                ports,
                user_id=OTHER,
                now=NOW,
                zone=BERLIN,
            )
        )
        for action in ("snooze", "reschedule", "acknowledge", "cancel", "resume")
    },
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_another_users_is_not_there_and_stays_as_it_is(ports: Ports, name: str):
    mine = await of_me(ports)
    before = await snapshot(ports)
    with pytest.raises(NotFound) as refusal:
        await CALLS[name](ports, *mine)
    assert "hook" not in refusal.value.hint
    assert await snapshot(ports) == before


async def test_listings_counts_and_the_inbox_have_only_the_users_own(ports: Ports):
    task_id, reminder_id, _ = await of_me(ports)
    now = later(hours=2)
    for status in ("pending", "completed", "cancelled", "all"):
        page = await list_tasks(TaskFilter(status), ports, user_id=OTHER, now=now, zone=BERLIN)
        assert page.tasks == ()
    for state in ("upcoming", "fired", "failed", "missed", "all"):
        query = cast("ReminderQuery", ReminderQuery(state))
        assert (await list_reminders(query, ports, user_id=OTHER, now=now)).reminders == ()
    assert await inbox(ports, user_id=OTHER, now=now) == ()
    assert sum(vars_of(await agenda_counts(ports, user_id=OTHER, now=now))) == 0
    # And they are there for the user whose they are.
    mine = await list_tasks(TaskFilter(), ports, user_id=USER, now=now, zone=BERLIN)
    assert [view.task.task_id for view in mine.tasks] == [task_id]
    (item,) = await inbox(ports, user_id=USER, now=now)
    assert item.reminder.reminder_id == reminder_id
    counted = await agenda_counts(ports, user_id=USER, now=now)
    assert (counted.tasks_pending, counted.tasks_overdue, counted.unacknowledged) == (1, 1, 1)
    assert counted.channels == 1


async def test_two_users_who_ask_for_the_same_at_the_same_instant_each_have_their_own(
    ports: Ports,
):
    views = [
        await create_task(
            NewTask("Read", due="+1h", remind=("due",)), ports, user_id=user, now=NOW, zone=BERLIN
        )
        for user in (USER, OTHER)
    ]
    assert views[0].task.task_id != views[1].task.task_id
    await complete_task(views[0].task.task_id, ports, user_id=USER, now=NOW)
    assert (await get_task(views[1].task.task_id, ports, user_id=OTHER, now=NOW)) == views[1]


def vars_of(counted: object) -> list[int]:
    return [cast("int", getattr(counted, name)) for name in type(counted).__slots__]

"""A process that dies in a call, and the same call made again, leave what one call leaves."""

from collections.abc import Awaitable, Callable

import pytest

from dome_mcp.core.ports import Ports, Statement
from tests.services.agenda_for_tests import act, add_reminder, add_task, change_task, fire, later
from tests.services.crashing import Crash, Fuse, Moment, with_fuse

pytestmark = pytest.mark.anyio

TABLES = ("tasks", "task_tags", "reminders", "firings", "deliveries")


async def with_task(ports: Ports) -> str:
    view = await add_task(ports, due="+1d", repeat="weekly", tags=("a",), remind=("-1h", "due"))
    return view.task.task_id


async def with_fired(ports: Ports) -> str:
    made = await add_reminder(ports, at="+1h", repeat="daily")
    await fire(ports, later(hours=1))
    return made.reminder.reminder_id


Prepare = Callable[[Ports], Awaitable[str]]
Call = Callable[[Ports, str], Awaitable[object]]

CALLS: dict[str, tuple[Prepare, Call]] = {
    "a task is created": (
        with_fired,
        lambda ports, _: add_task(ports, due="+2h", tags=("a", "b"), remind=("-1h", "due")),
    ),
    "a task is changed": (
        with_task,
        lambda ports, key: change_task(ports, key, due="+3d", tags=("b",), now=later(hours=2)),
    ),
    "a task is completed": (
        with_task,
        lambda ports, key: change_task(ports, key, status="completed", now=later(hours=2)),
    ),
    "a reminder of a task is created": (
        with_task,
        lambda ports, key: add_reminder(ports, task_id=key, at="-2h", now=later(hours=2)),
    ),
    "a reminder that fired is snoozed": (
        with_fired,
        lambda ports, key: act(ports, key, "snooze", by="2h", now=later(hours=2)),
    ),
    "a reminder is acknowledged": (
        with_fired,
        lambda ports, key: act(ports, key, "acknowledge", now=later(hours=2)),
    ),
    "a reminder is cancelled": (
        with_fired,
        lambda ports, key: act(ports, key, "cancel", now=later(hours=2)),
    ),
}


async def content(ports: Ports) -> list[list[dict[str, object]]]:
    """Every row, but for how often it was written."""
    rows = [await ports.database.query(Statement(f"SELECT * FROM {name}")) for name in TABLES]  # noqa: S608  names of this module
    return [
        [{name: value for name, value in row.items() if name != "revision"} for row in table]
        for table in rows
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_crashed_and_is_made_again_is_made_once(
    ports: Ports, name: str, moment: Moment
):
    prepare, call = CALLS[name]
    key = await prepare(ports)
    empty = await content(ports)
    number = 0
    outcomes: list[object] = []
    while True:
        fuse = Fuse(at=number, moment=moment)
        try:
            await call(with_fuse(ports, fuse), key)
        except Crash:
            await call(ports, key)
        outcomes.append(await content(ports))
        if fuse.calls <= number:
            break
        await reset(ports)
        assert await prepare(ports) == key
        assert await content(ports) == empty
        number += 1
    assert number > 1
    assert all(outcome == outcomes[-1] for outcome in outcomes)
    assert outcomes[-1] != empty


async def reset(ports: Ports) -> None:
    """No rows, and keys that start anew."""
    for name in (*reversed(TABLES), "sqlite_sequence"):
        await ports.database.query(Statement(f"DELETE FROM {name}"))  # noqa: S608  names of this module
